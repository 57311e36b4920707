import math

import affine
import numpy as np
import pytest
import rasters
from sample_rasters import EXPECTED, FORMATS, M_PER_DEGREE

from marsgan_tf.imaging import footprint, raster, raster_writer


@pytest.mark.parametrize("name", FORMATS)
def test_georeference_is_what_the_file_has(tmp_path, name):
    path = FORMATS[name](tmp_path / f"ground-{name}")
    with raster.open_raster(path) as reader:
        found = reader.georeference
        assert (found.crs_wkt is not None) == EXPECTED[name][3]
        assert found.crs_wkt == reader.crs_wkt
    assert found.gcps == () and found.rpcs is None
    assert found.gcps_crs_wkt is None


# Footprints.


@pytest.mark.parametrize("name", ["tiled.tif", "tiled.jp2", "detached.lbl"])
def test_footprint_on_the_sphere(tmp_path, name):
    path = FORMATS[name](tmp_path / f"footprint-{name}")
    with raster.open_raster(path) as reader:
        found = reader.footprint()
    metres = np.array([120000, -48000 - 480, 120000 + 600, -48000])
    np.testing.assert_allclose(found, metres / M_PER_DEGREE, atol=1e-9)


def footprint_of(path, transform, crs=rasters.MARS_WKT, shape=(40, 50)):
    raster_writer.write_raster(
        str(path), np.ones(shape, np.uint8), crs_wkt=crs, transform=transform
    )
    with raster.open_raster(str(path)) as reader:
        return reader.footprint()


def test_footprint_of_a_rotated_raster(tmp_path):
    turned = affine.Affine.rotation(30) @ affine.Affine.scale(10, -10)
    found = footprint_of(tmp_path / "rotated.tif", turned)
    # Corners (0, 0), (500, 0), (500, -400), (0, -400), by hand.
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    metres = np.array([0, -400 * cosine, 500 * cosine + 400 * sine, 500 * sine])
    np.testing.assert_allclose(found, metres / M_PER_DEGREE, atol=1e-9)


def test_footprint_across_the_antimeridian(tmp_path):
    west = M_PER_DEGREE * 179.5
    transform = affine.Affine.translation(west, 0) @ affine.Affine.scale(
        M_PER_DEGREE / 50, -M_PER_DEGREE / 50
    )
    found = footprint_of(tmp_path / "antimeridian.tif", transform)
    np.testing.assert_allclose(found, (179.5, -0.8, 180.5, 0.0), atol=1e-7)


def test_footprint_around_a_pole_has_all_longitudes(tmp_path):
    polar = (
        'PROJCS["Mars south pole",GEOGCS["Mars",DATUM["Mars",'
        'SPHEROID["Mars polar",3376200,0]],PRIMEM["Reference",0],'
        'UNIT["degree",0.0174532925199433]],'
        'PROJECTION["Polar_Stereographic"],'
        'PARAMETER["latitude_of_origin",-90],PARAMETER["central_meridian",0],'
        'PARAMETER["scale_factor",1],PARAMETER["false_easting",0],'
        'PARAMETER["false_northing",0],UNIT["metre",1]]'
    )
    transform = affine.Affine.translation(-25000, 20000) @ affine.Affine.scale(
        1000, -1000
    )
    found = footprint_of(tmp_path / "pole.tif", transform, crs=polar)
    assert found[0] == -180.0 and found[1] == -90.0 and found[2] == 180.0
    # The farthest corner of a stereographic square, in closed form.
    radius = math.hypot(25000, 20000)
    north = 2 * math.degrees(math.atan(radius / (2 * 3376200))) - 90
    assert found[3] == pytest.approx(north, abs=1e-4)


def test_footprint_of_an_authority_ellipsoid(tmp_path):
    import rasterio.crs

    wkt = rasterio.crs.CRS.from_string("IAU_2015:49911").to_wkt()
    found = footprint_of(
        tmp_path / "iau.tif", affine.Affine.scale(6, -6), crs=wkt
    )
    assert found[2] == pytest.approx(300 / M_PER_DEGREE, rel=1e-6)
    assert -0.01 < found[1] < 0.0


@pytest.mark.parametrize(
    "datum, expected",
    [
        ({"ellipsoid": {"radius": 10}}, (10, 10)),
        (
            {"ellipsoid": {"semi_major_axis": 10, "semi_minor_axis": 9}},
            (10, 9),
        ),
        (
            {"ellipsoid": {"semi_major_axis": 10, "inverse_flattening": 5}},
            (10, 8),
        ),
        (
            {
                "ellipsoid": {
                    "radius": {
                        "value": 2,
                        "unit": {"conversion_factor": 1000},
                    }
                }
            },
            (2000, 2000),
        ),
        ({"name": "no ellipsoid"}, None),
    ],
)
def test_semi_axes_in_all_their_forms(datum, expected):
    base = {"datum": datum}
    assert footprint.semi_axes(base) == expected
    nested = {"components": [{"source_crs": {"base_crs": base}}]}
    assert footprint.semi_axes(nested) == expected


def test_points_without_a_latitude_have_no_bounds():
    assert footprint.bounds(np.array([0.0, np.inf]), np.zeros(2)) is None
