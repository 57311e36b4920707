import numpy as np
import pytest
import scipy.ndimage

from marsgan_tf.imaging import (
    raster,
    terrain,
    terrain_craters,
    terrain_fields,
    terrain_light,
    terrain_surface,
)


def rng(seed=0):
    return np.random.default_rng(seed)


# Fields.


@pytest.mark.parametrize("hurst", [0.4, 0.8])
@pytest.mark.parametrize("spacing_m", [0.5, 4.0])
def test_fractal_roughness_grows_as_asked(hurst, spacing_m):
    field = terrain_fields.fractal(
        (512, 512),
        spacing_m=spacing_m,
        hurst=hurst,
        outer_m=512 * spacing_m,
        rng=rng(),
    )
    lags = np.array([2, 4, 8, 16])
    change = [
        np.sqrt(np.mean((field[lag:] - field[:-lag]) ** 2)) for lag in lags
    ]
    slope, at_1_m = np.polyfit(np.log(lags * spacing_m), np.log(change), 1)
    assert slope == pytest.approx(hurst, abs=0.08)
    assert np.exp(at_1_m) == pytest.approx(1.0, rel=0.25)


@pytest.mark.parametrize("direction_deg", [0.0, 90.0])
def test_fractal_is_drawn_out_along_its_direction(direction_deg):
    field = terrain_fields.fractal(
        (256, 256),
        spacing_m=1.0,
        hurst=0.5,
        outer_m=64.0,
        rng=rng(),
        stretch=4.0,
        direction_deg=direction_deg,
    )
    down, right = (np.std(np.diff(field, axis=axis)) for axis in (0, 1))
    ratio = right / down if direction_deg == 0.0 else down / right
    assert ratio > 1.5


@pytest.mark.parametrize("direction_deg", [0.0, 30.0, 120.0, 250.0])
def test_ripples_have_their_wavelength_and_direction(direction_deg):
    phase = terrain_fields.ripple_phase(
        (256, 256), wavelength=16.0, direction_deg=direction_deg, rng=rng()
    )
    power = abs(np.fft.fft2(np.exp(1j * phase))) ** 2
    frequencies = np.fft.fftfreq(256)
    down = (power * frequencies[:, np.newaxis]).sum() / power.sum()
    right = (power * frequencies).sum() / power.sum()
    assert 1.0 / np.hypot(down, right) == pytest.approx(16.0, rel=0.15)
    found = np.degrees(np.arctan2(right, -down)) % 360.0
    assert abs(found - direction_deg) < 6.0 or abs(found - 360.0) < 6.0


def test_enlarging_keeps_constants_and_ramps():
    ramp = np.tile(np.arange(12, dtype=np.float32), (10, 1))
    large = terrain_fields.enlarge(ramp, (50, 60))
    assert large.shape == (50, 60)
    expected = (np.arange(60) + 0.5) / 5.0 - 0.5
    np.testing.assert_allclose(
        large[:, 10:50], np.tile(expected, (50, 1))[:, 10:50], atol=1e-5
    )


@pytest.mark.parametrize("sigma", [2.0, 10.0, 25.0])
def test_blur_is_close_to_the_gaussian(sigma):
    field = terrain_fields.fractal(
        (203, 190), spacing_m=1.0, hurst=0.7, outer_m=50.0, rng=rng()
    )
    expected = scipy.ndimage.gaussian_filter(field, sigma, mode="nearest")
    error = terrain_fields.blur(field, sigma) - expected
    inner = error[40:-40, 40:-40]
    assert inner.std() < 0.1 * expected.std()


def test_shrinking_takes_means():
    field = np.arange(15, dtype=np.float32).reshape(3, 5)
    expected = [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]
    np.testing.assert_array_equal(terrain_fields.shrink(field, 2), expected)


