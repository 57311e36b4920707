import numpy as np
import pytest

from marsgan_tf.imaging.fill import fill

NODATA = [np.nan, np.inf, -np.inf, -3.4e38, 0.0]


def distances(valid):
    """From every pixel to every valid one: `(height, width, count)`."""
    points = np.argwhere(valid)
    rows, cols = np.indices(valid.shape)[..., None]
    return np.hypot(rows - points[:, 0], cols - points[:, 1])


def scene_of(shape, share, bands=()):
    """Distinct values, so that a value tells where it came from."""
    random = np.random.default_rng(shape[0])
    size = int(np.prod(shape + bands))
    image = random.permutation(size).reshape(shape + bands)
    return image.astype(np.float32) + 1, random.random(shape) < share


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("bands", [(), (3,)])
def test_each_hole_takes_a_nearest_valid_pixel(share, bands):
    image, valid = scene_of((20, 30), share, bands)
    valid[7, 9] = True
    image[~valid] = np.nan
    filled = fill(image, valid)
    far = distances(valid)
    for row, col in np.argwhere(~valid):
        near = np.isclose(far[row, col], far[row, col].min())
        candidates = image[valid][near]
        assert any((filled[row, col] == c).all() for c in candidates)


@pytest.mark.parametrize("nodata", NODATA)
@pytest.mark.parametrize("bands", [(), (2,)])
def test_what_lies_under_holes_does_not_leak(nodata, bands):
    image, valid = scene_of((16, 12), 0.5, bands)
    expected = fill(image, valid)
    image[~valid] = nodata
    np.testing.assert_array_equal(fill(image, valid), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16"])
def test_valid_pixels_stay_the_same_to_the_bit(dtype):
    random = np.random.default_rng(3)
    bits = random.integers(0, 256, (9, 11, np.dtype(dtype).itemsize), np.uint8)
    image = bits.view(dtype)[..., 0]
    valid = random.random((9, 11)) < 0.6
    before = image.tobytes()
    filled = fill(image, valid)
    assert filled.dtype == dtype
    assert filled[valid].tobytes() == image[valid].tobytes()
    assert image.tobytes() == before


def test_windows_equal_the_whole_as_far_as_they_see():
    image, valid = scene_of((50, 60), 0.02)
    whole = fill(image, valid)
    margin, inner = 8, np.s_[18:34, 21:40]
    part = np.s_[18 - margin : 34 + margin, 21 - margin : 40 + margin]
    found = fill(image[part], valid[part])[margin:-margin, margin:-margin]
    seen = (distances(valid).min(axis=-1) <= margin)[inner]
    assert seen.mean() > 0.5
    np.testing.assert_array_equal(found[seen], whole[inner][seen])


def test_all_valid_is_no_work():
    image = np.full((4, 5, 3), np.nan)
    assert fill(image, np.ones((4, 5), bool)) is image


def test_nothing_valid_is_refused():
    with pytest.raises(ValueError, match="`valid` must hold at least one"):
        fill(np.zeros((4, 5)), np.zeros((4, 5), bool))


@pytest.mark.parametrize("shape", [(5, 4), (4, 5, 1)])
def test_shapes_must_match(shape):
    with pytest.raises(ValueError, match=r"`valid`.*image.shape=\(4, 5\)"):
        fill(np.zeros((4, 5)), np.ones(shape, bool))
