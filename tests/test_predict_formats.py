"""What of an image its super-resolved one keeps, format by format."""

import hashlib
import json
import math
import pathlib
import zlib

import affine
import models
import numpy as np
import pytest
import rasterio
import rasters
import test_georeference
from predictions import SCALE, enlarged, image, predict
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.rpc import RPC

from marsgan_tf.imaging import degrade, tiling
from marsgan_tf.inference import scene

TURNED = affine.Affine(5.5, 1.25, 120000.0, 0.75, -6.5, -48000.0)


def corners(dataset):
    """Ground of the four corners, exact for any transform."""
    width, height = dataset.width, dataset.height
    return [
        dataset.transform @ corner
        for corner in ((0, 0), (width, 0), (0, height), (width, height))
    ]


def assert_same_ground(source, result, scale=SCALE):
    assert (result.height, result.width) == (
        source.height * scale,
        source.width * scale,
    )
    np.testing.assert_allclose(corners(result), corners(source), rtol=1e-15)
    assert result.crs == source.crs
    if source.crs:
        assert result.crs.to_wkt() == source.crs.to_wkt()


def assert_valid(path, valid):
    """Every band of a raster has data just where `valid` tells.

    Args:
        path: The raster.
        valid: `(height, width)` or `(height, width, bands)`, of its input.
    """
    with rasters.open_gdal(path) as dataset:
        masks = dataset.read_masks() != 0
        if dataset.dtypes[0].startswith("float"):
            masks &= np.isfinite(dataset.read())
    planes = np.moveaxis(np.atleast_3d(enlarged(valid)), -1, 0)
    np.testing.assert_array_equal(masks, np.broadcast_to(planes, masks.shape))


@pytest.mark.parametrize(
    "dtype, nodata",
    [("uint8", 0), ("uint16", 65535), ("int16", -32768), ("float32", -9999.0)],
)
def test_all_that_a_geotiff_says_is_kept(tmp_path, dtype, nodata):
    pixels = image(bands=2, dtype=dtype)
    valid = np.random.default_rng(1).random(pixels.shape) < 0.9
    pixels[~valid] = nodata
    source = rasters.write_geotiff(
        tmp_path / "a.tif",
        pixels,
        described={
            "descriptions": ("NIR", "BLU"),
            "units": ("I/F", "K"),
            "scales": (2.5e-5, 1.0),
            "offsets": (0.125, -3.0),
            "colorinterp": (ColorInterp.undefined, ColorInterp.blue),
        },
        tags={"INCIDENCE": "45.5", "SOURCE": "a=b: c"},
        transform=TURNED,
        nodata=nodata,
        photometric="MINISBLACK",
    )
    output = predict(source, tmp_path / "o.tif", tile=32)
    with rasters.open_gdal(source) as told, rasters.open_gdal(output) as found:
        assert_same_ground(told, found)
        assert "Mars" in found.crs.to_wkt()
        for name in (
            "count dtypes nodata descriptions units scales offsets colorinterp"
        ).split():
            assert getattr(found, name) == getattr(told, name), name
        tags = found.tags()
        assert told.tags().items() <= tags.items()
        assert found.profile["tiled"] and found.profile["compress"] == "deflate"
    name_of_model = pathlib.Path(models.exported("plain")).name
    assert tags["MARSGAN_ENGINE"] == "openvino"
    assert tags["MARSGAN_MODEL"] == f"{name_of_model}/1"
    assert_valid(output, valid)


def test_colours_of_all_bands_are_kept(tmp_path):
    source = rasters.write_geotiff(
        tmp_path / "a.tif", image(bands=3), photometric="RGB"
    )
    with rasters.open_gdal(predict(source, tmp_path / "o.tif")) as found:
        assert [c.name for c in found.colorinterp] == ["red", "green", "blue"]
        assert found.nodata is None
        assert found.mask_flag_enums == ([MaskFlags.all_valid],) * 3


HOLES = np.random.default_rng(2).random((40, 50)) < 0.85


def with_value(path, pixels, nodata=7):
    return rasters.write_geotiff(
        path, np.where(HOLES[..., None], pixels, nodata), nodata=nodata
    )


def with_nan(path, pixels):
    return with_value(path, pixels, pixels.dtype.type("nan"))


