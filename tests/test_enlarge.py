import math

import numpy as np
import pytest
from PIL import Image

from marsgan_tf.imaging.enlarge import REACH_PX, enlarge, repeat


@pytest.fixture
def scene():
    return np.random.default_rng(0).random((13, 17), dtype=np.float32)


def keys(x):
    """MATLAB's `cubic`."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def mirrored(index, length):
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index


def imresize_matrix(length, scale):
    """MATLAB's `imresize(image, scale)` along one side, weight by weight.

    After its `contributions`: one-based output x lies at input
    `u = x / scale + (1 - 1 / scale) / 2`.
    """
    matrix = np.zeros((length * scale, length))
    for x in range(1, length * scale + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - 2)
        for tap in range(left, left + 6):
            matrix[x - 1, mirrored(tap - 1, length)] += keys(u - tap)
    return matrix


def reference(image, scale):
    down = imresize_matrix(image.shape[0], scale)
    across = imresize_matrix(image.shape[1], scale)
    return np.einsum("ir,rc...,jc->ij...", down, image, across)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_matches_matlab_form(scene, scale):
    output = enlarge(scene, scale)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, reference(scene, scale), atol=1e-6)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 6), (2, 3), (5, 4, 3), (3, 3, 1)]
)
def test_small_images_and_bands(shape):
    image = np.random.default_rng(1).random(shape)
    output = enlarge(image)
    assert output.dtype == np.float64
    np.testing.assert_allclose(output, reference(image, 4), atol=1e-13)


def test_matches_pillow_away_from_the_borders(scene):
    """Pillow's bicubic is Keys' with a = -0.5, but cuts it at the borders."""
    large = Image.fromarray(scene).resize((68, 52), Image.Resampling.BICUBIC)
    inner = (slice(8, -8), slice(8, -8))
    expected = np.asarray(large)[inner]
    np.testing.assert_allclose(enlarge(scene)[inner], expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.37, 1020.0, -32000.0])
def test_constant_stays_constant(value):
    output = enlarge(np.full((6, 5), value, np.float32))
    np.testing.assert_allclose(output, value, rtol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_ramp_goes_on_in_place(scale):
    """Registration: the ramp's value at every output pixel's own centre."""
    rows, cols = np.mgrid[:9, :11].astype(np.float64)
    output = enlarge(2 * rows - 3 * cols, scale)
    rows, cols = np.mgrid[: 9 * scale, : 11 * scale] - (scale - 1) / 2
    inner = (slice(2 * scale, -2 * scale),) * 2
    expected = (2 * rows - 3 * cols) / scale
    np.testing.assert_allclose(output[inner], expected[inner], atol=1e-12)


@pytest.mark.parametrize("bands", [(), (3,)])
def test_windows_equal_the_whole(bands):
    image = np.random.default_rng(2).random((40, 50, *bands), np.float32)
    whole = enlarge(image)
    margin = 4 * REACH_PX
    for row, col, size in [(2, 2, 7), (13, 20, 16), (20, 35, 13)]:
        part = image[row - 2 : row + size + 2, col - 2 : col + size + 2]
        found = enlarge(part)[margin:-margin, margin:-margin]
        expected = whole[4 * row :, 4 * col :][: 4 * size, : 4 * size]
        np.testing.assert_array_equal(found, expected)


def test_nothing_is_used_beyond_the_reach():
    image = np.zeros((11, 11), np.float32)
    image[5, 5] = 1
    rows = np.flatnonzero(enlarge(image).any(axis=1))
    assert rows[0] // 4 == 5 - REACH_PX
    assert rows[-1] // 4 == 5 + REACH_PX


@pytest.mark.parametrize(
    "dtype, expected",
    [("uint8", "float32"), ("float16", "float32"), ("float64", "float64")],
)
def test_dtypes(dtype, expected):
    image = np.arange(12, dtype=dtype).reshape(3, 4)
    output = enlarge(image)
    assert output.dtype == expected
    np.testing.assert_allclose(output, reference(image, 4), atol=1e-5)


def test_input_is_left_alone(scene):
    before = scene.copy()
    enlarge(scene)
    np.testing.assert_array_equal(scene, before)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 3, 4, 1)])
def test_error_names_the_shape(shape):
    with pytest.raises(ValueError, match="`image` must be .*image.shape="):
        enlarge(np.zeros(shape))


def test_scale_below_one_is_refused(scene):
    with pytest.raises(ValueError, match="`scale` must .* scale=0"):
        enlarge(scene, 0)


@pytest.mark.parametrize("bands", [(), (2,)])
def test_repeat_makes_blocks(bands):
    image = np.random.default_rng(3).integers(0, 9, (3, 5, *bands))
    block = np.ones((4, 4, *(1 for _ in bands)), int)
    np.testing.assert_array_equal(repeat(image), np.kron(image, block))
    assert repeat(image > 4, 3).dtype == bool
