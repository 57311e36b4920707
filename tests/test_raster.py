import json
import math
import os
import pathlib
import struct

import affine
import numpy as np
import pytest
import rasterio
import rasters

from marsgan_tf import errors
from marsgan_tf.imaging import footprint, raster, raster_writer, raw_layout

M_PER_DEGREE = math.radians(rasters.MARS_RADIUS_M)  # At the equator.
HEIGHT, WIDTH = 80, 100
MARS = {"crs": rasters.MARS_WKT, "transform": rasters.MARS_TRANSFORM}


def ramp(dtype, height=HEIGHT, width=WIDTH, bands=1):
    """Every pixel and band its own value, as far as the dtype goes."""
    count = height * width * bands
    values = np.arange(count).reshape(height, width, bands)
    return (values % min(count, 250)).astype(dtype) + np.array(1, dtype)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rasters")


FORMATS = {
    "tiled.tif": lambda p: rasters.write_gdal(
        p,
        ramp("uint16"),
        "GTiff",
        tiled=True,
        blockxsize=16,
        blockysize=32,
        compress="deflate",
        **MARS,
    ),
    "striped.tif": lambda p: rasters.write_gdal(
        p, ramp("int16", bands=2), "GTiff", blockysize=8, **MARS
    ),
    "bytes.tif": lambda p: rasters.write_gdal(
        p, ramp("uint8", bands=3), "GTiff", **MARS
    ),
    "float.tif": lambda p: rasters.write_gdal(p, ramp("float32"), "GTiff"),
    "tiled.jp2": lambda p: rasters.write_jp2(p, ramp("uint16"), 64, **MARS),
    "single.jp2": lambda p: rasters.write_jp2(p, ramp("uint16"), 128, **MARS),
    "grey.png": lambda p: rasters.write_gdal(p, ramp("uint8"), "PNG"),
    "deep.png": lambda p: rasters.write_gdal(p, ramp("uint16"), "PNG"),
    "attached.img": lambda p: rasters.write_pds3(
        p, ramp("int16", bands=2), is_projected=True
    ),
    "detached.lbl": lambda p: rasters.write_pds3(
        p, ramp("uint16"), body=p.with_suffix(".img"), is_projected=True
    ),
    "word.cub": lambda p: rasters.write_isis3(p, ramp("int16", bands=2)),
    "real.cub": lambda p: rasters.write_isis3(p, ramp("float32")),
}
EXPECTED = {  # driver, dtype, bands, georeferenced, block height
    "tiled.tif": ("GTiff", "uint16", 1, True, 32),
    "striped.tif": ("GTiff", "int16", 2, True, 8),
    "bytes.tif": ("GTiff", "uint8", 3, True, 27),
    "float.tif": ("GTiff", "float32", 1, False, 20),
    "tiled.jp2": ("JP2OpenJPEG", "uint16", 1, True, 64),
    "single.jp2": ("JP2OpenJPEG", "uint16", 1, True, 80),
    "grey.png": ("PNG", "uint8", 1, False, 1),
    "deep.png": ("PNG", "uint16", 1, False, 1),
    "attached.img": ("PDS", "int16", 2, True, 1),
    "detached.lbl": ("PDS", "uint16", 1, True, 1),
    "word.cub": ("ISIS3", "int16", 2, False, 1),
    "real.cub": ("ISIS3", "float32", 1, False, 1),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_its_pixels(folder, name):
    path = FORMATS[name](folder / name)
    driver, dtype, bands, is_georeferenced, block_height = EXPECTED[name]
    with raster.open_raster(path) as reader:
        assert reader.driver == driver
        assert reader.dtype == np.dtype(dtype)
        assert (reader.height, reader.width) == (HEIGHT, WIDTH)
        assert reader.band_count == bands
        assert reader.block_height == block_height
        assert reader.is_georeferenced == is_georeferenced
        if is_georeferenced:
            assert reader.transform == rasters.MARS_TRANSFORM
        else:
            assert reader.transform == affine.Affine.identity()
            assert reader.footprint() is None
        pixels = reader.read()
        assert reader.read_valid().all()
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, ramp(dtype, bands=bands))