def with_nan_alone(path, pixels):
    """As `with_nan`, but the file does not say what stands for no data."""
    holes = np.where(HOLES[..., None], pixels, pixels.dtype.type("nan"))
    return rasters.write_geotiff(path, holes)


def with_mask(path, pixels):
    return rasters.write_geotiff(path, pixels, valid=HOLES)


def with_alpha(path, pixels):
    opacity = np.where(HOLES, 255, 0).astype(pixels.dtype)[..., None]
    return rasters.write_geotiff(
        path,
        np.concatenate([pixels, opacity], axis=-1),
        photometric="RGB" if pixels.shape[-1] == 3 else "MINISBLACK",
        ALPHA="YES",
    )


def as_alpha_png(path, pixels):
    opacity = np.where(HOLES, 255, 0).astype(pixels.dtype)[..., None]
    layers = np.concatenate([pixels, opacity], axis=-1)
    return rasters.write_gdal(path.with_suffix(".png"), layers, "PNG")


@pytest.mark.parametrize(
    "write, dtype, nodata",
    [
        (with_value, "uint8", 7),
        (with_value, "float32", 7),
        (with_nan, "float32", math.nan),
        (with_nan_alone, "float32", None),
        (with_mask, "uint16", None),
        (with_mask, "float32", None),
        (with_alpha, "uint8", None),
        (with_alpha, "float32", None),
        (as_alpha_png, "uint8", None),
        (as_alpha_png, "uint16", None),
    ],
)
@pytest.mark.parametrize("bands", [1, 3])
def test_no_data_is_four_times_the_inputs(
    tmp_path, write, dtype, nodata, bands
):
    pixels = image(bands=bands, dtype=dtype)
    source = write(tmp_path / "a.tif", pixels)
    output = predict(source, tmp_path / "o.tif", tile=24)
    assert_valid(output, HOLES)
    with rasters.open_gdal(output) as found:
        assert (found.count, found.dtypes[0]) == (bands, dtype)
        np.testing.assert_equal(found.nodata, nodata)
        holes = found.read()[:, ~enlarged(HOLES)]
    empty = math.nan if dtype == "float32" else 0
    expected = empty if nodata is None else nodata
    np.testing.assert_array_equal(holes, np.full_like(holes, expected))


@pytest.mark.parametrize("file_format", ["GTiff", "COG"])
def test_a_mask_is_kept_at_every_size(tmp_path, file_format):
    pixels, valid = image(200, 180), np.ones((200, 180), bool)
    valid[:, 90:] = False
    source = rasters.write_geotiff(tmp_path / "a.tif", pixels, valid=valid)
    output = predict(
        source, tmp_path / "o.tif", format=file_format, overviews=True
    )
    assert_valid(output, valid)
    with rasters.open_gdal(output, overview_level=0) as found:
        mask = found.read_masks(1)
    np.testing.assert_array_equal(mask != 0, enlarged(valid)[::2, ::2])


@pytest.mark.parametrize(
    "color, is_shared", [("bands", False), ("hsv", True), ("pan", True)]
)
def test_holes_of_single_bands(tmp_path, color, is_shared):
    pixels = image(bands=3, dtype="uint16")
    valid = np.random.default_rng(3).random(pixels.shape) < 0.9
    pixels[~valid] = 0
    source = rasters.write_geotiff(tmp_path / "a.tif", pixels, nodata=0)
    output = predict(source, tmp_path / "o.tif", color=color)
    assert_valid(output, valid.all(axis=-1) if is_shared else valid)


def test_nodata_takes_the_place_of_the_files_own(tmp_path):
    pixels = image()
    pixels[:5], pixels[5:9] = 7, 9
    valid = np.ones((40, 50), bool)
    valid[30:] = False
    masked = rasters.write_geotiff(tmp_path / "m.tif", pixels, valid=valid)
    valued = rasters.write_geotiff(tmp_path / "v.tif", pixels, nodata=7)
    for source, also in ((valued, True), (masked, valid)):
        output = predict(
            source, tmp_path / "o.tif", nodata=(9.0,), overwrite=True
        )
        assert_valid(output, (pixels[..., 0] != 9) & also)
        with rasters.open_gdal(output) as found:
            assert found.nodata == 9


