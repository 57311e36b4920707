import affine
import numpy as np
import pytest
import rasters

from marsgan_tf.imaging import georeference
from marsgan_tf.imaging.georeference import Georeference, GroundControlPoint

TURNED = affine.Affine(5.5, 1.25, 120000.0, 0.75, -6.5, -48000.0)


def random_rpcs(seed=0):
    rng = np.random.default_rng(seed)

    def terms(constant, linear):
        values = rng.normal(0.0, 1e-3, 20)
        values[0] += constant
        values[linear] += 1.0
        return tuple(values.tolist())

    return {
        "LINE_OFF": 511.25,
        "LINE_SCALE": 512.0,
        "SAMP_OFF": 300.75,
        "SAMP_SCALE": 301.0,
        "LAT_OFF": -4.5,
        "LAT_SCALE": 0.05,
        "LONG_OFF": 137.4,
        "LONG_SCALE": 0.03,
        "HEIGHT_OFF": -2500.0,
        "HEIGHT_SCALE": 900.0,
        "LINE_NUM_COEFF": terms(0.0, 2),
        "LINE_DEN_COEFF": terms(1.0, 9),
        "SAMP_NUM_COEFF": terms(0.0, 1),
        "SAMP_DEN_COEFF": terms(1.0, 9),
    }


def line_and_sample(rpcs, longitude, latitude, height):
    """The RPC00B polynomials, term by term; (0, 0) is a pixel's centre."""
    x = (longitude - rpcs["LONG_OFF"]) / rpcs["LONG_SCALE"]
    y = (latitude - rpcs["LAT_OFF"]) / rpcs["LAT_SCALE"]
    z = (height - rpcs["HEIGHT_OFF"]) / rpcs["HEIGHT_SCALE"]
    terms = [1, x, y, z, x * y, x * z, y * z, x * x, y * y, z * z, x * y * z]
    terms += [x**3, x * y * y, x * z * z, x * x * y, y**3, y * z * z]
    terms += [x * x * z, y * y * z, z**3]

    def ratio(axis):
        numerator = np.dot(rpcs[f"{axis}_NUM_COEFF"], terms)
        return numerator / np.dot(rpcs[f"{axis}_DEN_COEFF"], terms)

    return tuple(
        ratio(axis) * rpcs[f"{axis}_SCALE"] + rpcs[f"{axis}_OFF"]
        for axis in ("LINE", "SAMP")
    )


@pytest.mark.parametrize("scale", [4, 3, 0.5])
def test_transform_leads_to_the_same_ground(scale):
    scaled = Georeference(rasters.MARS_WKT, TURNED).scaled(scale)
    assert scaled.crs_wkt == rasters.MARS_WKT
    for col, row in [(0.0, 0.0), (0.5, 0.5), (100.0, 80.0), (3.0, 77.5)]:
        np.testing.assert_allclose(
            scaled.transform @ (col * scale, row * scale),
            TURNED @ (col, row),
            rtol=1e-14,
        )


def test_pixels_shrink_and_the_origin_stays():
    scaled = Georeference(None, affine.Affine(6, 1, 7, 2, -6, 9)).scaled(4)
    assert scaled.transform == affine.Affine(1.5, 0.25, 7, 0.5, -1.5, 9)


def test_nothing_scales_to_nothing():
    assert Georeference().scaled(4) == Georeference()


@pytest.mark.parametrize("scale", [4, 0.5])
def test_control_points_keep_their_ground(scale):
    points = tuple(
        GroundControlPoint(row, col, *(TURNED @ (col, row)), 5.0, "a", "b")
        for row, col in [(0.0, 0.0), (10.5, 3.25), (80.0, 100.0)]
    )
    ground = Georeference(gcps=points, gcps_crs_wkt=rasters.MARS_WKT)
    scaled = ground.scaled(scale)
    assert scaled.gcps_crs_wkt == rasters.MARS_WKT
    larger = Georeference(None, TURNED).scaled(scale).transform
    for point, before in zip(scaled.gcps, points, strict=True):
        np.testing.assert_allclose(
            larger @ (point.col, point.row), (point.x, point.y), rtol=1e-14
        )
        assert (point.x, point.y, point.z) == (before.x, before.y, before.z)
        assert (point.id, point.info) == ("a", "b")


GROUND = [(137.4, -4.5, -2500.0), (137.42, -4.53, -2000.0), (137.38, -4.46, 0)]


@pytest.mark.parametrize("scale", [4, 0.5])
def test_rpcs_scale_about_the_corner(scale):
    rpcs = random_rpcs()
    scaled = Georeference(rpcs=rpcs).scaled(scale).rpcs
    for point in GROUND:
        before = np.array(line_and_sample(rpcs, *point))
        after = line_and_sample(scaled, *point)
        np.testing.assert_allclose(after, (before + 0.5) * scale - 0.5)
    changed = {name for name in rpcs if scaled[name] != rpcs[name]}
    assert changed == {"LINE_OFF", "LINE_SCALE", "SAMP_OFF", "SAMP_SCALE"}


def test_gdal_counts_rpcs_from_the_first_centre():
    import rasterio.rpc
    import rasterio.transform

    rpcs = random_rpcs()
    terms = {name.lower(): term for name, term in rpcs.items()}
    with rasterio.transform.RPCTransformer(
        rasterio.rpc.RPC(**terms)
    ) as transformer:
        for longitude, latitude, height in GROUND:
            found = transformer.rowcol(
                longitude, latitude, zs=height, op=lambda value: value
            )
            centred = line_and_sample(rpcs, longitude, latitude, height)
            np.testing.assert_allclose(
                np.ravel(found), np.array(centred) + 0.5, atol=1e-6
            )


@pytest.mark.parametrize("scale", [0, -2, float("nan")])
def test_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="`scale` must be positive"):
        georeference.Georeference().scaled(scale)
