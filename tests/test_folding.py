import itertools

import numpy as np
import pytest
from scipy import ndimage
from tiny_generators import images, quiet, scattered

from marsgan_tf.deployment import folding, forward
from marsgan_tf.deployment.network import (
    Convolution,
    fingerprint,
    leaves,
    replaced,
)
from marsgan_tf.models import files

CASES = {
    "plain": ("marsgan", {"blocks": 2}),
    "ported": ("marsgan", {"per_channel": True, "trunk_skip": True}),
    "conditioned": ("marsgan", {"conditioned": True}),
    "conditioned, per channel": (
        "marsgan",
        {"conditioned": True, "per_channel": True},
    ),
    "twice the sides": ("marsgan", {"scale": 2}),
    "esrgan": ("esrgan", {"blocks": 2}),
}
DEGRADATIONS = np.float32([[0.3, 0.04], [2.5, 0.001]])


def convolve(image, convolution):
    """Zero-padded convolution of `(h, w, in)`, one plane at a time."""
    kernel = convolution.kernel.astype(np.float64)
    planes = [
        sum(
            ndimage.correlate(image[..., i], kernel[..., i, o], mode="constant")
            for i in range(kernel.shape[2])
        )
        for o in range(kernel.shape[3])
    ]
    return np.stack(planes, axis=-1) + convolution.bias


def shuffle(maps, scale):
    """Depth to space, sub-pixel by sub-pixel."""
    height, width, depth = maps.shape
    channels = depth // scale**2
    enlarged = np.empty((height * scale, width * scale, channels))
    for row, col in np.ndindex(scale, scale):
        first = (row * scale + col) * channels
        enlarged[row::scale, col::scale] = maps[..., first : first + channels]
    return enlarged


@pytest.mark.parametrize("scale", [2, 4])
def test_reconstruction_folds_into_one_convolution(scale):
    random = np.random.default_rng(1)
    features, channels = 3, 2

    def draw(size, inputs, outputs):
        return Convolution(
            random.normal(size=(size, size, inputs, outputs)).astype("f4"),
            random.normal(size=outputs).astype("f4"),
        )

    sizes = (3, 5, 7, 9)
    branches = [draw(size, features, channels * scale**2) for size in sizes]
    weights = random.normal(size=len(sizes)).astype("f4")
    last = draw(3, channels, 1)
    image = random.normal(size=(9, 12, features))
    pairs = zip(weights, branches, strict=True)
    summed = sum(weight * convolve(image, branch) for weight, branch in pairs)
    expected = convolve(shuffle(summed, scale), last)

    folded = folding.fold_reconstruction(branches, weights, last, scale)
    found = shuffle(convolve(image, folded), scale)

    assert folded.kernel.shape == (11, 11, features, scale**2)
    error = np.abs(found - expected) / expected.std()
    assert error[1:-1, 1:-1].max() < 1e-5
    assert error.max() > 0.01  # The ring where zeros are seen twice.


def split(generator, lr):
    """What a generator and its folded form take besides the network."""
    if len(generator.inputs) == 1:
        return lr, None
    return [lr, DEGRADATIONS], DEGRADATIONS


@pytest.fixture(params=CASES)
def generator(request):
    architecture, options = CASES[request.param]
    return scattered(architecture, **options)


def test_folded_network_answers_as_keras(generator):
    lr = images(2, 11, 14)
    inputs, degradation = split(generator, lr)
    expected = np.asarray(generator(inputs))
    network = folding.fold(generator)
    found = forward.restore(network, lr, degradation).numpy()
    assert found.shape == expected.shape
    assert found.shape[1] == 11 * network.scale
    error = np.abs(found - expected) / np.abs(expected).max()
    assert error[:, 1:-1, 1:-1].max() < 1e-5
    if network.name == "marsgan":
        assert error.max() > 1e-3
    else:  # Nothing of ESRGAN's reconstruction is folded.
        assert error.max() < 1e-5


def test_every_image_of_a_batch_has_its_degradation():
    generator = scattered(conditioned=True)
    network = folding.fold(generator)
    lr = np.repeat(images(1, 6, 7), 2, axis=0)
    both = forward.restore(network, lr, DEGRADATIONS).numpy()
    assert np.abs(both[0] - both[1]).max() > 0.01 * both.std()
    for index, told in enumerate(DEGRADATIONS):
        alone = forward.restore(network, lr, told[None]).numpy()
        np.testing.assert_allclose(
            alone[index], both[index], atol=1e-5 * np.abs(both).max()
        )