@pytest.mark.parametrize("value", ["1.5", "-9999", "nan"])
def test_a_value_that_no_pixel_has_is_no_value(tmp_path, value):
    rasters.write_geotiff(tmp_path / "a.tif", image())
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="40">'
        '<VRTRasterBand dataType="Byte" band="1">'
        f"<NoDataValue>{value}</NoDataValue>"
        '<SimpleSource><SourceFilename relativeToVRT="1">a.tif'
        "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    output = predict(tmp_path / "a.vrt", tmp_path / "o.tif")
    assert_valid(output, np.ones((40, 50), bool))
    with rasters.open_gdal(output) as found:
        assert found.nodata is None


def test_a_jpeg_2000_is_kept(tmp_path):
    pixels = image(100, 90, dtype="uint16")
    source = rasters.write_jp2(
        tmp_path / "a.jp2",
        pixels,
        64,
        crs=rasters.MARS_WKT,
        transform=rasters.MARS_TRANSFORM,
    )
    output = predict(source, tmp_path / "o.tif", tile=32)
    with rasters.open_gdal(source) as told, rasters.open_gdal(output) as found:
        assert_same_ground(told, found)
        assert found.dtypes == ("uint16",)
    # Lossless, so what the file is makes no difference.
    same = rasters.write_geotiff(tmp_path / "a.tif", pixels)
    again = predict(same, tmp_path / "o2.tif", tile=32)
    np.testing.assert_array_equal(pixels_of(output), pixels_of(again))


def pixels_of(path):
    """`(height, width, bands)`."""
    with rasters.open_gdal(path) as dataset:
        return np.moveaxis(dataset.read(), 0, -1)


def test_an_isis_cube_is_kept(tmp_path):
    pixels = image(dtype="int16")
    specials = rasters.ISIS_SPECIAL["int16"]
    pixels[3, 4 : 4 + len(specials), 0] = specials
    source = rasters.write_isis3(tmp_path / "a.cub", pixels)
    output = predict(source, tmp_path / "o.tif")
    assert_valid(output, pixels[..., 0] > 0)
    with rasters.open_gdal(output) as found:
        assert (found.dtypes, found.nodata) == (("int16",), -32768)


def test_a_pds_image_is_kept(tmp_path):
    pixels = image(dtype="int16")
    pixels[8:11, 20:40] = -999
    source = rasters.write_pds3(
        tmp_path / "a.img", pixels, missing=-999, is_projected=True
    )
    output = predict(source, tmp_path / "o.tif")
    assert_valid(output, pixels[..., 0] != -999)
    with rasters.open_gdal(source) as told, rasters.open_gdal(output) as found:
        assert_same_ground(told, found)
        assert found.transform.a == 1.5  # Metres: a quarter of the label's.
        assert (found.dtypes, found.nodata) == (("int16",), -999)


def test_a_png_without_georeferencing_stays_so(tmp_path, caplog):
    pixels = image(bands=3)
    source = rasters.write_gdal(tmp_path / "a.png", pixels, "PNG")
    output = predict(source, tmp_path / "o.tif")
    with rasters.open_gdal(output) as found:
        assert found.crs is None and found.transform.is_identity
        assert (found.height, found.width, found.count) == (160, 200, 3)
    warnings = [r for r in caplog.records if r.levelname == "WARNING"]
    (warning,) = warnings
    assert "a.png: has no georeferencing" in warning.getMessage()


@pytest.mark.parametrize("file_format", ["GTiff", "COG"])
def test_control_points_keep_their_ground(tmp_path, caplog, file_format):
    places = [(1.5, 2.25), (30.0, 2.0), (1.0, 40.0), (9.0, 45.0)]
    points = [
        GroundControlPoint(row=row, col=col, x=10.0 * col, y=-row, z=3.5)
        for row, col in places
    ]
    source = rasters.write_gdal(
        tmp_path / "a.tif", image(), "GTiff", gcps=points, crs=rasters.MARS_WKT
    )
    output = predict(source, tmp_path / "o.tif", format=file_format)
    with rasters.open_gdal(output) as found:
        placed, crs = found.gcps
    assert [(p.row, p.col, p.x, p.y, p.z) for p in placed] == [
        (SCALE * row, SCALE * col, 10.0 * col, -row, 3.5) for row, col in places
    ]
    assert crs == rasterio.crs.CRS.from_wkt(rasters.MARS_WKT)
    assert "georeferencing" not in caplog.text