def test_step_rises_and_falls():
    values = np.array([0.0, 1.0, 1.5, 2.0, 3.0], np.float32)
    rising = terrain_fields.step(values, 1.0, 2.0)
    np.testing.assert_allclose(rising, [0.0, 0.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(
        terrain_fields.step(values, 2.0, 1.0), 1 - rising
    )


# Light.


def plane(east, north, *, gsd_m=2.0, side=24):
    y, x = np.mgrid[:side, :side] * gsd_m
    return (x * east - y * north).astype(np.float32)


@pytest.mark.parametrize("incidence_deg", [20.0, 55.0])
@pytest.mark.parametrize("azimuth_deg", [0.0, 75.0, 290.0])
def test_tilted_plane_has_its_closed_form(azimuth_deg, incidence_deg):
    east, north = 0.2, -0.1
    found = terrain_light.shade(
        plane(east, north),
        0.25,
        gsd_m=2.0,
        sun_azimuth_deg=azimuth_deg,
        sun_incidence_deg=incidence_deg,
        is_airless=True,
    )
    normal = np.array([-east, -north, 1.0]) / np.sqrt(1 + east**2 + north**2)
    azimuth, incidence = np.radians([azimuth_deg, incidence_deg])
    sun = np.array(
        [
            np.sin(incidence) * np.sin(azimuth),
            np.sin(incidence) * np.cos(azimuth),
            np.cos(incidence),
        ]
    )
    lunar = np.polyval([-1.46e-6, 2.42e-4, -0.019, 1.0], incidence_deg)
    cosine, emission = normal @ sun, normal[2]
    expected = 0.25 * (
        2.0 * lunar * cosine / (cosine + emission) + (1.0 - lunar) * cosine
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_level_ground_under_a_vertical_sun_shows_its_albedo():
    albedo = rng().random((9, 11), dtype=np.float32)
    found = terrain_light.shade(
        np.zeros((9, 11), np.float32),
        albedo,
        gsd_m=1.0,
        sun_azimuth_deg=123.0,
        sun_incidence_deg=0.0,
        is_airless=True,
    )
    np.testing.assert_allclose(found, albedo, rtol=1e-6)


@pytest.mark.parametrize("azimuth_deg", [0.0, 20.0, 45.0, 100.0, 200.0, 290.0])
def test_light_turns_and_flips_with_the_ground(azimuth_deg):
    heights = 3.0 * terrain_fields.fractal(
        (60, 60), spacing_m=1.0, hurst=0.8, outer_m=30.0, rng=rng()
    )

    def light(ground, azimuth):
        return terrain_light.shade(
            ground,
            0.2,
            gsd_m=1.0,
            sun_azimuth_deg=azimuth,
            sun_incidence_deg=60.0,
        )

    found = light(heights, azimuth_deg)
    turned = light(np.rot90(heights), azimuth_deg - 90.0)
    np.testing.assert_allclose(turned, np.rot90(found), atol=1e-5)
    flipped = light(heights[:, ::-1], -azimuth_deg)
    np.testing.assert_allclose(flipped, found[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("incidence_deg", [45.0, 70.0])
def test_wall_casts_a_shadow_of_the_right_length(azimuth_deg, incidence_deg):
    heights = np.zeros((81, 81), np.float32)
    heights[40] = 5.0  # Across the way to a sun in the north or south.
    if azimuth_deg in (90.0, 270.0):
        heights = heights.T
    lit = terrain_light.sunlit(
        heights,
        gsd_m=0.5,
        sun_azimuth_deg=azimuth_deg,
        sun_incidence_deg=incidence_deg,
    )
    length_px = (1.0 - lit).sum(axis=0 if azimuth_deg in (0.0, 180.0) else 1)
    expected = 5.0 * np.tan(np.radians(incidence_deg)) / 0.5
    np.testing.assert_allclose(length_px, expected, atol=1.0)
    line = lit[:, 40] if azimuth_deg in (0.0, 180.0) else lit[40]
    is_behind_later = azimuth_deg in (0.0, 270.0)
    assert (line[41] < 0.5) == is_behind_later
    assert (line[39] < 0.5) != is_behind_later


def test_oblique_shadow_points_away_from_the_sun():
    heights = np.zeros((80, 80), np.float32)
    heights[40, 40] = 10.0
    lit = terrain_light.sunlit(
        heights, gsd_m=1.0, sun_azimuth_deg=300.0, sun_incidence_deg=60.0
    )
    rows, columns = np.nonzero(lit < 0.9)
    angle = np.degrees(np.arctan2((columns - 40).mean(), -(rows - 40).mean()))
    assert angle % 360.0 == pytest.approx(120.0, abs=3.0)


@pytest.mark.parametrize("incidence_deg", [-1.0, 90.0])
def test_sun_must_be_above_the_horizon(incidence_deg):
    with pytest.raises(ValueError, match="`sun_incidence_deg` must be in"):
        terrain.shade(
            np.zeros((4, 4), np.float32),
            0.2,
            gsd_m=1.0,
            sun_azimuth_deg=0.0,
            sun_incidence_deg=incidence_deg,
        )


# Craters, layers, boulders.


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_crater_sizes_follow_the_power_law(exponent):
    craters = terrain_craters.populate(
        (20_000, 20_000),
        spacing_m=1.0,
        coverage=0.1,
        diameters_m=(30.0, 30_000.0),
        exponent=exponent,
        rng=rng(),
    )
    sizes = craters.diameters_m
    # Hill's estimator: the largest hardly matter.
    found = len(sizes) / np.log(sizes / 30.0).sum()
    assert len(sizes) > 5000
    assert found == pytest.approx(exponent, rel=0.05)


def test_craters_cover_what_was_asked():
    craters = terrain_craters.populate(
        (3000, 2000),
        spacing_m=2.0,
        coverage=0.2,
        diameters_m=(20.0, 200.0),
        exponent=2.5,
        rng=rng(),
    )
    area = np.pi / 4.0 * (craters.diameters_m**2).sum()
    assert area / (1.2**2 * 6000 * 4000) == pytest.approx(0.2, rel=0.1)
    assert (np.diff(craters.freshness) >= 0.0).all()


@pytest.mark.parametrize("freshness, depth", [(1.0, 0.2), (0.0, 0.015)])
def test_crater_profile(freshness, depth):
    distance = np.linspace(0.0, 4.0, 801)
    heights = terrain_craters.profile(distance, freshness)
    rim = heights.max()
    assert rim - heights.min() == pytest.approx(depth, rel=0.15)
    assert distance[heights.argmax()] == pytest.approx(1.0, abs=0.25)
    # Ejecta: an eighth at twice the distance.
    ratio = heights[800] / heights[400]
    assert ratio == pytest.approx(1 / 8, rel=0.05)


@pytest.mark.parametrize("diameter", [11.0, 13.0, 80.0])
def test_dug_crater_has_its_depth(diameter):
    heights = np.zeros((300, 300), np.float32)
    albedo = np.ones_like(heights)
    crater = terrain_craters.Craters(
        *np.array([[150.2], [140.7], [diameter * 2.0], [1.0]])
    )
    terrain_craters.excavate(heights, albedo, crater, spacing_m=2.0, rng=rng())
    row, column = np.unravel_index(heights.argmin(), heights.shape)
    assert abs(row - 150) <= 2 and abs(column - 141) <= 2
    assert np.ptp(heights) == pytest.approx(0.2 * 2.0 * diameter, rel=0.12)
    assert heights[0, 0] == 0.0


def test_layers_make_ledges_but_no_overhangs():
    strata = terrain_surface.Strata(thickness_m=2.0, count=10, rng=rng())
    level = np.linspace(-30.0, 60.0, 20_000, dtype=np.float32)[np.newaxis]
    ledge, tone = strata.erode(level)
    slope = np.diff((level + ledge)[0]) / np.diff(level[0])
    assert slope.min() > -0.1
    assert np.median(slope) < 0.6 and np.percentile(slope, 95) > 1.8
    assert 0.5 < tone.std() < 2.0


def test_boulders_lie_where_they_may():
    likelihood = np.zeros((400, 400), np.float32)
    likelihood[:, 200:] = 1.0
    heights = terrain_surface.boulders(
        likelihood,
        spacing_m=0.5,
        share=0.05,
        diameters_m=(2.0, 8.0),
        rng=rng(),
    )
    assert not heights[:, :190].any()
    assert (heights[:, 200:] > 0).mean() == pytest.approx(0.05, rel=0.4)
    assert 0.3 < heights.max() / 8.0 < 0.65


# Images.


def spectrum(image):
    """Radially averaged power of a square image, against its mean."""
    side = len(image)
    window = np.hanning(side)[:, np.newaxis] * np.hanning(side)
    flat = (image / image.mean() - 1.0) * window
    power = abs(np.fft.fft2(flat)) ** 2
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, np.newaxis], frequency)
    edges = np.geomspace(0.02, 0.45, 12)
    where = np.digitize(radius.ravel(), edges)
    means = [power.ravel()[where == i].mean() for i in range(1, len(edges))]
    return np.sqrt(edges[1:] * edges[:-1]), np.array(means)


def test_spectrum_falls_as_that_of_real_images():
    # HiRISE browse images, 51 pieces of 256 px: -2.17, most of them between
    # -2.63 and -1.74; the last two octaves 14.7 dB, 18.1 to 10.2.
    slopes, drops = [], []
    for seed in range(6):
        frequency, power = spectrum(terrain.image(256, gsd_m=1.0, seed=seed))
        slopes.append(np.polyfit(np.log(frequency), np.log(power), 1)[0])
        low, high = np.interp([0.1, 0.4], frequency, 10 * np.log10(power))
        drops.append(high - low)
    assert -2.45 < np.mean(slopes) < -1.9
    assert min(slopes) > -2.9 and max(slopes) < -1.6
    assert -18.0 < np.mean(drops) < -11.0


def test_a_seed_is_a_place():
    first = terrain.image(96, gsd_m=1.0, seed=5)
    np.testing.assert_array_equal(first, terrain.image(96, gsd_m=1.0, seed=5))
    other = terrain.image(96, gsd_m=1.0, seed=6)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.3


def test_the_sun_changes_the_light_and_not_the_ground():
    place = terrain.ground(96, gsd_m=1.0, seed=5)
    suns = [(270.0, 55.0), (90.0, 55.0)]
    west, east = (
        terrain.render(
            place, sun_azimuth_deg=azimuth, sun_incidence_deg=incidence
        )
        for azimuth, incidence in suns
    )
    np.testing.assert_array_equal(
        west,
        terrain.image(
            96,
            gsd_m=1.0,
            seed=5,
            sun_azimuth_deg=270.0,
            sun_incidence_deg=55.0,
        ),
    )
    # Slopes that face the one sun turn away from the other.
    slope = np.diff(terrain.heights(96, gsd_m=1.0, seed=5), axis=1)
    difference = (west - east)[:, 1:]
    assert np.corrcoef(slope.ravel(), difference.ravel())[0, 1] > 0.6


def test_heights_are_means_of_the_ground():
    place = terrain.ground((20, 30), gsd_m=3.0, seed=1)
    assert place.heights_m.shape == place.albedo.shape == (40, 60)
    assert place.spacing_m == 1.5
    for field in (place.heights_m, place.albedo):
        assert field.dtype == np.float32 and field.flags.c_contiguous
    expected = place.heights_m.reshape(20, 2, 30, 2).mean(axis=(1, 3))
    found = terrain.heights((20, 30), gsd_m=3.0, seed=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 9, (3, 200), (200, 3), (47, 64)])
@pytest.mark.parametrize("gsd_m", [0.25, 6.0])
def test_any_shape_and_scale(size, gsd_m):
    image = terrain.image(size, gsd_m=gsd_m, seed=3)
    assert image.shape == (size if isinstance(size, tuple) else (size, size))
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() > 0.0 and image.max() < 0.8


@pytest.mark.parametrize("size, gsd_m", [(0, 1.0), ((4, 0), 1.0), (4, 0.0)])
def test_empty_ground_is_refused(size, gsd_m):
    with pytest.raises(ValueError, match="`size` must be.*Received: size="):
        terrain.image(size, gsd_m=gsd_m, seed=0)


# Scenes.


def read_scene(path):
    with raster.open_raster(str(path)) as reader:
        return reader, reader.read()[..., 0], reader.read_valid()


@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
def test_scene_holds_the_image_in_its_scale(tmp_path, dtype):
    path = tmp_path / "scene.tif"
    terrain.write_scene(str(path), (90, 70), gsd_m=0.5, seed=4, dtype=dtype)
    reader, dn, valid = read_scene(path)
    scaling = float(reader.tags["SCALING_FACTOR"])
    offset = float(reader.tags["OFFSET"])
    expected = terrain.image((90, 70), gsd_m=0.5, seed=4)
    np.testing.assert_allclose(
        dn * scaling + offset, expected, atol=0.501 * scaling
    )
    assert reader.dtype == np.dtype(dtype) and valid.all()
    limits = (3, 1021) if dtype == "uint16" else (1, 255)
    assert (dn.min(), dn.max()) == limits
    assert "procedural" in reader.tags["SOURCE"]


def test_float_scene_is_the_image(tmp_path):
    path = tmp_path / "scene.tif"
    terrain.write_scene(
        str(path), 64, gsd_m=0.5, seed=4, dtype="float32", nodata_margin_px=9
    )
    _, pixels, valid = read_scene(path)
    expected = terrain.image(64, gsd_m=0.5, seed=4)
    np.testing.assert_array_equal(pixels[valid], expected[valid])
    assert 0.6 < valid.mean() < 0.9


def test_scene_lies_on_mars(tmp_path):
    path = tmp_path / "scene.tif"
    terrain.write_scene(str(path), (90, 70), gsd_m=0.5, seed=4)
    reader, _, _ = read_scene(path)
    assert reader.is_georeferenced and reader.band_names == ("RED",)
    assert "3396190" in reader.crs_wkt
    assert (reader.transform.a, reader.transform.e) == (0.5, -0.5)
    with raster.open_raster(str(path)) as reader:
        west, south, east, north = reader.footprint()
    degree_m = np.radians(3396190.0)
    assert -60 <= south < north <= 60 and -180 <= west < 180
    assert (north - south) * degree_m == pytest.approx(45.0, rel=1e-6)
    # True to scale at the standard parallel, within 5 degrees of the place.
    width_m = (east - west) * degree_m * np.cos(np.radians(north))
    assert width_m == pytest.approx(35.0, rel=0.16)


@pytest.mark.parametrize("size", [(120, 60), (60, 120), (80, 80)])
def test_margin_slants_and_touches_all_sides(tmp_path, size):
    path = tmp_path / "scene.tif"
    terrain.write_scene(str(path), size, gsd_m=1.0, seed=4, nodata_margin_px=15)
    reader, dn, valid = read_scene(path)
    assert reader.nodata == 0
    np.testing.assert_array_equal(valid, dn != 0)
    assert dn[valid].min() == 3
    corners = valid[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()
    for side in (valid[0], valid[-1], valid[:, 0], valid[:, -1]):
        assert 0 < side.sum() < 0.3 * len(side)
    np.testing.assert_array_equal(valid, valid[::-1, ::-1])


def test_another_sun_keeps_place_and_margin(tmp_path):
    readers = []
    for azimuth in (290.0, 60.0):
        path = tmp_path / f"{azimuth}.tif"
        terrain.write_scene(
            str(path),
            64,
            gsd_m=1.0,
            seed=9,
            sun_azimuth_deg=azimuth,
            nodata_margin_px=8,
        )
        readers.append(read_scene(path))
    (one, dn, valid), (other, other_dn, other_valid) = readers
    assert one.transform == other.transform and one.crs_wkt == other.crs_wkt
    np.testing.assert_array_equal(valid, other_valid)
    assert (dn != other_dn).mean() > 0.5
    assert other.tags["SUN_AZIMUTH"] == "60.0"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"dtype": "int64"}, "`dtype` must be"),
        ({"nodata_margin_px": 16}, "`nodata_margin_px` must be"),
        ({"nodata_margin_px": -1}, "`nodata_margin_px` must be"),
    ],
)
def test_scene_arguments(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        terrain.write_scene(
            str(tmp_path / "a.tif"), 32, gsd_m=1.0, seed=0, **options
        )
