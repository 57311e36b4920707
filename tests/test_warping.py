import affine
import numpy as np
import pytest
import scipy.ndimage
from rasters import MARS_TRANSFORM, MARS_WKT

from marsgan_tf import errors
from marsgan_tf.imaging import degrade, keys, warping
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.pixel_source import ArraySource, WithNodata
from marsgan_tf.imaging.tiling import Window
from marsgan_tf.imaging.warping import View

A = affine.Affine
FLAT = Georeference()
MARS = Georeference(MARS_WKT, MARS_TRANSFORM)
MARS_RADIUS_M = 3396190.0
# Plate carrée in degrees on the same sphere.
MARS_DEGREES = (
    'GEOGCS["Mars ocentric",DATUM["Mars sphere",SPHEROID["Mars sphere",'
    '3396190,0]],PRIMEM["Reference meridian",0],'
    'UNIT["degree",0.0174532925199433]]'
)
MOON = MARS_DEGREES.replace("Mars", "Moon").replace("3396190", "1737400")


def source(pixels, valid=None):
    pixels = np.atleast_3d(pixels)
    if valid is None:
        valid = np.ones(pixels.shape[:2], bool)
    return ArraySource(pixels, valid)


def noise(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def waves(x, y):
    """A smooth image, whose value is known between the pixels too."""
    return np.sin(x / 7.0) + np.cos(y / 9.0) + 0.02 * x


def wave_image(height, width):
    rows, columns = np.mgrid[:height, :width] + 0.5
    return waves(columns, rows)


def centres(window):
    rows, columns = np.mgrid[: window.height, : window.width] + 0.5
    return columns + window.col, rows + window.row


def view_flat(pixels, grid, **options):
    return View(source(pixels), FLAT, Georeference(None, grid), **options)


def test_its_own_grid_shows_the_image_itself():
    image = noise(30, 40, 3)
    view = view_flat(image, A.identity(), bands=(3, 1))
    pixels, valid = view.read(Window(0, 0, 30, 40))
    np.testing.assert_array_equal(pixels, image[..., [2, 0]])
    assert pixels.dtype == np.float32
    assert valid.all()


def test_turned_and_shifted_grid_sees_the_right_places():
    grid = A.translation(20.3, 30.7) @ A.rotation(1.3) @ A.scale(0.9)
    window = Window(5, -3, 60, 80)
    pixels, valid = view_flat(wave_image(120, 160), grid).read(window)
    expected = waves(*(grid @ centres(window)))
    assert valid.all()
    # Keys' cubic is of third order: waves of 44 px are off by little.
    np.testing.assert_allclose(pixels[..., 0], expected, atol=1e-4)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_between_pixels_weights_are_keys(phase):
    image = noise(1, 9)
    pixels, _ = view_flat(image.repeat(9, 0), A.translation(phase, 0.0)).read(
        Window(4, 4, 1, 1)
    )
    taps = np.arange(2, 8)
    weights = keys.keys_weights(taps - (4 + phase))
    np.testing.assert_allclose(pixels[0, 0, 0], weights @ image[0, 2:8], 1e-5)


def test_coarser_grid_is_matlabs_reduction():
    image = noise(80, 120)
    pixels, valid = view_flat(image, A.scale(4.0)).read(Window(0, 0, 20, 30))
    inner = np.s_[3:-3, 3:-3]  # Borders are mirrored there, and not here.
    expected = degrade.degrade(image, 0.0)[inner]
    np.testing.assert_allclose(pixels[..., 0][inner], expected, atol=1e-6)
    assert valid.all()


def test_windows_and_pieces_join_without_seams(monkeypatch):
    view = view_flat(noise(90, 70), A.rotation(2.0) @ A.scale(1.7))
    whole, valid = view.read(Window(-4, -4, 60, 50))
    parts = [
        np.hstack(
            [view.read(Window(r, c, 20, 25))[0] for c in range(-4, 46, 25)]
        )
        for r in range(-4, 56, 20)
    ]
    np.testing.assert_allclose(np.vstack(parts), whole, atol=1e-6)
    monkeypatch.setattr(warping, "_PIECE_PX", 300)
    pieces, valid_pieces = view.read(Window(-4, -4, 60, 50))
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    np.testing.assert_array_equal(valid_pieces, valid)


@pytest.mark.parametrize(
    "grid", [A.translation(0.3, -0.4), A.scale(4.0), A.scale(0.25)]
)
def test_data_is_where_the_pixel_under_the_centre_has_some(grid):
    valid = noise(64, 96) > 0.1
    valid[20:40, 30:50] = False
    image = np.where(valid, 5.0, np.inf).astype(np.float32)
    view = View(source(image, valid), FLAT, Georeference(None, grid))
    window = Window(2, 3, 12, 14)
    pixels, found = view.read(window)
    x, y = np.floor(grid @ centres(window)).astype(int)
    np.testing.assert_array_equal(found, valid[y, x])
    # And neither infinity nor NaN has a part in what has data.
    np.testing.assert_allclose(pixels[found], 5.0, rtol=1e-6)
    assert np.isnan(pixels[~found]).all()


def test_beyond_the_image_there_is_nothing():
    view = view_flat(noise(20, 30, 2), A.identity(), bands=(1, 2))
    pixels, valid = view.read(Window(-10, 25, 40, 10))
    expected = np.zeros((40, 10), bool)
    expected[10:30, :5] = True
    np.testing.assert_array_equal(valid, expected)
    pixels, valid = view.read(Window(100, 100, 3, 4))
    assert pixels.shape == (3, 4, 2)
    assert np.isnan(pixels).all() and not valid.any()


@pytest.mark.parametrize(
    "dtype, expected",
    [
        ("uint8", "float32"),
        ("int16", "float32"),
        ("float32", "float32"),
        ("uint32", "float64"),
        ("float64", "float64"),
    ],
)
def test_values_keep_their_precision(dtype, expected):
    image = np.full((8, 8), 100, dtype)
    image[3, 3] = 101
    pixels, _ = view_flat(image, A.identity()).read(Window(0, 0, 8, 8))
    assert pixels.dtype == expected
    np.testing.assert_array_equal(pixels[..., 0], image)
    pixels, _ = view_flat(image, A.identity()).read(Window(50, 0, 8, 8))
    assert pixels.dtype == expected


def test_other_crs_of_the_same_body():
    """Degrees over an equirectangular image: on a sphere that is a scaling."""
    degree_m = np.pi / 180.0 * MARS_RADIUS_M
    size = 6.0 / degree_m * 2.0
    grid = Georeference(
        MARS_DEGREES,
        A(size, 0, 120060.0 / degree_m, 0, -size, -48060.0 / degree_m),
    )
    view = View(source(wave_image(100, 120)), MARS, grid)
    assert view.reduction == pytest.approx((2.0, 2.0), rel=1e-6)
    columns, rows = view.positions(np.array([0.0, 3.0]), np.array([0.0, 5.0]))
    np.testing.assert_allclose(columns, [10.0, 16.0], atol=1e-5)
    np.testing.assert_allclose(rows, [10.0, 20.0], atol=1e-5)
    back = view.appearances(columns, rows)
    np.testing.assert_allclose(back, [[0.0, 3.0], [0.0, 5.0]], atol=1e-6)
    pixels, valid = view.read(Window(0, 0, 30, 40))
    assert valid.all()
    reduced = degrade.degrade(wave_image(100, 120), 0.0, scale=2)
    np.testing.assert_allclose(pixels[..., 0], reduced[5:35, 5:45], atol=1e-4)


def test_crs_whose_lines_bend():
    """Polar stereographic against its formula on the sphere."""
    polar = (
        'PROJCS["Polar",' + MARS_DEGREES + ',PROJECTION["Polar_Stereographic"],'
        'PARAMETER["latitude_of_origin",90],PARAMETER["central_meridian",0],'
        'PARAMETER["false_easting",0],PARAMETER["false_northing",0],'
        'UNIT["metre",1]]'
    )
    image = Georeference(MARS_DEGREES, A(0.1, 0, 40.0, 0, -0.1, 85.0))
    grid = Georeference(polar, A(5000.0, 0, 3e5, 0, -5000.0, -3e5))
    view = View(source(noise(100, 120)), image, grid)
    columns, rows = np.array([2.0, 40.0]), np.array([3.0, 20.0])
    x, y = 3e5 + 5000.0 * columns, -3e5 - 5000.0 * rows
    longitude = np.degrees(np.arctan2(x, -y))
    radius = np.hypot(x, y) / (2.0 * MARS_RADIUS_M)
    latitude = 90.0 - 2.0 * np.degrees(np.arctan(radius))
    found = view.positions(columns, rows)
    np.testing.assert_allclose(found[0], (longitude - 40.0) / 0.1, atol=1e-6)
    np.testing.assert_allclose(found[1], (85.0 - latitude) / 0.1, atol=1e-6)


# It shows one half of the body.
ORTHOGRAPHIC = (
    'PROJCS["Half",' + MARS_DEGREES + ',PROJECTION["Orthographic"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",0],'
    'PARAMETER["false_easting",0],PARAMETER["false_northing",0],'
    'UNIT["metre",1]]'
)


def test_image_out_of_the_projections_reach_is_refused():
    grid = Georeference(ORTHOGRAPHIC, A(5000.0, 0, 0, 0, -5000.0, 0))
    image = Georeference(MARS_DEGREES, A(0.1, 0, 170.0, 0, -0.1, 5.0))
    with pytest.raises(errors.RegistrationError, match="does not reach"):
        View(source(noise(50, 50)), image, grid)


def test_part_out_of_the_projections_reach_has_no_data():
    """On the equator, the orthographic x is R sin(longitude)."""
    grid = Georeference(ORTHOGRAPHIC, A(50000.0, 0, 3e6, 0, -50000.0, 1e5))
    image = Georeference(MARS_DEGREES, A(1.0, 0, 30.0, 0, -1.0, 30.0))
    view = View(source(np.ones((60, 59))), image, grid)
    columns = np.arange(0.5, 14.0)
    found, _ = view.positions(columns, np.full(14, 2.0))
    sine = (3e6 + 50000.0 * columns) / MARS_RADIUS_M
    with np.errstate(invalid="ignore"):
        expected = np.degrees(np.arcsin(sine)) - 30.0
    is_on_mars = sine < 1.0
    assert 0 < is_on_mars.sum() < 14
    np.testing.assert_allclose(found[is_on_mars], expected[is_on_mars])
    assert not np.isfinite(found[~is_on_mars]).any()
    _, valid = view.read(Window(0, 0, 4, 14))
    np.testing.assert_array_equal(valid[1], is_on_mars)


def test_images_without_a_way_between_them_are_refused():
    moon = Georeference(MOON, A(0.1, 0, 40.0, 0, -0.1, 85.0))
    with pytest.raises(errors.RegistrationError, match="no way from one"):
        View(source(noise(9, 9)), MARS, moon)
    with pytest.raises(errors.RegistrationError, match="only one of the"):
        View(source(noise(9, 9)), FLAT, MARS)


def test_array_is_read_as_a_file_is():
    image, valid = noise(10, 12, 3), noise(10, 12) > 0.5
    array = source(image, valid)
    np.testing.assert_array_equal(array.read(1, 2, 3, 4), image[1:4, 2:6])
    part = array.read(1, 2, 3, 4, bands=[2])
    np.testing.assert_array_equal(part, image[1:4, 2:6, 1:2])
    np.testing.assert_array_equal(array.read_valid(1, 2, 3, 4), valid[1:4, 2:6])


def test_told_value_is_no_data():
    image = np.array([[0, 1, 2], [2, 0, 1]], np.uint8)[..., np.newaxis]
    image = np.concatenate([image, image[::-1]], axis=-1)
    valid = np.ones((2, 3), bool)
    valid[0, 1] = False
    told = WithNodata(source(image, valid), 2.0)
    assert (told.height, told.width, told.dtype) == (2, 3, np.uint8)
    np.testing.assert_array_equal(told.read(0, 0, 2, 3), image)
    np.testing.assert_array_equal(
        told.read_valid(0, 0, 2, 3, bands=[1]),
        [[True, False, False], [False, True, True]],
    )
    np.testing.assert_array_equal(
        told.read_valid(0, 0, 2, 3, bands=[1, 2]),
        [[False, False, False], [False, True, False]],
    )
    missing = WithNodata(source(np.array([[np.nan, 1.0]])), float("nan"))
    assert missing.read_valid(0, 0, 1, 2).tolist() == [[False, True]]


def test_degraded_view_is_registered():
    """The centroid of a spot stays where it is on a grid of another size."""
    image = np.zeros((60, 60))
    image[22:25, 37:40] = 1.0
    image = scipy.ndimage.gaussian_filter(image, 2.0)
    for size in (0.5, 3.0, 4.0):
        count = int(60 / size)
        pixels, _ = view_flat(image, A.scale(size)).read(
            Window(0, 0, count, count)
        )
        rows, columns = np.mgrid[:count, :count] + 0.5
        weight = pixels[..., 0] / pixels.sum()
        assert (weight * columns).sum() * size == pytest.approx(38.5, abs=0.02)
        assert (weight * rows).sum() * size == pytest.approx(23.5, abs=0.02)