def test_rational_polynomials_keep_their_ground(tmp_path, caplog):
    terms = test_georeference.random_rpcs()
    source = rasters.write_gdal(
        tmp_path / "a.tif",
        image(),
        "GTiff",
        rpcs=RPC(**{name.lower(): term for name, term in terms.items()}),
    )
    output = predict(source, tmp_path / "o.tif")
    with rasters.open_gdal(output) as found:
        scaled = {k.upper(): v for k, v in found.rpcs.to_dict().items()}
    for place in ((137.41, -4.51, -2400.0), (137.38, -4.47, -2600.0)):
        line, sample = test_georeference.line_and_sample(terms, *place)
        # Of pixels' centres: they lie half a pixel from the corner.
        np.testing.assert_allclose(
            test_georeference.line_and_sample(scaled, *place),
            ((line + 0.5) * 4 - 0.5, (sample + 0.5) * 4 - 0.5),
            rtol=1e-11,
        )
    assert "georeferencing" not in caplog.text


def test_a_cog_is_valid_and_has_the_same_pixels(tmp_path):
    source = rasters.write_geotiff(tmp_path / "a.tif", image(200, 150))
    plain = predict(source, tmp_path / "o.tif", overviews=True)
    cog = predict(source, tmp_path / "c.tif", overviews=True, format="COG")
    for path, layout in ((plain, None), (cog, "COG")):
        with rasters.open_gdal(path) as found:
            structure = found.tags(ns="IMAGE_STRUCTURE")
            assert structure.get("LAYOUT") == layout
            assert found.overviews(1) == [2]
            assert found.dtypes == ("uint8",)
    np.testing.assert_array_equal(pixels_of(cog), pixels_of(plain))


@pytest.mark.parametrize("bands", [(3, 1), (2,), (4, 3, 2, 1)])
def test_bands_come_in_the_order_asked_for(tmp_path, bands):
    source = rasters.write_geotiff(
        tmp_path / "a.tif",
        image(bands=4, dtype="uint16"),
        described={"descriptions": tuple("abcd"), "units": tuple("wxyz")},
    )
    whole = predict(source, tmp_path / "o.tif", color="bands")
    some = predict(source, tmp_path / "s.tif", color="bands", bands=bands)
    chosen = [band - 1 for band in bands]
    np.testing.assert_array_equal(
        pixels_of(some), pixels_of(whole)[..., chosen]
    )
    with rasters.open_gdal(some) as found:
        assert found.descriptions == tuple("abcd"[i] for i in chosen)
        assert found.units == tuple("wxyz"[i] for i in chosen)


def test_deviation_and_residual_are_rasters_of_the_same_ground(tmp_path):
    pixels = image(bands=2, dtype="uint16")
    pixels[10:14, 20:30, 1] = 0
    source = rasters.write_geotiff(
        tmp_path / "a.tif", pixels, transform=TURNED, nodata=0
    )
    results = {
        name: str(tmp_path / f"{name}.tif")
        for name in ("uncertainty_output", "residual_output")
    }
    predict(
        source,
        tmp_path / "o.tif",
        model=models.exported("noisy"),
        engine="saved_model",
        samples=3,
        tile=32,
        **results,
    )
    valid = pixels != 0
    for name, scale in (("uncertainty_output", 4), ("residual_output", 1)):
        with (
            rasters.open_gdal(source) as told,
            rasters.open_gdal(results[name]) as found,
        ):
            assert_same_ground(told, found, scale)
            assert found.dtypes == ("float32", "float32")
            assert math.isnan(found.nodata)
        values = pixels_of(results[name])
        expected = enlarged(valid) if scale == 4 else valid
        np.testing.assert_array_equal(np.isfinite(values), expected)
        assert (np.abs(values[expected]) > 0).mean() > 0.99
        if scale == 4:
            assert (values[expected] >= 0).all()


