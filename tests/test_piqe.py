import numpy as np
import pytest
import scipy.ndimage
import skimage.data

from marsgan_tf.assessment import piqe as piqe_module
from marsgan_tf.assessment.piqe import piqe

CLASSES = ["excellent", "good", "fair", "poor", "bad"]


@pytest.fixture(scope="module")
def camera():
    return skimage.data.camera()


def rounded(image):
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def noisy(image, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return rounded(image + noise)


def blurred(image, sigma):
    return rounded(scipy.ndimage.gaussian_filter(image.astype(float), sigma))


def blocky(image, strength):
    """Blends 8 x 8 px blocks towards their means, as strong JPEG does."""
    height, width = image.shape
    blocks = image.reshape(height // 8, 8, width // 8, 8).astype(float)
    means = blocks.mean(axis=(1, 3), keepdims=True)
    return rounded((blocks + strength * (means - blocks)).reshape(image.shape))


def score(image, data_range=(0, 255), valid=None):
    return piqe(image, data_range=data_range, valid=valid).score


def plain_piqe(image):
    """Block by block, pixel by pixel; MATLAB's order of operations."""
    height, width = image.shape
    rows = np.minimum(np.arange(-(-height // 16) * 16), height - 1)
    cols = np.minimum(np.arange(-(-width // 16) * 16), width - 1)
    image = image[np.ix_(rows, cols)].astype(float)
    offsets = np.arange(7) - 3
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 2 / (7 / 6) ** 2)
    window /= window.sum()
    padded = np.pad(image, 3, "edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    mean = np.einsum("ijkl,kl->ij", views, window)
    square = np.einsum("ijkl,kl->ij", views**2, window)
    mscn = (image - mean) / (np.sqrt(abs(square - mean**2)) + 1)
    active, total, masks = 0, 0.0, []
    for top in range(0, len(rows), 16):
        for left in range(0, len(cols), 16):
            block = mscn[top : top + 16, left : left + 16]
            variance = block.var(ddof=1)
            if variance <= 0.1:
                masks.append((False, False, False))
                continue
            active += 1
            edges = block[0], block[15], block[:, 0], block[:, 15]
            flat = any(
                edge[first : first + 6].std(ddof=1) < 0.1
                for edge in edges
                for first in range(11)
            )
            around = np.delete(np.delete(block, 7, axis=1), 8, axis=1)
            ratio = block[:, 7:9].std(ddof=1) / around.std(ddof=1)
            sigma = np.sqrt(variance)
            noise = sigma > 2 * abs(sigma - ratio) / max(sigma, ratio)
            total += flat * (1 - variance) + noise * variance
            masks.append((True, flat, noise))
    shape = (len(rows) // 16, len(cols) // 16, 3)
    return (total + 1) / (active + 1) * 100, np.reshape(masks, shape)


@pytest.mark.parametrize("crop", [np.s_[:256, :], np.s_[3:200, 7:140]])
@pytest.mark.parametrize("change", [lambda a: a, lambda a: noisy(a, 12)])
def test_equals_the_plain_form(camera, crop, change):
    image = change(camera)[crop]
    expected, masks = plain_piqe(image)
    found = piqe(image, data_range=(0, 255))
    assert found.score == pytest.approx(expected, abs=1e-9)
    np.testing.assert_array_equal(found.active, masks[..., 0])
    np.testing.assert_array_equal(found.artefacts, masks[..., 1])
    np.testing.assert_array_equal(found.noise, masks[..., 2])


def test_low_contrast_is_not_stretched(camera):
    """Ports that scale by the image's maximum give 50.8."""
    low = rounded(camera * 0.4 + 40)
    assert score(low) == pytest.approx(39.1, abs=0.1)
    stretched = score(low, (0, int(low.max())))
    assert stretched == pytest.approx(50.8, abs=0.1)


@pytest.mark.parametrize(
    ("store", "data_range"),
    [
        (lambda a: a.astype(np.uint16) * 257, (0, 65535)),
        (lambda a: (a / 255).astype(np.float32), (0, 1)),
        (lambda a: a.astype(np.int16) * 4 - 500, (-500, 520)),
    ],
)
def test_storage_does_not_matter(camera, store, data_range):
    expected = score(camera)
    assert score(store(camera), data_range) == expected


def test_values_beyond_the_range_are_clipped(camera):
    values = camera.astype(float) * 1.3 - 30
    clipped = score(np.clip(values, 0, 255))
    assert score(values) == clipped


@pytest.mark.parametrize(
    ("spoil", "strengths", "last"),
    [
        (blurred, [1, 1.5, 2, 4], "bad"),
        (noisy, [5, 15, 30, 60], "poor"),
        (blocky, [0.5, 0.8, 0.9, 1], "bad"),
    ],
)
def test_graded_set(camera, spoil, strengths, last):
    scores = [score(spoil(camera, strength)) for strength in strengths]
    assert (np.diff([score(camera), *scores]) > 0).all()
    assert piqe_module.quality(score(camera)) == "fair"
    assert piqe_module.quality(scores[-1]) == last


def share(mask, active):
    return np.count_nonzero(mask) / np.count_nonzero(active)


def test_masks_tell_the_kind_of_damage(camera):
    """Noise is seen as noise, blocks and blur as artefacts, on one half."""
    for spoil, strength, kind, other in (
        (noisy, 25, "noise", "artefacts"),
        (blocky, 1.0, "artefacts", "noise"),
        (blurred, 1.5, "artefacts", "noise"),
    ):
        found = piqe(spoil(camera, strength), data_range=(0, 255))
        assert share(getattr(found, kind), found.active) > 0.7
        assert share(getattr(found, other), found.active) < 0.35
        assert not (found.noise & ~found.active).any()


def test_noise_is_found_where_it_is(camera):
    half = camera.copy()
    half[:, 256:] = noisy(camera, 40)[:, 256:]
    clean = piqe(camera, data_range=(0, 255)).noise
    found = piqe(half, data_range=(0, 255)).noise
    np.testing.assert_array_equal(found[:, :15], clean[:, :15])
    assert found[:, 17:].mean() > 0.9
    assert clean[:, 17:].mean() < 0.5


def test_classes_are_mathworks():
    scores = [0, 20, 20.5, 35, 36, 50, 51, 80, 81, 100]
    found = [piqe_module.quality(each) for each in scores]
    assert found == [name for name in CLASSES for _ in range(2)]


def test_no_active_block_is_the_worst_score():
    """As MATLAB says of images without texture."""
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    found = piqe(ramp, data_range=(0, 255))
    assert found.score == 100
    assert not found.active.any()


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 0.0, 1e300])
def test_pixels_without_data_influence_nothing(camera, garbage):
    image = noisy(camera, 5)[:160, :192].astype(np.float64)
    valid = np.ones(image.shape, bool)
    valid[40, 56] = valid[96:, 160:] = False
    image[~valid] = garbage
    found = piqe(image, data_range=(0, 255), valid=valid)
    whole = piqe(noisy(camera, 5)[:160, :192], data_range=(0, 255))
    kept = np.ones((10, 12), bool)
    kept[2, 3] = False  # Row 40, column 56.
    kept[5:, 9:] = False  # 3 px about the corner reach into its neighbours.
    np.testing.assert_array_equal(found.active, whole.active & kept)
    np.testing.assert_array_equal(found.noise, whole.noise & kept)
    np.testing.assert_array_equal(found.artefacts, whole.artefacts & kept)


def test_full_mask_changes_nothing(camera):
    image = camera[:100, :90]
    assert score(image, valid=np.ones(image.shape, bool)) == score(image)


@pytest.mark.parametrize(
    ("image", "given", "message"),
    [
        (np.eye(15), {}, r"`image`.*16 px.*\(15, 15\)"),
        (np.full((32, 32), 7), {}, "`image`.*constant.* 7 at every"),
        (np.eye(32) / 600, {}, "`image`.*constant.* 0 at every"),
        (np.eye(32), {"data_range": (0, np.nan)}, "`data_range`.*nan"),
        (
            255 * np.eye(32),
            {"valid": np.indices((32, 32)).sum(0) % 16 > 0},
            "`valid`.*16 x 16",
        ),
    ],
)
def test_error_names_argument_and_value(image, given, message):
    with pytest.raises(ValueError, match=message):
        piqe(image, **{"data_range": (0, 255), **given})