@pytest.mark.parametrize("name", ["tiled.tif", "tiled.jp2", "attached.img"])
def test_a_window_is_a_part_of_the_whole(folder, name):
    path = FORMATS[name](folder / name)
    with raster.open_raster(path) as reader:
        whole = reader.read()
        window = reader.read(row=13, col=7, height=20, width=31)
        rest = reader.read(row=79, col=99)
    np.testing.assert_array_equal(window, whole[13:33, 7:38])
    np.testing.assert_array_equal(rest, whole[79:, 99:])


def test_bands_come_in_the_order_asked_for(folder):
    path = FORMATS["bytes.tif"](folder / "order.tif")
    with raster.open_raster(path) as reader:
        pixels = reader.read(bands=(3, 1))
    np.testing.assert_array_equal(pixels, ramp("uint8", bands=3)[..., [2, 0]])


@pytest.mark.parametrize(
    "window",
    [
        {"row": -1},
        {"col": 100},
        {"height": 81},
        {"row": 70, "height": 11},
        {"width": 0},
    ],
)
def test_window_beyond_the_image_is_refused(folder, window):
    path = FORMATS["float.tif"](folder / "window.tif")
    with raster.open_raster(path) as reader:
        with pytest.raises(ValueError, match="within the image's 80 rows"):
            reader.read(**window)


@pytest.mark.parametrize("bands", [(), (0,), (1, 2)])
def test_unknown_bands_are_refused(folder, bands):
    path = FORMATS["float.tif"](folder / "bands.tif")
    with raster.open_raster(path) as reader:
        with pytest.raises(ValueError, match="`bands` must be"):
            reader.read_valid(bands=bands)


def test_jpeg_reads_as_three_bands(folder):
    path = rasters.write_gdal(
        folder / "colour.jpg",
        np.full((20, 30, 3), (200, 120, 60), np.uint8),
        "JPEG",
    )
    with raster.open_raster(path) as reader:
        assert (reader.driver, reader.band_count) == ("JPEG", 3)
        error = reader.read().astype(int) - (200, 120, 60)
    assert abs(error).max() <= 3


@pytest.mark.parametrize("tile, is_single", [(64, False), (128, True)])
def test_single_tile_of_a_codestream_decodes_whole(folder, tile, is_single):
    path = rasters.write_jp2(folder / f"t{tile}.jp2", ramp("uint16"), tile)
    sides = rasters.jp2_tile_size(path)
    assert (sides[0] >= HEIGHT and sides[1] >= WIDTH) == is_single
    with raster.open_raster(path) as reader:
        assert reader.decodes_whole == is_single


def test_hirise_label_leads_to_its_jp2(folder):
    body = folder / "PSP_1_RED.JP2"
    rasters.write_jp2(body, ramp("uint16"), 128)
    path = rasters.write_hirise_label(
        body.with_suffix(".LBL"), body, height=HEIGHT, width=WIDTH
    )
    with raster.open_raster(path) as reader:
        assert reader.driver == "PDS"
        assert reader.block_height == HEIGHT and reader.decodes_whole
        np.testing.assert_array_equal(reader.read(), ramp("uint16"))


def test_raw_and_striped_files_do_not_decode_whole(folder):
    for name in ("striped.tif", "attached.img", "real.cub", "float.tif"):
        path = FORMATS[name](folder / f"whole-{name}")
        with raster.open_raster(path) as reader:
            assert not reader.decodes_whole, name


def test_nodata_value_is_not_valid(folder):
    pixels = ramp("uint16", bands=2)
    pixels[3, 4, 0] = pixels[5, 6, 1] = 0
    path = rasters.write_gdal(folder / "nodata.tif", pixels, "GTiff", nodata=0)
    with raster.open_raster(path) as reader:
        assert reader.nodata == 0
        both, first = reader.read_valid(), reader.read_valid(bands=(1,))
        part = reader.read_valid(row=3, col=4, height=3, width=3)
    assert np.argwhere(~both).tolist() == [[3, 4], [5, 6]]
    assert np.argwhere(~first).tolist() == [[3, 4]]
    np.testing.assert_array_equal(part, both[3:6, 4:7])


