"""What is wrong with a file is told."""

import json
import pathlib
import struct

import numpy as np
import pytest
import rasters
from sample_rasters import FORMATS, ramp

from marsgan_tf import errors
from marsgan_tf.imaging import raster, raw_layout


def expect_refusal(path, words):
    with pytest.raises(errors.RasterError, match=words) as caught:
        with raster.open_raster(str(path)) as reader:
            reader.read()
    message = str(caught.value)
    assert "\n" not in message
    assert pathlib.Path(path).stem in message


def test_missing_file_folder_and_empty_file(tmp_path):
    expect_refusal(tmp_path / "nowhere.tif", "does not exist: check")
    expect_refusal(tmp_path, "is a folder: name an image")
    (tmp_path / "empty.tif").touch()
    expect_refusal(tmp_path / "empty.tif", "is empty: fetch it again")


def test_text_is_no_image(tmp_path):
    (tmp_path / "notes.tif").write_text("nothing to see")
    expect_refusal(tmp_path / "notes.tif", "no image that GDAL can open")


CUT_OFF = {
    "tiff": ("whole.tif", FORMATS["tiled.tif"]),
    "tiled jp2": (
        "whole.jp2",
        lambda p: rasters.write_jp2(
            p, np.random.default_rng(0).integers(0, 999, (300, 300), "u2"), 64
        ),
    ),
    "single-tile jp2": (
        "whole1.jp2",
        lambda p: rasters.write_jp2(
            p, np.random.default_rng(0).integers(0, 999, (300, 300), "u2"), 512
        ),
    ),
    "png": ("whole.png", FORMATS["deep.png"]),
    "8-bit png": (
        "whole8.png",
        lambda p: rasters.write_gdal(
            p,
            np.random.default_rng(0).integers(0, 255, (300, 300), "u1"),
            "PNG",
        ),
    ),
    "isis": ("whole.cub", FORMATS["real.cub"]),
    "pds": ("whole.img", FORMATS["attached.img"]),
    "envi": (
        "whole.bil",
        lambda p: rasters.write_gdal(p, ramp("int16", bands=3), "ENVI"),
    ),
    "vicar": (
        "whole.vic",
        lambda p: rasters.write_gdal(p, ramp("int16"), "VICAR"),
    ),
}


@pytest.mark.parametrize("case", CUT_OFF)
def test_file_cut_in_its_pixels_is_told(tmp_path, capfd, case):
    name, write = CUT_OFF[case]
    path = pathlib.Path(write(tmp_path / name))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    expect_refusal(path, "fetch it again|check the file")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("case", CUT_OFF)
def test_file_cut_in_its_header_is_told(tmp_path, case):
    name, write = CUT_OFF[case]
    path = pathlib.Path(write(tmp_path / name))
    path.write_bytes(path.read_bytes()[:60])
    expect_refusal(path, "check the file|fetch it again")


def test_damage_is_told_with_its_window(tmp_path):
    name, write = CUT_OFF["tiled jp2"]
    path = pathlib.Path(write(tmp_path / name))
    path.write_bytes(path.read_bytes()[:-40000])
    with raster.open_raster(str(path)) as reader:
        reader.read(height=64)
        with pytest.raises(errors.RasterError, match="rows 250 to 299, col"):
            reader.read(row=250)


def test_detached_pixels_cut_or_missing(tmp_path):
    path = tmp_path / "scene.lbl"
    FORMATS["detached.lbl"](path)
    body = path.with_suffix(".img")
    body.write_bytes(body.read_bytes()[:-1])
    expect_refusal(path, "scene.lbl: its pixels are cut off, there are 15999")
    body.unlink()
    expect_refusal(path, "no image that GDAL can open")


def test_pds4_pixels_cut(tmp_path):
    path = tmp_path / "scene.xml"
    rasters.write_gdal(path, ramp("int16"), "PDS4")
    body = path.with_suffix(".img")
    body.write_bytes(body.read_bytes()[:-1])
    expect_refusal(path, "its pixels are cut off, there are 15999 bytes")


@pytest.mark.parametrize("dtype", ["complex64", "int64"])
def test_dtype_that_cannot_be_worked_with(tmp_path, dtype):
    path = tmp_path / f"{dtype}.tif"
    rasters.write_gdal(path, np.zeros((4, 4), dtype), "GTiff")
    expect_refusal(path, f"type {dtype} cannot be worked with: convert")


def test_palette_is_refused(tmp_path):
    path = tmp_path / "palette.png"
    data = struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + rasters.png_chunk(b"IHDR", data)
        + rasters.png_chunk(b"PLTE", bytes(range(6)))
        + rasters.png_pixels(b"\0\0\1\0\1\0")
        + rasters.png_chunk(b"IEND", b"")
    )
    expect_refusal(path, "colour palette: convert it")


def test_error_of_the_caller_passes_unchanged(tmp_path):
    path = FORMATS["float.tif"](tmp_path / "caller.tif")
    with pytest.raises(KeyError, match="mine"):
        with raster.open_raster(path):
            raise KeyError("mine")


# Raw layouts.


@pytest.mark.parametrize(
    "pointer, end",
    [
        ("a.img", 100),
        (3, 2 * 50 + 100),
        (["a.img", 2], 50 + 100),
        (["a.img", {"value": 9, "unit": "BYTES"}], 8 + 100),
        ({"value": 1, "unit": "BYTES"}, 100),
    ],
)
def test_pds_pointer_forms(pointer, end):
    label = json.loads(json.dumps({"^IMAGE": pointer, "RECORD_BYTES": 50}))
    assert raw_layout.pds3_end(label, 100) == end


def test_isis_tiles_are_whole():
    core = {
        "StartByte": 65537,
        "TileSamples": 128,
        "TileLines": 64,
        "Dimensions": {"Samples": 130, "Lines": 64, "Bands": 3},
    }
    end = raw_layout.isis3_end({"IsisCube": {"Core": core}}, pixel_bytes=2)
    assert end == 65536 + 256 * 64 * 3 * 2


def test_a_label_points_to_nothing_outside_its_folder(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    body = tmp_path / "secret.img"
    pixels = np.ones((4, 2048), np.uint8)
    rasters.write_pds3(inside / "a.lbl", pixels, body=body)
    text = (inside / "a.lbl").read_text()
    (inside / "a.lbl").write_text(
        text.replace('"secret.img"', '"../secret.img"')
    )
    with pytest.raises(errors.RasterError, match="outside its folder"):
        with raster.open_raster(str(inside / "a.lbl")):
            pass
    rasters.write_pds3(inside / "b.lbl", pixels, body=inside / "b.img")
    with raster.open_raster(str(inside / "b.lbl")) as reader:
        assert (reader.read() == 1).all()


def test_texts_that_are_not_utf8_are_told(tmp_path):
    path = tmp_path / "a.tif"
    pixels = np.ones((4, 4), np.uint8)
    rasters.write_geotiff(path, pixels)
    data = path.read_bytes()
    assert b"Mars" in data
    path.write_bytes(data.replace(b"Mars", b"\xff" * 4))
    with pytest.raises(errors.RasterError, match="in its header"):
        with raster.open_raster(str(path)):
            pass
