"""Blur and noise of an image, read from it."""

import dataclasses
import math
import pathlib

import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.imaging import degradation_estimator as estimator
from marsgan_tf.imaging import degrade, stretch, terrain
from marsgan_tf.inference.patches import places
from marsgan_tf.models.degradation_estimator import (
    STRIDES,
    degradation_estimator,
)

SIDE = estimator.PATCH_PX
SCENES = pathlib.Path(__file__).parent.parent.parent / "shared" / "data"


def of_network(network, largest=(9.0, 9.0)):
    layers = [layer for layer in network.layers if layer.weights]
    weights = [layer.get_weights() for layer in layers]
    return estimator.Estimator(
        strides=STRIDES,
        kernels=tuple(kernel for kernel, _ in weights),
        biases=tuple(bias for _, bias in weights),
        largest=np.array(largest),
    )


def test_forward_is_keras():
    network = degradation_estimator(patch_px=SIDE, seed=3)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(size=bias.shape)])
    patches = rng.normal(0.4, 0.1, (70, SIDE, SIDE)).astype(np.float32)
    unit, log_std = estimator.normalise(patches)
    expected = np.asarray(network([unit, log_std]))
    found = of_network(network).forward(patches)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_normalised_patches_have_mean_0_and_deviation_1():
    patches = np.random.default_rng(0).normal(5.0, 2.0, (3, SIDE, SIDE))
    unit, log_std = estimator.normalise(patches)
    np.testing.assert_allclose(unit.mean((1, 2, 3)), 0.0, atol=1e-12)
    np.testing.assert_allclose(unit.std((1, 2, 3)), 1.0, rtol=1e-3)
    np.testing.assert_allclose(
        np.exp(log_std[:, 0]), patches.std((1, 2)) + 1e-3
    )


@dataclasses.dataclass(frozen=True)
class Told(estimator.Estimator):
    """Tells what the first pixels of a patch say."""

    def forward(self, patches):
        return np.asarray(patches, np.float64)[:, 0, :4]


LARGEST = 2.4  # A uniform draw up to it has the variance 0.48.


def told(*planes):
    def patches(rows):
        filled = np.zeros((len(rows), SIDE, SIDE))
        filled[:, 0, :4] = np.reshape(rows, (-1, 4))
        return filled

    network = Told((), (), (), np.array([LARGEST, 0.08]))
    return network.estimate([patches(rows) for rows in planes])


def patch(blur, noise, blur_variance, noise_variance=1.0):
    """What the network tells of a patch whose noise is `noise`."""
    return [
        blur,
        math.log(noise + 0.003),
        math.log(blur_variance),
        math.log(noise_variance),
    ]


def by_bayes(mean, variance):
    """Normal densities on a fine grid: telling / training's * belief."""
    blurs = np.linspace(-20.0, 20.0, 400_001)
    exponent = (
        -0.5 * (blurs - mean) ** 2 / variance
        + 0.5 * (blurs - LARGEST / 2) ** 2 / (LARGEST**2 / 12)
        - 0.5 * 0.5 * (blurs - 0.4) ** 2
    )
    return np.average(blurs, weights=np.exp(exponent - exponent.max()))


@pytest.mark.parametrize(
    ("mean", "variance"), [(2.0, 0.15), (1.0, 0.25), (0.9, 0.36), (1.5, 0.05)]
)
def test_training_s_own_blurs_are_taken_out_again(mean, variance):
    ((blur, noise),) = told([patch(mean, 0.01, variance)])
    expected = max(by_bayes(mean, variance), 0.0)
    assert blur == pytest.approx(min(expected, LARGEST), abs=0.026)
    assert noise == pytest.approx(0.01)


def test_who_knows_nothing_believes_in_sharpness():
    ((blur, _),) = told([patch(1.4, 0.05, 0.7)] * 100)
    assert blur == pytest.approx(0.4)


def test_many_patches_are_no_surer_than_one():
    one, many = (told([patch(1.8, 0.01, 0.2)] * n) for n in (1, 200))
    np.testing.assert_array_equal(one, many)


def test_sure_patches_count_more():
    """Weights are inverse variances, here 4 to 1."""
    ((blur, _),) = told([patch(1.6, 0.01, 0.1), patch(2.0, 0.01, 0.4)])
    mean_variance = 2 / (1 / 0.1 + 1 / 0.4)
    assert blur == pytest.approx(by_bayes(1.68, mean_variance), abs=0.026)


@pytest.mark.parametrize("quiet", [1, 3])
def test_texture_is_not_taken_for_noise(quiet):
    """Patches that tell more than the quietest tenth may tell anything."""
    textured = [patch(1.0, 0.05 + 0.001 * i, 0.1) for i in range(10 * quiet)]
    flat = [patch(1.0, 0.004, 0.1)] * (quiet + quiet // 3 + 1)
    ((_, noise),) = told([*textured[: 10 * quiet - 1], *flat])
    assert noise == pytest.approx(0.004, abs=2.6e-4)


def test_unsure_patches_do_not_set_the_noise():
    """One of weight 1 beside one of 4 is a fifth, beside one of 16 less."""
    for variance, expected in ((0.25, 0.004), (0.0625, 0.02)):
        patches = [patch(1.0, 0.004, 0.1, 1.0), patch(1.0, 0.02, 0.1, variance)]
        ((_, noise),) = told(patches)
        assert noise == pytest.approx(expected, abs=2.6e-4)


def test_planes_share_the_blur_and_have_their_own_noise():
    found = told(
        [patch(1.0, 0.007, 0.02)],
        [patch(2.0, 0.047, 0.02)],
        [],
    )
    assert np.ptp(found[:, 0]) == 0
    assert found[0, 0] == pytest.approx(by_bayes(1.5, 0.02), abs=0.026)
    np.testing.assert_allclose(found[:, 1], [0.007, 0.047, 0.007], atol=2.6e-4)


def test_no_more_is_told_than_was_learned():
    np.testing.assert_allclose(told([patch(9.0, 1.0, 0.01)]), [[LARGEST, 0.08]])
    found = told([patch(-9.0, -0.00299, 0.01)])
    np.testing.assert_array_equal(found, [[0.0, 0.0]])


@pytest.mark.parametrize("content", [None, b"", b"no arrays"])
def test_a_missing_or_damaged_file_is_told_in_one_line(tmp_path, content):
    path = str(tmp_path / "estimator.npz")
    if content is not None:
        pathlib.Path(path).write_bytes(content)
    with pytest.raises(errors.ModelError) as caught:
        estimator.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: no estimator of blur and noise")
    assert "\n" not in message
    assert "--blur_sigma" in message


def read(hr, blur, noise, seed=0):
    """What is told of a scene that was degraded by known amounts."""
    lr = degrade.degrade(hr, blur)
    found = stretch.fit(lr.ravel())
    unit = (lr - found.low) / (found.high - found.low)
    rng = np.random.default_rng(seed)
    unit = unit + rng.normal(0.0, noise, unit.shape)
    patches = [
        unit[row : row + SIDE, col : col + SIDE]
        for row, col in places(*unit.shape, SIDE, 200)
    ]
    return estimator.load().estimate([np.stack(patches)])[0]


@pytest.fixture(scope="module")
def ground():
    return terrain.image(768, gsd_m=1.0, seed=5)


@pytest.mark.parametrize("noise", [0.02, 0.04])
@pytest.mark.parametrize("blur", [0.0, 1.6])
def test_noise_of_generated_ground_is_read_to_a_fifth(ground, blur, noise):
    assert read(ground, blur, noise)[1] == pytest.approx(noise, rel=0.2)