def test_nan_and_infinity_are_not_valid(folder):
    pixels = ramp("float32")
    pixels[0, 0], pixels[1, 1], pixels[2, 2] = np.nan, np.inf, -np.inf
    path = rasters.write_gdal(folder / "nan.tif", pixels, "GTiff", nodata=-9999)
    with raster.open_raster(path) as reader:
        wrong = np.argwhere(~reader.read_valid()).tolist()
    assert wrong == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("nodata", [None, 7])
def test_alpha_tells_validity_and_is_no_band(folder, nodata):
    pixels = ramp("uint8", bands=4)
    pixels[..., 3] = 255
    pixels[10:20, :, 3] = 0
    path = rasters.write_gdal(
        folder / f"alpha{nodata}.tif",
        pixels,
        "GTiff",
        photometric="RGB",
        alpha="YES",
        nodata=nodata,
    )
    with raster.open_raster(path) as reader:
        assert reader.band_count == 3
        assert len(reader.band_names) == 3
        np.testing.assert_array_equal(reader.read(), pixels[..., :3])
        valid = reader.read_valid()
    expected = np.ones((HEIGHT, WIDTH), bool)
    expected[10:20] = False
    if nodata is not None:
        expected &= (pixels[..., :3] != nodata).all(axis=-1)
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.parametrize("dtype", rasters.ISIS_SPECIAL)
def test_isis_special_values_are_not_valid(folder, dtype):
    pixels = ramp(dtype)
    special = rasters.ISIS_SPECIAL[dtype]
    pixels[7, : len(special), 0] = special
    path = rasters.write_isis3(folder / f"special-{dtype}.cub", pixels)
    with raster.open_raster(path) as reader:
        assert reader.nodata == special[0]
        wrong = np.argwhere(~reader.read_valid()).tolist()
    assert wrong == [[7, column] for column in range(len(special))]


def test_pds_missing_constant_is_nodata(folder):
    pixels = ramp("uint16")
    pixels[2, 3] = 1023
    path = rasters.write_pds3(folder / "missing.img", pixels, missing=1023)
    with raster.open_raster(path) as reader:
        assert reader.nodata == 1023
        assert np.argwhere(~reader.read_valid()).tolist() == [[2, 3]]


def test_names_and_tags_are_read(folder):
    path = str(folder / "tags.tif")
    raster_writer.write_raster(
        path,
        ramp("uint8", bands=2),
        band_names=("RED", "BG"),
        tags={"OFFSET": "0.05"},
    )
    with raster.open_raster(path) as reader:
        assert reader.band_names == ("RED", "BG")
        assert reader.tags["OFFSET"] == "0.05"


@pytest.mark.parametrize("nodata", [None, 9])
def test_mask_and_nodata_value_both_count(folder, nodata):
    pixels = ramp("uint8")
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[30:40] = 0
    path = rasters.write_gdal(
        folder / f"masked{nodata}.tif", pixels, "GTiff", nodata=nodata, **MARS
    )
    with rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    with raster.open_raster(path) as reader:
        assert reader.has_mask and reader.nodata == nodata
        valid = reader.read_valid()
    expected = mask != 0
    if nodata is not None:
        expected &= pixels[..., 0] != nodata
        assert (expected != (mask != 0)).any()
    np.testing.assert_array_equal(valid, expected)


def test_only_masks_and_alpha_are_masks(folder):
    pixels = ramp("uint8", bands=4)
    options = {"photometric": "RGB", "nodata": 0}
    paths = {
        True: [
            rasters.write_gdal(
                folder / "a.tif", pixels, "GTiff", alpha="YES", **options
            )
        ],
        False: [
            rasters.write_gdal(
                folder / "b.tif", pixels, "GTiff", alpha="NO", **options
            ),
            rasters.write_isis3(folder / "c.cub", ramp("int16")),
            rasters.write_pds3(folder / "d.img", ramp("uint8"), missing=3),
            FORMATS["tiled.jp2"](folder / "e.jp2"),
            FORMATS["grey.png"](folder / "f.png"),
        ],
    }
    for has_mask, examples in paths.items():
        for path in examples:
            with raster.open_raster(path) as reader:
                assert reader.has_mask == has_mask, path


