import math
import os

import affine
import numpy as np
import pytest
import rasters
from sample_rasters import M_PER_DEGREE, ramp

from marsgan_tf import errors
from marsgan_tf.imaging import raster, raster_writer


@pytest.mark.parametrize(
    "extension, dtype, bands",
    [
        (".tif", "uint8", 1),
        (".tif", "uint8", 3),
        (".tif", "uint8", 4),
        (".tif", "uint16", 3),
        (".tif", "int16", 1),
        (".tif", "float32", 2),
        (".tif", "float64", 1),
        (".png", "uint8", 3),
        (".png", "uint16", 1),
        (".jp2", "uint8", 3),
        (".jp2", "uint16", 1),
        (".jp2", "int16", 1),
    ],
)
def test_written_file_reads_back(tmp_path, extension, dtype, bands):
    path = str(tmp_path / f"written{extension}")
    rng = np.random.default_rng(0)
    pixels = (rng.random((70, 90, bands)) * 250).astype(dtype)
    raster_writer.write_raster(
        path,
        pixels,
        crs_wkt=rasters.MARS_WKT,
        transform=rasters.MARS_TRANSFORM,
        nodata=7,
        band_names=[f"band {i}" for i in range(bands)],
        tags={"SCALING_FACTOR": "2.5e-05"},
    )
    with raster.open_raster(path) as reader:
        assert reader.band_count == bands
        assert reader.transform == rasters.MARS_TRANSFORM
        assert reader.nodata == 7
        assert reader.band_names == tuple(f"band {i}" for i in range(bands))
        assert reader.tags["SCALING_FACTOR"] == "2.5e-05"
        west, _, _, north = reader.footprint()
        np.testing.assert_array_equal(reader.read(), pixels)
    assert west == pytest.approx(120000 / M_PER_DEGREE)
    assert north == pytest.approx(-48000 / M_PER_DEGREE)
    assert set(os.listdir(tmp_path)) <= {
        f"written{extension}",
        f"written{extension}.aux.xml",
    }


def test_rotation_and_nan_survive(tmp_path):
    path = str(tmp_path / "turned.tif")
    turned = affine.Affine.rotation(12) @ affine.Affine.scale(0.25, -0.25)
    pixels = np.full((5, 6), np.nan, np.float32)
    raster_writer.write_raster(
        path,
        pixels,
        crs_wkt=rasters.MARS_WKT,
        transform=turned,
        nodata=math.nan,
    )
    with raster.open_raster(path) as reader:
        assert reader.transform.almost_equals(turned, 1e-12)
        assert math.isnan(reader.nodata)
        assert not reader.read_valid().any()


def test_replacing_leaves_nothing_of_the_old(tmp_path):
    path = str(tmp_path / "again.png")
    raster_writer.write_raster(
        path, ramp("uint8"), crs_wkt=rasters.MARS_WKT, nodata=7
    )
    raster_writer.write_raster(path, ramp("uint8") + np.uint8(1))
    assert os.listdir(tmp_path) == ["again.png"]
    with raster.open_raster(path) as reader:
        assert reader.crs_wkt is None and reader.nodata is None
        np.testing.assert_array_equal(reader.read(), ramp("uint8") + 1)


@pytest.mark.parametrize("extension", [".tif", ".png", ".jp2"])
def test_full_disk_leaves_the_old_file_alone(tmp_path, extension):
    resource = pytest.importorskip("resource")
    path = tmp_path / f"kept{extension}"
    raster_writer.write_raster(str(path), ramp("uint8"))
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 60000, (300, 300), "u2")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(errors.RasterError, match="cannot be written"):
            raster_writer.write_raster(str(path), noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_missing_folder_is_told(tmp_path):
    with pytest.raises(errors.RasterError, match="x.tif: cannot be written"):
        raster_writer.write_raster(
            str(tmp_path / "no" / "x.tif"), ramp("uint8")
        )


@pytest.mark.parametrize(
    "name, pixels, options, words",
    [
        ("a.gif", ramp("uint8"), {}, "`path` must end"),
        ("a.tif", ramp("int64"), {}, "`pixels` must be"),
        ("a.tif", np.zeros((0, 3), np.uint8), {}, "`pixels` must be"),
        ("a.tif", ramp("uint8"), {"nodata": 256}, "`nodata` must be"),
        ("a.tif", ramp("uint8"), {"nodata": math.nan}, "`nodata` must be"),
        ("a.tif", ramp("uint8"), {"band_names": "ab"}, "`band_names` must"),
        ("a.tif", ramp("uint8"), {"crs_wkt": "Mars"}, "`crs_wkt` must be"),
        ("a.png", ramp("uint8", bands=4), {}, "PNG must be"),
        ("a.png", ramp("float32"), {}, "PNG must be"),
        ("a.jp2", ramp("float32"), {}, "JPEG 2000 must be"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, name, pixels, options, words):
    with pytest.raises(ValueError, match=words):
        raster_writer.write_raster(str(tmp_path / name), pixels, **options)
    assert not os.listdir(tmp_path)
