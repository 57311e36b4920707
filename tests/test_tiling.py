import numpy as np
import pytest
import scipy.ndimage

from marsgan_tf.imaging.tiling import (
    Grid,
    Window,
    read_with_halo,
    without_halo,
)

SIZES = [(1, 1), (5, 3), (16, 16), (17, 40), (100, 33)]


def image_of(height, width, bands=2):
    random = np.random.default_rng(height + width)
    return random.integers(0, 1000, (height, width, bands))


def reader(image):
    """Reads windows and refuses those that leave the image."""

    def read(window):
        height, width = image.shape[:2]
        assert 0 <= window.row and window.row + window.height <= height
        assert 0 <= window.col and window.col + window.width <= width
        return image[window.slices]

    return read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [1, 7, 16, 200])
def test_tiles_cover_every_pixel_once(size, tile):
    grid = Grid(*size, tile, halo=3)
    count = np.zeros(size, int)
    for window in grid:
        count[window.slices] += 1
        assert 1 <= window.height <= tile
        assert 1 <= window.width <= tile
    assert (count == 1).all()
    assert len(grid) == len(list(grid))


@pytest.mark.parametrize("length", range(1, 60))
def test_no_tile_is_a_sliver(length):
    heights = [height for _, height in Grid(length, 1, 16, 0).rows]
    assert max(heights) - min(heights) <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("halo", [0, 1, 4, 25])
def test_halo_is_the_image_mirrored(size, halo):
    image = image_of(*size)
    padded = np.pad(image, ((halo, halo), (halo, halo), (0, 0)), "symmetric")
    grid = Grid(*size, 7, halo)
    for core in grid:
        found = read_with_halo(reader(image), core, grid)
        expected = padded[
            core.row : core.row + core.height + 2 * halo,
            core.col : core.col + core.width + 2 * halo,
        ]
        np.testing.assert_array_equal(found, expected)


def local_mean(image):
    """Mean of 5 x 5 pixels, the borders mirrored: a network of radius 2."""
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
    return windows.mean(axis=(-2, -1))


@pytest.mark.parametrize("tile", [4, 9, 64])
def test_tiled_equals_whole_once_the_halo_covers_the_radius(tile):
    image = image_of(23, 31)
    grid = Grid(23, 31, tile, halo=2)
    result = np.full(image.shape, np.nan).repeat(4, 0).repeat(4, 1)
    for core in grid:
        answer = local_mean(read_with_halo(reader(image), core, grid))
        answer = answer.repeat(4, axis=0).repeat(4, axis=1)
        result[core.scaled(4).slices] = without_halo(answer, 2, 4)
    expected = local_mean(image).repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_allclose(result, expected)


def test_scaled_window():
    assert Window(3, 5, 7, 11).scaled(4) == Window(12, 20, 28, 44)


@pytest.mark.parametrize("margin", [0, 1, 4, 50])
def test_grown_window_is_the_mask_dilated(margin):
    for core in Grid(19, 23, 7, 0):
        mask = np.zeros((19, 23), bool)
        mask[core.slices] = True
        if margin:
            square = np.ones((2 * margin + 1, 2 * margin + 1), bool)
            mask = scipy.ndimage.binary_dilation(mask, square)
        grown = core.grown(margin, 19, 23)
        found = np.zeros((19, 23), bool)
        found[grown.slices] = True
        np.testing.assert_array_equal(found, mask)
        assert grown.height * grown.width == mask.sum()


def test_window_does_not_shrink():
    with pytest.raises(ValueError, match="`margin` must be .*margin=-1"):
        Window(0, 0, 4, 4).grown(-1, 9, 9)


@pytest.mark.parametrize(
    "sizes, name",
    [
        ((0, 4, 4, 0), "height"),
        ((4, -1, 4, 0), "width"),
        ((4, 4, 0, 0), "tile"),
        ((4, 4, 4, -1), "halo"),
    ],
)
def test_wrong_sizes(sizes, name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        Grid(*sizes)
