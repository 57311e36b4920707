import colorsys
import itertools

import numpy as np
import pytest

from marsgan_tf.imaging import colour
from marsgan_tf.imaging.degrade import degrade
from marsgan_tf.imaging.enlarge import enlarge, repeat


def hsv(rgb):
    """Pixel by pixel, by the standard library."""
    flat = [colorsys.rgb_to_hsv(*pixel) for pixel in rgb.reshape(-1, 3)]
    return np.array(flat).reshape(rgb.shape)


def rgb_of(hue, saturation, value):
    planes = np.broadcast_arrays(hue, saturation, value)
    pixels = zip(*(plane.ravel() for plane in planes), strict=True)
    flat = [colorsys.hsv_to_rgb(*pixel) for pixel in pixels]
    return np.array(flat).reshape(*planes[0].shape, 3)


def block_mean(plane):
    height, width = plane.shape
    return plane.reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def smooth():
    """Hue 0.05 to 0.12, saturation 0.3 to 0.6: the colours of Mars."""
    rows, cols = np.mgrid[:12, :14]
    hue = 0.085 + 0.035 * np.sin(rows / 6 + cols / 9)
    saturation = 0.45 + 0.15 * np.cos(cols / 7 - rows / 11)
    return rgb_of(hue, saturation, 500 + 200 * np.sin(cols / 5 + rows / 8))


def test_value_is_v_of_hsv(random):
    rgb = random.random((5, 7, 3))
    np.testing.assert_allclose(colour.value(rgb), hsv(rgb)[..., 2])


@pytest.mark.parametrize("black", [0.0, -150.0])
def test_hue_and_saturation_stay_and_value_is_restored(smooth, random, black):
    smooth = smooth + black
    hr_value = random.uniform(100, 900, (48, 56)) + black
    found = hsv(colour.recolour(smooth, hr_value, black=black) - black)
    np.testing.assert_allclose(found[..., 2], hr_value - black, rtol=1e-12)
    inner = np.s_[2:-2, 2:-2]
    expected = hsv(smooth - black)
    for channel in (0, 1):
        reduced = block_mean(found[..., channel])[inner]
        np.testing.assert_allclose(
            reduced, expected[inner][..., channel], atol=1e-3
        )


def test_saturation_is_bicubic_where_the_order_of_bands_stays(smooth, random):
    hr_value = random.uniform(1, 9, (48, 56))
    found = hsv(colour.recolour(smooth, hr_value, black=0.0))[..., 1]
    expected = enlarge(hsv(smooth)[..., 1])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_hue_does_not_wrap():
    """Between hues just below and above red there is red, not cyan."""
    hue = np.tile([0.97, 0.03], (6, 4))
    lr = rgb_of(hue, 0.5, 1.0)
    found = hsv(colour.recolour(lr, np.ones((24, 32)), black=0.0))[..., 0]
    assert np.minimum(found, 1 - found).max() < 0.05


def test_bicubic_value_gives_the_bicubic_image(smooth):
    hr_value = enlarge(colour.value(smooth))
    found = colour.recolour(smooth, hr_value, black=0.0)
    np.testing.assert_allclose(found, enlarge(smooth), rtol=3e-3)