def weights_of(block, code):
    """λr and λx of a dense block, shifted by what the code says."""
    weights = [block.residual_weight, block.identity_weight]
    if code is None:
        return weights
    shifts = np.asarray(block.shifts(code))[:, None, None, :]
    features = shifts.shape[-1] // 2
    parts = shifts[..., :features], shifts[..., features:]
    return [w + part for w, part in zip(weights, parts, strict=True)]


def by_hand(generator, lr, degradation, noise):
    """Equations 1 to 5 with the generator's own convolutions and weights."""
    layer = generator.get_layer
    code = degradation
    if degradation is not None:
        code = layer("degradation_code")(degradation)
    x = layer("f_ext")(lr)
    numbers = itertools.count()
    for awrrdb in (layer("awrrdb_0"), layer("awrrdb_1")):
        entry = x
        for block in awrrdb.dense_blocks:
            residual, identity = weights_of(block, code)
            x = residual * block.dense_block(x) + identity * x
            x = x + block.noise.weight * noise(next(numbers))
        x = awrrdb.residual_weight * x + awrrdb.identity_weight * entry
    return np.asarray(layer("f_rec")(layer("awmsr")(x)))


@pytest.mark.parametrize(
    "options", [{}, {"per_channel": True}, {"conditioned": True}]
)
def test_noise_enters_where_equation_3_has_it(options):
    generator = scattered(blocks=2, **options)
    lr = images(2, 9, 10)
    inputs, degradation = split(generator, lr)
    drawn = np.random.default_rng(2).normal(size=(6, 1, 9, 10, 8))
    drawn = drawn.astype(np.float32)

    def silence(index):
        return 0.0 * drawn[index]

    plain = np.asarray(generator(inputs))
    np.testing.assert_allclose(
        by_hand(generator, lr, degradation, silence), plain, atol=1e-4
    )
    expected = by_hand(generator, lr, degradation, drawn.__getitem__)
    found = forward.restore(
        folding.fold(generator), lr, degradation, noise=drawn.__getitem__
    ).numpy()
    inner = (slice(None), slice(1, -1), slice(1, -1))
    scale = np.abs(expected).max()
    assert np.abs(found - expected)[inner].max() < 1e-5 * scale
    assert np.abs(plain - expected)[inner].max() > 0.01 * scale


def test_a_network_knows_what_it_is():
    noisy = folding.fold(scattered(conditioned=True))
    assert noisy.has_noise
    assert noisy.is_conditioned
    still = folding.fold(quiet(scattered()))
    assert not still.has_noise
    assert not still.is_conditioned
    assert not folding.fold(scattered("esrgan")).has_noise


def changed(network, place):
    """The network with one weight of its `place`-th array moved."""
    numbers = itertools.count()

    def change(array):
        if next(numbers) != place:
            return array
        moved = np.array(array)
        moved.flat[-1] += np.float32(1e-3)
        return moved

    return replaced(network, change)


def test_any_changed_weight_changes_the_fingerprint(tmp_path):
    generator = scattered(conditioned=True, trunk_skip=True)
    network = folding.fold(generator)
    count = len(list(leaves(network)))
    # 3 x (5 convolutions, 2 weights, modulation), λa, first, trunk, last, code.
    assert count == 3 * (10 + 2 + 2) + 1 + 2 + 2 + 2 + 4
    prints = {fingerprint(changed(network, place)) for place in range(count)}
    assert len(prints | {fingerprint(network)}) == count + 1

    path = tmp_path / "generator.keras"
    files.save_generator(generator, path)
    again = folding.fold(files.load_generator(path))
    assert fingerprint(again) == fingerprint(network)


def test_replaced_keeps_everything_but_the_arrays():
    network = folding.fold(scattered("esrgan"))
    negative = replaced(network, np.negative)
    assert replaced(negative, np.negative).name == network.name
    for one, other in zip(leaves(network), leaves(negative), strict=True):
        np.testing.assert_array_equal(one, -other)
    shapes = replaced(network, np.shape)
    assert shapes.trunk == Convolution((3, 3, 8, 8), (8,))
    assert shapes.blocks[0].dense_blocks[2].convolutions[4].bias == (8,)
    assert shapes.blocks[0].dense_blocks[0].modulation is None
