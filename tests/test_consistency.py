import numpy as np
import pytest

from marsgan_tf.imaging import degrade, terrain
from marsgan_tf.inference import consistency
from marsgan_tf.inference.consistency import Projection

SIGMAS = (0.0, 0.8, 1.6, 2.4)

# Deviation of the output for white noise of deviation 1 in the input.
NOISE_GROWTH = {0.0: 1.3, 0.8: 1.6, 1.6: 3.0, 2.4: 6.6, 3.2: 6.9}


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def borders(image):
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def degradation_matrix(length, sigma, scale=4):
    """D along one axis: the degraded basis vectors, mirrored borders in."""
    columns = [
        degrade.degrade(np.tile(basis[:, None], scale), sigma, scale=scale)
        for basis in np.eye(length)
    ]
    return np.hstack(columns).astype(np.float64)


def closed_form(hr, lr, sigma, scale=4):
    """The regularised least change by dense matrices, in float64."""

    def halves(length):
        d = degradation_matrix(length, sigma, scale)
        gram = scale * d @ d.T
        once = np.linalg.inv(gram + 0.05 * np.eye(len(gram)))
        left = 0.05 * once
        inverse = (np.eye(len(gram)) + left + left @ left) @ once
        return d, scale * d.T @ inverse

    (d_rows, up_rows), (d_cols, up_cols) = map(halves, hr.shape)
    return hr + up_rows @ (lr - d_rows @ hr @ d_cols.T) @ up_cols.T


def unseen(shape, sigma, seed):
    """Noise less all that the degradation sees, by pseudo-inverses."""
    noise = np.random.default_rng(seed).normal(size=shape)
    seen = [
        np.linalg.pinv(d) @ d
        for d in (degradation_matrix(side, sigma) for side in shape)
    ]
    return noise - seen[0] @ noise @ seen[1].T


@pytest.fixture(scope="module")
def truth():
    image = terrain.image((256, 320), gsd_m=1.0, seed=1)
    low, high = np.quantile(image, (0.0005, 0.9995))
    return ((image - low) / (high - low)).astype(np.float32)


@pytest.fixture(scope="module", params=SIGMAS)
def problem(request, truth):
    """A degradation, its LR image, and a noisy enlargement of that."""
    sigma = request.param
    lr = degrade.degrade(truth, sigma)
    # The transposed bicubic reduction is the bicubic enlargement.
    rows, cols = (degradation_matrix(n, 0.0).T * 4 for n in truth.shape)
    noise = np.random.default_rng(0).normal(0.0, 0.02, truth.shape)
    hr = (rows @ lr @ cols.T + noise).astype(np.float32)
    return Projection(sigma), hr, lr


@pytest.mark.parametrize("sigma", SIGMAS)
def test_matches_dense_matrices(sigma):
    rng = np.random.default_rng(0)
    hr = rng.random((96, 64), dtype=np.float32)
    lr = rng.random((24, 16), dtype=np.float32)
    output = Projection(sigma).apply(hr, lr)
    assert output.dtype == np.float32
    # Cutting the inverse costs up to 3 parts in 1000 of the correction.
    expected = closed_form(hr, lr, sigma)
    assert rms(output - expected) < 3e-3 * rms(expected - hr)
    assert rms(borders(output - expected)) < 6e-3 * rms(expected - hr)


def test_residual_falls_below_a_thousandth(problem):
    projection, hr, lr = problem
    before = projection.residual(hr, lr)
    np.testing.assert_array_equal(
        before, lr - degrade.degrade(hr, projection.blur_sigma)
    )
    assert rms(before) > 0.01
    after = projection.residual(projection.apply(hr, lr), lr)
    assert rms(after) < 1e-3
    assert rms(borders(after)) < 1e-3
    assert np.abs(after).max() < 1e-2


def test_second_application_changes_little(problem):
    projection, hr, lr = problem
    once = projection.apply(hr, lr)
    twice = projection.apply(once, lr)
    share = rms(twice - once) / rms(once - hr)
    # What regularisation holds back comes in part at the second time.
    assert share < (0.2 if projection.blur_sigma > 2 else 0.03)


def test_consistent_image_is_left_alone(problem, truth):
    projection, _, lr = problem
    output = projection.apply(truth, lr)
    np.testing.assert_allclose(output, truth, atol=1e-5)


def test_nearer_to_the_truth(problem, truth):
    projection, hr, lr = problem
    output = projection.apply(hr, lr)
    assert rms(output - truth) < 0.97 * rms(hr - truth)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_no_part_in_what_is_not_seen(sigma):
    """The mark of the least change: orthogonal to the null space."""
    rng = np.random.default_rng(0)
    hr = rng.random((80, 64), dtype=np.float32)
    lr = rng.random((20, 16), dtype=np.float32)
    change = Projection(sigma).apply(hr, lr).astype(np.float64) - hr
    for seed in range(4):
        blind = unseen(hr.shape, sigma, seed)
        assert rms(degrade.degrade(blind, sigma)) < 1e-6
        cosine = np.sum(change * blind) / (
            np.linalg.norm(change) * np.linalg.norm(blind)
        )
        assert abs(cosine) < 1e-6


