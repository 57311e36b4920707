import math

import numpy as np
import pytest
import scipy.ndimage

from marsgan_tf.imaging import degrade


def keys(x):
    """MATLAB's `cubic`."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    if x <= 2:
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return 0.0


def mirrored(index, length):
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index


def imresize_axis(image, scale):
    """MATLAB's `imresize(image, 1 / scale)` along rows, pixel by pixel.

    After its `contributions`: one-based output x lies at input
    `u = x * scale + (1 - scale) / 2`; the kernel is widened by the scale.
    """
    length = image.shape[0]
    output = np.zeros((length // scale, *image.shape[1:]))
    for x in range(1, output.shape[0] + 1):
        u = x * scale + 0.5 * (1 - scale)
        left = math.floor(u - 2 * scale)
        taps = range(left, left + 4 * scale + 2)
        weights = [keys((u - tap) / scale) for tap in taps]
        for tap, weight in zip(taps, weights, strict=True):
            source = image[mirrored(tap - 1, length)]
            output[x - 1] += weight / sum(weights) * source
    return output


def reference(image, sigma, scale=4):
    """Gaussian, then bicubic: two filters, in float64."""
    height, width = (side // scale * scale for side in image.shape)
    image = image[:height, :width].astype(np.float64)
    if sigma:
        image = scipy.ndimage.gaussian_filter(image, sigma, mode="reflect")
    return imresize_axis(imresize_axis(image, scale).T, scale).T


@pytest.fixture
def scene():
    return np.random.default_rng(0).random((50, 70), dtype=np.float32)


@pytest.mark.parametrize("sigma", [0.0, 0.8, 1.6, 2.4])
def test_matches_matlab_form(scene, sigma):
    output = degrade.degrade(scene, sigma)
    assert output.dtype == np.float32
    assert output.shape == (12, 17)
    np.testing.assert_allclose(output, reference(scene, sigma), atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_other_scales_match(scene, scale):
    output = degrade.degrade(scene, 1.0, scale=scale)
    expected = reference(scene, 1.0, scale)
    np.testing.assert_allclose(output, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (4, 30), (9, 5)])
def test_scene_smaller_than_the_kernel(shape):
    image = np.random.default_rng(1).random(shape, dtype=np.float32)
    output = degrade.degrade(image, 2.4)
    np.testing.assert_allclose(output, reference(image, 2.4), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.37, 1020.0, -32000.0])
def test_constant_stays_constant(value):
    image = np.full((24, 32), value, np.float32)
    output = degrade.degrade(image, 1.6)
    np.testing.assert_allclose(output, value, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 1.6, 2.4])
@pytest.mark.parametrize("centre", [(63.5, 63.5), (61.3, 70.9)])
def test_registered_to_a_hundredth_of_a_pixel(sigma, centre):
    """The centroid of a spot, in LR px, is where the HR one is."""
    rows, cols = np.mgrid[:128, :128]
    squared = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2
    output = degrade.degrade(np.exp(-squared / (2 * 8.0**2)), sigma)
    for axis, position in enumerate(centre):
        profile = output.sum(axis=1 - axis, dtype=np.float64)
        found = profile @ np.arange(32) / profile.sum()
        # The centre of LR pixel i is at 4 i + 1.5 in HR px.
        assert abs(found - (position - 1.5) / 4) < 0.01


def test_wave_keeps_its_phase():
    """The phase of a slow sine, whose aliases are far away, is kept."""
    frequency, phase = 2 * np.pi / 64, 0.7
    wave = np.sin(frequency * np.arange(640) + phase)
    output = degrade.degrade(np.tile(wave, (64, 1)), 1.6)[8]
    position = 4 * np.arange(output.size) + 1.5
    inner = slice(16, 144)  # Whole periods, away from the mirrored ends.
    spectrum = output[inner] @ np.exp(-1j * frequency * position[inner])
    found = np.angle(spectrum) + np.pi / 2
    assert abs(found - phase) / frequency / 4 < 0.01  # In LR px.


@pytest.mark.parametrize("sigma", [0.0, 1.6, 2.4])
def test_strips_equal_the_whole(scene, sigma):
    scene = np.tile(scene, (3, 1))[:148]
    whole = degrade.degrade(scene, sigma)
    support = degrade.support_px(sigma)
    assert support % 4 == 0
    for first in range(0, 148, 16):
        top = max(0, first - support)
        bottom = min(148, first + 16 + support)
        strip = degrade.degrade(scene[top:bottom], sigma)
        skip = (first - top) // 4
        expected = whole[first // 4 : first // 4 + 4]
        found = strip[skip : skip + len(expected)]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sigma", [0.0, 0.8, 1.6])
def test_nothing_is_used_beyond_the_reach(sigma):
    image = np.zeros((128, 128), np.float32)
    image[64:68, 64:68] = 1
    rows = np.flatnonzero(degrade.degrade(image, sigma).any(axis=1))
    reach = degrade.reach_px(sigma)
    # LR row i looks from 4 i - reach to 4 i + 3 + reach.
    assert 4 * rows[0] + 3 + reach >= 64
    assert 4 * (rows[0] - 1) + 3 + reach < 64
    assert 4 * rows[-1] - reach <= 67
    assert 4 * (rows[-1] + 1) - reach > 67


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((8, 8, 1)), 1.6), "`image`"),
        ((np.zeros((3, 80)), 1.6), r"`image`.*\(3, 80\)"),
        ((np.zeros((8, 8)), -1.0), "`blur_sigma`.*-1.0"),
    ],
)
def test_error_names_argument_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        degrade.degrade(*arguments)


def test_scale_below_one_is_refused():
    with pytest.raises(ValueError, match="`scale` must .* scale=0"):
        degrade.kernel(0.0, scale=0)