def test_colours_are_those_of_the_data_bands(folder):
    path = rasters.write_gdal(
        folder / "colours.tif",
        ramp("uint8", bands=4),
        "GTiff",
        photometric="RGB",
        alpha="YES",
    )
    with raster.open_raster(path) as reader:
        assert reader.colour_names == ("red", "green", "blue")
    with raster.open_raster(FORMATS["grey.png"](folder / "g.png")) as reader:
        assert reader.colour_names == ("gray",)


# A band's own scale, GDAL's defaults, and RPCs of which one term is missing.
VRT = """<VRTDataset rasterXSize="3" rasterYSize="2">
  <Metadata domain="RPC"><MDI key="LINE_OFF">5</MDI></Metadata>
  <VRTRasterBand dataType="Int16" band="1">
    <UnitType>I/F</UnitType><Offset>0.5</Offset><Scale>0.25</Scale>
  </VRTRasterBand>
  <VRTRasterBand dataType="Int16" band="2"/>
</VRTDataset>"""


def test_scales_offsets_and_units_are_read(folder):
    path = folder / "scaled.vrt"
    path.write_text(VRT)
    with raster.open_raster(str(path)) as reader:
        assert reader.units == ("I/F", "")
        assert reader.scales == (0.25, 1.0)
        assert reader.offsets == (0.5, 0.0)


def test_rpcs_without_a_term_are_none(folder):
    path = folder / "rpcs.vrt"
    path.write_text(VRT)
    with raster.open_raster(str(path)) as reader:
        assert reader.georeference.rpcs is None


@pytest.mark.parametrize("name", FORMATS)
def test_georeference_is_what_the_file_has(folder, name):
    path = FORMATS[name](folder / f"ground-{name}")
    with raster.open_raster(path) as reader:
        found = reader.georeference
        assert (found.crs_wkt is not None) == EXPECTED[name][3]
        assert found.crs_wkt == reader.crs_wkt
    assert found.gcps == () and found.rpcs is None
    assert found.gcps_crs_wkt is None


# Footprints.


@pytest.mark.parametrize("name", ["tiled.tif", "tiled.jp2", "detached.lbl"])
def test_footprint_on_the_sphere(folder, name):
    path = FORMATS[name](folder / f"footprint-{name}")
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


def test_footprint_of_a_rotated_raster(folder):
    turned = affine.Affine.rotation(30) @ affine.Affine.scale(10, -10)
    found = footprint_of(folder / "rotated.tif", turned)
    # Corners (0, 0), (500, 0), (500, -400), (0, -400), by hand.
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    metres = np.array([0, -400 * cosine, 500 * cosine + 400 * sine, 500 * sine])
    np.testing.assert_allclose(found, metres / M_PER_DEGREE, atol=1e-9)


def test_footprint_across_the_antimeridian(folder):
    west = M_PER_DEGREE * 179.5
    transform = affine.Affine.translation(west, 0) @ affine.Affine.scale(
        M_PER_DEGREE / 50, -M_PER_DEGREE / 50
    )
    found = footprint_of(folder / "antimeridian.tif", transform)
    np.testing.assert_allclose(found, (179.5, -0.8, 180.5, 0.0), atol=1e-7)


def test_footprint_around_a_pole_has_all_longitudes(folder):
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
    found = footprint_of(folder / "pole.tif", transform, crs=polar)
    assert found[0] == -180.0 and found[1] == -90.0 and found[2] == 180.0
    # The farthest corner of a stereographic square, in closed form.
    radius = math.hypot(25000, 20000)
    north = 2 * math.degrees(math.atan(radius / (2 * 3376200))) - 90
    assert found[3] == pytest.approx(north, abs=1e-4)


def test_footprint_of_an_authority_ellipsoid(folder):
    import rasterio.crs

    wkt = rasterio.crs.CRS.from_string("IAU_2015:49911").to_wkt()
    found = footprint_of(
        folder / "iau.tif", affine.Affine.scale(6, -6), crs=wkt
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


# What is wrong with a file.


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


def test_error_of_the_caller_passes_unchanged(folder):
    path = FORMATS["float.tif"](folder / "caller.tif")
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


# Writing.


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