@pytest.mark.parametrize("sigma", [*SIGMAS, 3.2])
def test_noise_grows_as_stated(sigma):
    noise = np.random.default_rng(0).normal(size=(128, 128))
    output = Projection(sigma).apply(np.zeros((512, 512)), noise)
    assert rms(output) == pytest.approx(NOISE_GROWTH[sigma], rel=0.04)


@pytest.mark.parametrize("sigma", [*SIGMAS, 3.2, 8.0])
def test_no_wave_grows_beyond_the_bound(sigma):
    """Waves that the mirrored borders fit, up to the LR Nyquist frequency."""
    projection, hr = Projection(sigma), np.zeros((256, 256))
    growth = []
    for half_turns in range(4, 64, 2):
        wave = np.cos(np.pi * half_turns * (np.arange(64) + 0.5) / 64)
        lr = np.outer(wave, wave)
        growth.append(rms(projection.apply(hr, lr)) / rms(lr))
    assert max(growth) < 20.9
    if sigma == 2.4:  # Where the bound is reached.
        assert max(growth) > 19.5


@pytest.mark.parametrize("sigma", [*SIGMAS, 8.0])
@pytest.mark.parametrize("value", [0.0, 0.4, -3000.0])
def test_constant_is_corrected_exactly(sigma, value):
    output = Projection(sigma).apply(
        np.full((48, 64), 7.0), np.full((12, 16), value)
    )
    np.testing.assert_allclose(output, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_tiles_equal_the_whole(sigma):
    rng = np.random.default_rng(0)
    lr = rng.random((88, 72), dtype=np.float32)
    hr = rng.random((352, 288), dtype=np.float32)
    projection = Projection(sigma)
    whole, margin = projection.apply(hr, lr), projection.reach_px
    for row in range(0, 88, 22):
        for col in range(0, 72, 24):
            top, left = max(0, row - margin), max(0, col - margin)
            bottom, right = row + 22 + margin, col + 24 + margin
            tile = projection.apply(
                hr[4 * top : 4 * bottom, 4 * left : 4 * right],
                lr[top:bottom, left:right],
            )
            row_0, col_0 = 4 * (row - top), 4 * (col - left)
            np.testing.assert_allclose(
                tile[row_0 : row_0 + 88, col_0 : col_0 + 96],
                whole[4 * row : 4 * row + 88, 4 * col : 4 * col + 96],
                atol=1e-5,
            )


@pytest.mark.parametrize("sigma", SIGMAS)
def test_reach_is_how_far_a_pixel_is_felt(sigma):
    reach = Projection(sigma).reach_px
    assert reach == consistency.reach_px(sigma)
    size = 2 * reach + 11
    centre = size // 2
    lr, hr = np.zeros((size, size)), np.zeros((4 * size, 4 * size))
    # The outermost HR px of its LR px is felt the farthest.
    hr[4 * centre, 4 * centre + 3] = 1e6
    output = Projection(sigma).apply(hr, lr)
    felt = np.flatnonzero(np.abs(output).max(axis=1)) // 4
    assert centre - felt.min() == reach
    felt = np.flatnonzero(np.abs(output).max(axis=0)) // 4
    assert felt.max() - centre == reach


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_image_smaller_than_the_filters(shape):
    rng = np.random.default_rng(0)
    hr = rng.random((4 * shape[0], 4 * shape[1]))
    lr = rng.random(shape)
    output = Projection(1.6).apply(hr, lr)
    np.testing.assert_allclose(output, closed_form(hr, lr, 1.6), atol=3e-3)


@pytest.mark.parametrize("scale", [1, 2, 3, 8])
def test_other_scales_match(scale):
    rng = np.random.default_rng(0)
    hr, lr = rng.random((10 * scale, 12 * scale)), rng.random((10, 12))
    output = Projection(0.5 * scale, scale).apply(hr, lr)
    expected = closed_form(hr, lr, 0.5 * scale, scale)
    assert rms(output - expected) < 3e-3 * rms(expected - hr)


@pytest.mark.parametrize(
    ("hr", "lr"), [((8, 8), (2, 3)), ((8, 8, 1), (2, 2, 1)), ((9, 8), (2, 2))]
)
def test_shapes_must_fit(hr, lr):
    with pytest.raises(ValueError, match="`hr` must be.*hr.shape=.*lr.shape="):
        Projection(1.6).apply(np.zeros(hr), np.zeros(lr))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1.0,), "`blur_sigma` .*-1.0"), ((1.6, 0), "`scale` .*scale=0")],
)
def test_settings_must_make_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Projection(*arguments)
