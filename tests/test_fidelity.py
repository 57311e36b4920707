import math

import numpy as np
import pytest
import skimage.metrics

from marsgan_tf.assessment import fidelity


@pytest.fixture
def pair():
    """A smooth scene of 8 bits and a noisy, darker copy."""
    random = np.random.default_rng(0)
    rows, cols = np.mgrid[:70, :90]
    scene = 120 + 60 * np.sin(rows / 6) * np.cos(cols / 9) + cols / 3
    copy = 0.9 * scene + random.normal(0, 6, scene.shape)
    return np.round(copy).astype(np.uint8), np.round(scene).astype(np.uint8)


def wang(image, reference, peak):
    """The definition, window by window, as the paper writes it."""
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    image, reference = image.astype(float), reference.astype(float)
    height, width = image.shape
    found = np.full(image.shape, np.nan)
    for row in range(5, height - 5):
        for col in range(5, width - 5):
            window = np.s_[row - 5 : row + 6, col - 5 : col + 6]
            x, y = image[window], reference[window]
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            x, y = x - mean_x, y - mean_y
            luminance = 2 * mean_x * mean_y + c1
            structure = 2 * (weights * x * y).sum() + c2
            below = mean_x**2 + mean_y**2 + c1
            variances = (weights * (x**2 + y**2)).sum() + c2
            found[row, col] = luminance * structure / below / variances
    return found


@pytest.mark.parametrize("offset", [1, 5, 100])
def test_psnr_of_a_constant_offset(offset):
    image = np.arange(300, dtype=np.uint16).reshape(10, 30)
    found = fidelity.psnr(image + offset, image, data_range=(0, 255))
    assert found == pytest.approx(20 * math.log10(255 / offset), abs=1e-12)


def test_psnr_of_known_noise():
    noise = np.random.default_rng(1).normal(0, 0.02, (1000, 1500))
    found = fidelity.psnr(
        0.5 + noise, np.full_like(noise, 0.5), data_range=(0, 1)
    )
    # The mean square of 1.5 million draws is within 0.3 %: 0.015 dB.
    assert found == pytest.approx(-20 * math.log10(0.02), abs=0.015)


def test_psnr_equals_skimage(pair):
    expected = skimage.metrics.peak_signal_noise_ratio(
        pair[1], pair[0], data_range=255
    )
    assert fidelity.psnr(*pair, data_range=(0, 255)) == pytest.approx(expected)


def test_equal_images(pair):
    assert fidelity.psnr(pair[0], pair[0], data_range=(0, 255)) == math.inf
    assert fidelity.mssim(pair[0], pair[0], data_range=(0, 255)) == 1


def test_ssim_map_is_wangs(pair):
    image, reference = (a[20:50, 30:63] for a in pair)
    found = fidelity.ssim_map(image, reference, data_range=(0, 255))
    expected = wang(image, reference, 255)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.isnan(found).sum() == found.size - 20 * 23


def test_mssim_is_wangs(pair):
    image, reference = (a[20:50, 30:63] for a in pair)
    found = fidelity.mssim(image, reference, data_range=(0, 255))
    expected = np.nanmean(wang(image, reference, 255))
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0.2 < found < 0.9


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_mssim_equals_skimage(pair, dtype):
    # It crops the 5 px at the border, where windows leave the image.
    expected, whole = skimage.metrics.structural_similarity(
        *(a.astype(dtype) for a in pair),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    found = fidelity.mssim(*pair, data_range=(0, 255))
    assert found == pytest.approx(expected, abs=1e-9)
    ssim = fidelity.ssim_map(*pair, data_range=(0, 255))
    core = np.s_[5:-5, 5:-5]
    np.testing.assert_allclose(ssim[core], whole[core], atol=1e-9)


def test_mssim_of_a_constant_offset():
    """Only the luminance term is left: (2 a b + C1) / (a^2 + b^2 + C1)."""
    image, reference = np.full((20, 20), 110.0), np.full((20, 20), 100.0)
    c1 = 2.55**2
    found = fidelity.mssim(image, reference, data_range=(0, 255))
    expected = (2 * 110 * 100 + c1) / (110**2 + 100**2 + c1)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("store", "data_range"),
    [
        (lambda a: a.astype(np.uint16) * 257, (0, 65535)),
        (lambda a: a / 255, (0, 1)),
        (lambda a: a.astype(np.int16) * 8 - 1000, (-1000, 1040)),
    ],
)
@pytest.mark.parametrize("score", [fidelity.psnr, fidelity.mssim])
def test_scores_do_not_depend_on_the_storage(pair, store, data_range, score):
    expected = score(*pair, data_range=(0, 255))
    found = score(*(store(a) for a in pair), data_range=data_range)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("score", [fidelity.psnr, fidelity.mssim])
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e300, 0.0])
def test_pixels_without_data_influence_nothing(pair, score, garbage):
    image, reference = (a.astype(np.float64) for a in pair)
    valid = np.ones(image.shape, bool)
    valid[30:34, 40:45] = valid[:, -3:] = False
    expected = score(image, reference, data_range=(0, 255), valid=valid)
    image[~valid] = garbage
    reference[~valid] = 7.0
    found = score(image, reference, data_range=(0, 255), valid=valid)
    assert found == expected


