import numpy as np
import pytest
from scipy import ndimage
from stand_ins import Bicubic, restored

from marsgan_tf.imaging import enlarge, terrain
from marsgan_tf.inference.planes import EachBand, Panchromatic, Value

SHAPE = (160, 200)
MARGIN_PX = 3  # Where mirrored borders bend the enlarged chromaticity.
HSV, PAN, BANDS = "hsv", "pan", "bands"


class Sharpening(Bicubic):
    """Enlarges, and adds detail: what a network does, in one line."""

    def restore(self, lr):
        answer = super().restore(lr)
        blurred = ndimage.gaussian_filter(answer, (0, 5, 5, 0), truncate=3)
        return answer + np.float32(0.6) * (answer - blurred)


def hue_and_saturation(rgb):
    """Of rgb whose largest band is the first: hue in degrees."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    hue = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    return np.degrees(hue), 1 - rgb.min(axis=-1) / rgb.max(axis=-1)


def block_mean(image):
    height, width, bands = image.shape
    blocks = image.reshape(height // 4, 4, width // 4, 4, bands)
    return blocks.astype(np.float64).mean(axis=(1, 3))


def drift(found, expected):
    """Root mean square differences of hue in degrees, and of saturation."""
    pairs = zip(
        hue_and_saturation(block_mean(found)),
        hue_and_saturation(expected),
        strict=True,
    )
    inner = (slice(MARGIN_PX, -MARGIN_PX),) * 2
    return [np.sqrt(np.mean((a - b)[inner] ** 2)) for a, b in pairs]


@pytest.fixture(scope="module")
def coloured():
    """Ground of Mars' colours, which change over a dozen pixels or so."""
    rng = np.random.default_rng(0)
    value = 0.1 + terrain.image(SHAPE, gsd_m=6.0, seed=5)
    fields = [ndimage.gaussian_filter(rng.normal(size=SHAPE), 12) for _ in "gb"]
    green, blue = (field / field.std() for field in fields)
    factors = np.stack(
        [np.ones(SHAPE), 0.62 + 0.05 * green, 0.38 + 0.05 * blue], axis=-1
    )
    return (value[..., None] * factors).astype(np.float32)


def super_resolved(pixels, mode, engine=None, **options):
    engine = engine or Sharpening()
    options = {"tile": 96, "halo": 16, **options}
    return restored(pixels, engine=engine, color=mode, **options)["pixels"]


# Degrees of hue, and saturation; measured half as much or less.
LARGEST_DRIFT = {HSV: (0.01, 1e-4), BANDS: (0.06, 5e-4), PAN: (0.4, 4e-3)}


@pytest.mark.parametrize("mode", LARGEST_DRIFT)
def test_hue_and_saturation_stay(coloured, mode):
    found = super_resolved(coloured, mode)
    # The engine does change the image.
    plain = super_resolved(coloured, mode, Bicubic())
    assert np.std(found - plain) > 0.05 * coloured.std()
    hue, saturation = drift(found, coloured)
    assert hue < LARGEST_DRIFT[mode][0]
    assert saturation < LARGEST_DRIFT[mode][1]


def test_only_bands_by_themselves_sharpen_the_noise_of_colour(coloured):
    """Noise of the weaker bands passes the network in one mode alone."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.004, coloured.shape) * [0.2, 1, 1]
    noisy = (coloured + noise).astype(np.float32)
    found = {
        mode: drift(super_resolved(noisy, mode), coloured)
        for mode in (HSV, PAN, BANDS)
    }
    bicubic = drift(super_resolved(noisy, BANDS, Bicubic()), coloured)
    for index in (0, 1):  # Hue, saturation.
        assert found[BANDS][index] > 1.3 * bicubic[index]
        for mode in (HSV, PAN):
            assert found[mode][index] < 1.05 * bicubic[index]


@pytest.mark.parametrize("mode", [HSV, PAN, BANDS])
def test_bicubic_planes_give_the_bicubic_image(coloured, mode):
    found = super_resolved(coloured, mode, Bicubic())
    expected = enlarge.enlarge(coloured)
    # Chromaticity times value is not the product's enlargement.
    tolerance = 0.02 if mode == HSV else 2e-6
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert np.sqrt(np.mean((found - expected) ** 2)) < tolerance / 10


@pytest.mark.parametrize("mode", [HSV, PAN, BANDS])
def test_tiles_do_not_show_in_colour(coloured, mode):
    whole = super_resolved(coloured, mode, tile=512, halo=16)
    tiled = super_resolved(coloured, mode, tile=50, halo=16)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_value_of_the_output_is_the_engines(coloured):
    found = super_resolved(coloured, HSV)
    value = super_resolved(coloured.max(axis=-1), BANDS)[..., 0]
    np.testing.assert_allclose(found.max(axis=-1), value, atol=1e-6)


def test_the_panchromatic_band_is_the_engines(coloured):
    found = super_resolved(coloured, PAN, pan_band=2)
    alone = super_resolved(coloured[..., 1], BANDS)
    np.testing.assert_array_equal(found[..., 1], alone[..., 0])


def test_bands_follow_the_order_wanted(coloured):
    found = super_resolved(coloured, BANDS, bands=(3, 1))
    expected = super_resolved(coloured, BANDS)[..., [2, 0]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_negative_numbers_keep_their_colours(coloured, dtype):
    """Hue and saturation count from the lowest number, not from 0."""
    lowered = (1000 * coloured - 200).astype(dtype)
    found = super_resolved(lowered, HSV)
    assert found.min() < 0 < found.max()
    residual = block_mean(found) - lowered
    # Each band by itself, which knows of no black, is no nearer.
    reference = block_mean(super_resolved(lowered, BANDS)) - lowered
    for band in range(3):
        own, other = residual[..., band].std(), reference[..., band].std()
        assert own < 1.05 * other + 0.1


def test_constant_colours_stay_though_negative():
    pixels = np.full((20, 30, 3), (-5, -7, -9), np.int16)
    found = super_resolved(pixels, HSV)
    np.testing.assert_array_equal(found, np.full((80, 120, 3), pixels[0, 0]))


def test_what_each_mode_takes_and_needs():
    rng = np.random.default_rng(0)
    pixels = rng.random((5, 6, 3))
    valid = rng.random((5, 6, 3)) < 0.7
    every = valid[..., 0] & valid[..., 1] & valid[..., 2]
    largest = np.sort(pixels, axis=-1)[..., 2]
    for found, planes, has_data in (
        (EachBand(3), pixels, valid),
        (Value(black=0.0), largest[..., None], every[..., None]),
        (Panchromatic(1, (1.0, 1.0, 1.0)), pixels[..., 1:2], every[..., None]),
    ):
        assert found.count == planes.shape[-1]
        np.testing.assert_array_equal(found.split(pixels), planes)
        np.testing.assert_array_equal(found.valid(valid), has_data)


def test_gains_are_the_shares_of_detail():
    """But the panchromatic band is what the network made, whatever its gain."""
    rng = np.random.default_rng(0)
    pixels, detail = rng.random((6, 7, 3)), rng.normal(size=(24, 28))
    bicubic = enlarge.enlarge(pixels)
    restored_pan = bicubic[..., 1] + detail
    found = Panchromatic(1, (0.5, 0.0, -2.0)).join(
        pixels, restored_pan[..., None]
    )
    np.testing.assert_array_equal(found[..., 1], restored_pan)
    for band, gain in ((0, 0.5), (2, -2.0)):
        np.testing.assert_allclose(
            found[..., band] - bicubic[..., band], gain * detail, atol=1e-12
        )