@pytest.mark.parametrize("black", [0.0, -30.0, 40.0])
def test_grey_stays_grey(random, black):
    lr = random.uniform(-50, 100, (5, 6, 1)).repeat(3, axis=-1)
    hr_value = random.uniform(-50, 100, (20, 24))
    found = colour.recolour(lr, hr_value, black=black)
    expected = hr_value[..., None].repeat(3, axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_is_kept_whatever_the_colours(random, dtype):
    """Primaries side by side, black pixels, and values below black."""
    lr = 100 * np.eye(3)[random.integers(0, 3, (20, 30))]
    lr[random.random((20, 30)) < 0.2] = [-1, -5, 0]
    hr_value = random.uniform(-50, 200, (80, 120)).astype(dtype)
    found = colour.recolour(lr.astype(dtype), hr_value, black=0.0)
    assert found.dtype == dtype
    np.testing.assert_array_equal(colour.value(found), hr_value)
    assert (found.min(axis=-1) >= np.minimum(hr_value, 0)).all()


def test_no_colour_at_black_and_below():
    lr = np.full((6, 6, 3), [8.0, 6.0, 4.0])
    lr[:, :] -= 10.0
    hr_value = np.full((24, 24), 7.0)
    for black in (-2.0, 0.0):  # V lies at the first, and below the second.
        found = colour.recolour(lr, hr_value, black=black)
        np.testing.assert_allclose(found, 7.0, rtol=1e-15)


def test_bands_below_black_count_as_black(random):
    lr = random.uniform(-1, 1, (8, 9, 3)) ** 3
    hr_value = random.uniform(0, 9, (32, 36))
    found = colour.recolour(lr, hr_value, black=0.0)
    expected = colour.recolour(np.maximum(lr, 0), hr_value, black=0.0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "lr_shape, hr_shape, message",
    [
        ((4, 4, 4), (16, 16), "`lr_rgb` must be.*4, 4, 4"),
        ((4, 4, 3), (16, 1), r"`hr_value` must .*\(16, 16\).*\(16, 1\)"),
    ],
)
def test_recolour_checks_shapes(lr_shape, hr_shape, message):
    with pytest.raises(ValueError, match=message):
        colour.recolour(np.ones(lr_shape), np.ones(hr_shape), black=0.0)


def test_injection_recovers_bands_that_follow_the_pan(random):
    slopes, offsets = np.array([0.4, 1.7, -0.3, 0.0]), np.array([5, 0, 90, 7])
    hr_pan = random.uniform(0, 100, (64, 48))
    lr_pan = degrade(hr_pan, 1.6).astype(np.float64)
    lr_bands = lr_pan[..., None] * slopes + offsets
    moments = colour.Moments(4)
    moments.add(lr_pan, lr_bands, np.ones(lr_pan.shape, bool))
    found = colour.inject(lr_bands, lr_pan, hr_pan, moments.gains())
    expected = hr_pan[..., None] * slopes + offsets
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_injection_keeps_what_does_not_follow(random):
    """Zero gain is bicubic, and detail scales with the gain."""
    lr_bands = random.random((5, 6, 2))
    lr_pan, hr_pan = random.random((5, 6)), random.random((15, 18))
    gains = np.array([0.0, 2.0])
    found = colour.inject(lr_bands, lr_pan, hr_pan, gains, scale=3)
    expected = enlarge(lr_bands, 3)
    expected[..., 1] += 2 * (hr_pan - enlarge(lr_pan, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_injection_keeps_float32(random):
    lr_bands = random.random((4, 4, 2), np.float32)
    lr_pan = lr_bands[..., 0]
    hr_pan = repeat(lr_pan)
    found = colour.inject(lr_bands, lr_pan, hr_pan, np.ones(2))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], hr_pan, atol=1e-6)


@pytest.mark.parametrize(
    "name, shapes",
    [
        ("lr_pan", [(4, 1), (16, 16), (2,)]),
        ("hr_pan", [(4, 4), (16, 1), (2,)]),
        ("gains", [(4, 4), (16, 16), (1,)]),
    ],
)
def test_injection_checks_shapes(name, shapes):
    planes = [np.ones(shape) for shape in shapes]
    with pytest.raises(ValueError, match=f"`{name}` must have the shape"):
        colour.inject(np.ones((4, 4, 2)), *planes)


@pytest.fixture
def scene(random):
    """A pan and bands far from 0, NaN where not valid."""
    pan = random.normal(1e6, 1, (90, 40))
    bands = 3e6 + pan[..., None] * [0.5, -1.0, 0.0]
    bands += random.normal(0, 1, bands.shape)
    valid = random.random(pan.shape) < 0.7
    valid[60:75] = False
    pan[~valid] = np.nan
    bands[~valid] = np.nan
    return pan, bands, valid


@pytest.mark.parametrize("edges", [[0, 90], [0, 1, 2, 33, 60, 75, 90]])
def test_pieces_give_the_whole_scene_gains(scene, edges):
    pan, bands, valid = scene
    moments = colour.Moments(3)
    for first, last in itertools.pairwise(edges):
        part = slice(first, last)
        moments.add(pan[part], bands[part], valid[part])
    covariance = np.cov(pan[valid] - 1e6, bands[valid].T - 3e6)
    expected = covariance[0, 1:] / covariance[0, 0]
    np.testing.assert_allclose(moments.gains(), expected, rtol=0, atol=1e-10)
    assert moments.count == valid.sum()


@pytest.mark.parametrize("level", [0.1, 1e6 / 3, 0.0])
def test_constant_pan_has_no_gain(random, level):
    moments = colour.Moments(2)
    for size in (7, 30, 1):
        pan = np.full((size, 11), level)
        moments.add(pan, random.random((size, 11, 2)), np.ones_like(pan, bool))
    np.testing.assert_array_equal(moments.gains(), [0, 0])


def test_nothing_valid_has_no_gain():
    moments = colour.Moments(2)
    moments.add(np.ones((3, 3)), np.ones((3, 3, 2)), np.zeros((3, 3), bool))
    np.testing.assert_array_equal(moments.gains(), [0, 0])


@pytest.mark.parametrize(
    "name, bands, valid", [("bands", 3, (4, 5)), ("valid", 2, (4, 1))]
)
def test_moments_check_shapes(name, bands, valid):
    arrays = np.ones((4, 5)), np.ones((4, 5, bands)), np.ones(valid, bool)
    with pytest.raises(ValueError, match=f"`{name}` must have the shape"):
        colour.Moments(2).add(*arrays)