@pytest.mark.parametrize("consistency", ["none", "project"])
def test_the_residual_is_what_the_degraded_output_lacks(tmp_path, consistency):
    pixels = image(dtype="float32")
    source = rasters.write_geotiff(tmp_path / "a.tif", pixels)
    output = predict(
        source,
        tmp_path / "o.tif",
        residual_output=str(tmp_path / "r.tif"),
        blur_sigma="0.8",
        stretch="0,255",
        consistency=consistency,
    )
    degraded = degrade.degrade(pixels_of(output)[..., 0], 0.8)
    residual = pixels_of(tmp_path / "r.tif")[..., 0]
    np.testing.assert_allclose(residual, pixels[..., 0] - degraded, atol=1e-3)
    told = json.loads((tmp_path / "o.tif.json").read_text())
    assert told["residual_rms"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert (told["residual_rms"] < 1) == (consistency == "project")


def test_the_sidecar_tells_how_and_accounts_for_every_pixel(tmp_path):
    source = rasters.write_geotiff(tmp_path / "a.tif", image(70, 90))
    output = predict(source, tmp_path / "o.tif", tile=32, halo=8)
    told = json.loads(pathlib.Path(f"{output}.json").read_text())
    digest = hashlib.sha256(pathlib.Path(source).read_bytes()).hexdigest()
    assert told["input_sha256"] == {"a.tif": digest}
    model = pathlib.Path(models.exported("plain"), "1", "model.json")
    recorded = json.loads(model.read_text())
    assert told["weights_sha256"] == recorded["weights_sha256"]
    assumed = recorded["degradation"]
    assert told["degradation"] == {
        "blur_sigma": assumed["blur_sigma"],
        "noise_sigma": [assumed["noise_sigma"]],  # One a plane.
    }
    assert (told["tile"], told["halo"]) == (32, 8)
    pixels, covered = pixels_of(output), np.zeros((70, 90), int)
    for tile in told["tiles"]:
        row, col = tile["row"], tile["col"]
        height, width = tile["height"], tile["width"]
        covered[row : row + height, col : col + width] += 1
        part = pixels[4 * row : 4 * (row + height), 4 * col : 4 * (col + width)]
        assert int(tile["crc32"], 16) == zlib.crc32(part.tobytes())
    assert (covered == 1).all()
    assert len(told["tiles"]) > 4


def test_the_sidecar_hashes_what_a_label_points_to(tmp_path):
    body = tmp_path / "a.dat"
    source = rasters.write_pds3(tmp_path / "a.lbl", image(), body=body)
    predict(source, tmp_path / "o.tif")
    told = json.loads((tmp_path / "o.tif.json").read_text())
    assert told["input_sha256"] == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("a.lbl", "a.dat")
    }


def bytes_read():
    """By this process so far, from any file, by Linux' count."""
    path = pathlib.Path("/proc/self/io")
    if not path.exists():
        pytest.skip("the system does not count")
    return int(path.read_text().split()[1])


def in_strips(path):
    return rasters.write_geotiff(path, image(900, 800, 3), compress="deflate")


def in_tiles(path):
    pixels = image(900, 800, 2, "uint16")
    sides = {"blockxsize": 128, "blockysize": 128}
    return rasters.write_geotiff(path, pixels, tiled=True, nodata=0, **sides)


def with_mask_in_strips(path):
    valid = np.random.default_rng(0).random((900, 800)) < 0.9
    return rasters.write_geotiff(path, image(900, 800), valid=valid)


def as_png(path):
    return rasters.write_gdal(path, image(900, 800, 4), "PNG")


@pytest.mark.parametrize(
    "write", [in_strips, in_tiles, with_mask_in_strips, as_png]
)
def test_no_pixel_is_decoded_twice_in_a_row(tmp_path, monkeypatch, write):
    """Tiles side by side share the blocks of their rows."""
    path = write(tmp_path / "a")
    size = (tmp_path / "a").stat().st_size
    monkeypatch.setattr(scene, "_LEAST_CACHE_BYTES", 1)
    grid = tiling.Grid(900, 800, tile=64, halo=16)
    with (
        scene.open_scene(path, bands=(), nodata=None) as opened,
        scene.rows_cached(opened, 96),
    ):
        start = bytes_read()
        for core in grid:
            tiling.read_with_halo(lambda w: opened.read(w)[0], core, grid)
        # The halos of two rows of tiles overlap.
        assert 0.9 * size < bytes_read() - start < 2 * size