def test_psnr_is_that_of_the_valid_pixels(pair):
    valid = np.random.default_rng(2).random(pair[0].shape) < 0.3
    found = fidelity.psnr(*pair, data_range=(0, 255), valid=valid)
    image, reference = (a[valid].reshape(1, -1) for a in pair)
    expected = fidelity.psnr(image, reference, data_range=(0, 255))
    assert found == pytest.approx(expected, abs=1e-12)


def test_mssim_leaves_out_exactly_the_windows_with_a_hole(pair):
    valid = np.ones(pair[0].shape, bool)
    valid[30, 40] = False
    ssim = fidelity.ssim_map(*pair, data_range=(0, 255))
    masked = fidelity.ssim_map(*pair, data_range=(0, 255), valid=valid)
    left_out = np.isnan(masked) & ~np.isnan(ssim)
    expected = np.zeros_like(valid)
    expected[25:36, 35:46] = True
    np.testing.assert_array_equal(left_out, expected)
    kept = ~np.isnan(masked)
    np.testing.assert_allclose(masked[kept], ssim[kept], atol=1e-12)
    found = fidelity.mssim(*pair, data_range=(0, 255), valid=valid)
    assert found == pytest.approx(ssim[kept].mean(), abs=1e-12)


def test_strips_equal_the_whole(pair, monkeypatch):
    image, reference = (np.tile(a, (4, 1)) for a in pair)
    valid = np.random.default_rng(3).random(image.shape) < 0.999
    given = {"data_range": (0, 255), "valid": valid}
    whole = fidelity.ssim_map(image, reference, **given)
    scores = [
        f(image, reference, **given) for f in (fidelity.psnr, fidelity.mssim)
    ]
    monkeypatch.setattr(fidelity, "_LEAST_STRIP_ROWS", 7)
    monkeypatch.setattr(fidelity, "_STRIP_PX", 1)
    strips = fidelity.ssim_map(image, reference, **given)
    np.testing.assert_array_equal(strips, whole)
    again = [
        f(image, reference, **given) for f in (fidelity.psnr, fidelity.mssim)
    ]
    assert again == pytest.approx(scores, abs=1e-12)


GREY = np.full((12, 12), 9.0)
HOLED = np.where(np.eye(12), np.nan, GREY)


@pytest.mark.parametrize(
    ("score", "image", "given", "message"),
    [
        (fidelity.psnr, GREY[:5], {}, r"`reference`.*\(12, 12\), against"),
        (fidelity.psnr, GREY[..., None], {}, r"`image`.*\(12, 12, 1\)"),
        (fidelity.psnr, HOLED, {}, "`image` must be finite.* 12 pixels"),
        (fidelity.psnr, GREY * 1j, {}, "`image`.*complex128"),
        (
            fidelity.psnr,
            GREY,
            {"data_range": (1, 1)},
            r"`data_range`.*\(1, 1\)",
        ),
        (fidelity.psnr, GREY, {"data_range": 255}, "`data_range`.*=255"),
        (fidelity.psnr, GREY, {"valid": GREY < 0}, "`valid`.* 0 True"),
        (fidelity.psnr, GREY, {"valid": GREY}, "`valid`.*float64"),
        (fidelity.psnr, GREY, {"valid": GREY[1:] > 0}, r"`valid`.*\(11, 12\)"),
        (
            fidelity.mssim,
            HOLED,
            {"valid": ~np.isnan(HOLED)},
            "`valid`.*11 x 11",
        ),
    ],
)
def test_error_names_argument_and_value(score, image, given, message):
    with pytest.raises(ValueError, match=message):
        score(image, GREY, **{"data_range": (0, 255), **given})


def test_image_below_a_window_is_refused():
    with pytest.raises(ValueError, match=r"`image`.*11 px.*\(10, 12\)"):
        fidelity.mssim(GREY[:10], GREY[:10], data_range=(0, 255))
