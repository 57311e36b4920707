import affine
import numpy as np
import pytest
import rasterio
import rasters
from sample_rasters import EXPECTED, FORMATS, HEIGHT, MARS, WIDTH, ramp

from marsgan_tf.imaging import raster, raster_writer


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_its_pixels(tmp_path, name):
    path = FORMATS[name](tmp_path / name)
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
def test_a_window_is_a_part_of_the_whole(tmp_path, name):
    path = FORMATS[name](tmp_path / name)
    with raster.open_raster(path) as reader:
        whole = reader.read()
        window = reader.read(row=13, col=7, height=20, width=31)
        rest = reader.read(row=79, col=99)
    np.testing.assert_array_equal(window, whole[13:33, 7:38])
    np.testing.assert_array_equal(rest, whole[79:, 99:])


def test_bands_come_in_the_order_asked_for(tmp_path):
    path = FORMATS["bytes.tif"](tmp_path / "order.tif")
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
def test_window_beyond_the_image_is_refused(tmp_path, window):
    path = FORMATS["float.tif"](tmp_path / "window.tif")
    with raster.open_raster(path) as reader:
        with pytest.raises(ValueError, match="within the image's 80 rows"):
            reader.read(**window)


@pytest.mark.parametrize("bands", [(), (0,), (1, 2)])
def test_unknown_bands_are_refused(tmp_path, bands):
    path = FORMATS["float.tif"](tmp_path / "bands.tif")
    with raster.open_raster(path) as reader:
        with pytest.raises(ValueError, match="`bands` must be"):
            reader.read_valid(bands=bands)


def test_jpeg_reads_as_three_bands(tmp_path):
    path = rasters.write_gdal(
        tmp_path / "colour.jpg",
        np.full((20, 30, 3), (200, 120, 60), np.uint8),
        "JPEG",
    )
    with raster.open_raster(path) as reader:
        assert (reader.driver, reader.band_count) == ("JPEG", 3)
        error = reader.read().astype(int) - (200, 120, 60)
    assert abs(error).max() <= 3


@pytest.mark.parametrize("tile, is_single", [(64, False), (128, True)])
def test_single_tile_of_a_codestream_decodes_whole(tmp_path, tile, is_single):
    path = rasters.write_jp2(tmp_path / f"t{tile}.jp2", ramp("uint16"), tile)
    sides = rasters.jp2_tile_size(path)
    assert (sides[0] >= HEIGHT and sides[1] >= WIDTH) == is_single
    with raster.open_raster(path) as reader:
        assert reader.decodes_whole == is_single


def test_hirise_label_leads_to_its_jp2(tmp_path):
    body = tmp_path / "PSP_1_RED.JP2"
    rasters.write_jp2(body, ramp("uint16"), 128)
    path = rasters.write_hirise_label(
        body.with_suffix(".LBL"), body, height=HEIGHT, width=WIDTH
    )
    with raster.open_raster(path) as reader:
        assert reader.driver == "PDS"
        assert reader.block_height == HEIGHT and reader.decodes_whole
        np.testing.assert_array_equal(reader.read(), ramp("uint16"))


def test_raw_and_striped_files_do_not_decode_whole(tmp_path):
    for name in ("striped.tif", "attached.img", "real.cub", "float.tif"):
        path = FORMATS[name](tmp_path / f"whole-{name}")
        with raster.open_raster(path) as reader:
            assert not reader.decodes_whole, name


def test_nodata_value_is_not_valid(tmp_path):
    pixels = ramp("uint16", bands=2)
    pixels[3, 4, 0] = pixels[5, 6, 1] = 0
    path = rasters.write_gdal(
        tmp_path / "nodata.tif", pixels, "GTiff", nodata=0
    )
    with raster.open_raster(path) as reader:
        assert reader.nodata == 0
        both, first = reader.read_valid(), reader.read_valid(bands=(1,))
        part = reader.read_valid(row=3, col=4, height=3, width=3)
    assert np.argwhere(~both).tolist() == [[3, 4], [5, 6]]
    assert np.argwhere(~first).tolist() == [[3, 4]]
    np.testing.assert_array_equal(part, both[3:6, 4:7])


def test_nan_and_infinity_are_not_valid(tmp_path):
    pixels = ramp("float32")
    pixels[0, 0], pixels[1, 1], pixels[2, 2] = np.nan, np.inf, -np.inf
    path = rasters.write_gdal(
        tmp_path / "nan.tif", pixels, "GTiff", nodata=-9999
    )
    with raster.open_raster(path) as reader:
        wrong = np.argwhere(~reader.read_valid()).tolist()
    assert wrong == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("nodata", [None, 7])
def test_alpha_tells_validity_and_is_no_band(tmp_path, nodata):
    pixels = ramp("uint8", bands=4)
    pixels[..., 3] = 255
    pixels[10:20, :, 3] = 0
    path = rasters.write_gdal(
        tmp_path / f"alpha{nodata}.tif",
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
def test_isis_special_values_are_not_valid(tmp_path, dtype):
    pixels = ramp(dtype)
    special = rasters.ISIS_SPECIAL[dtype]
    pixels[7, : len(special), 0] = special
    path = rasters.write_isis3(tmp_path / f"special-{dtype}.cub", pixels)
    with raster.open_raster(path) as reader:
        assert reader.nodata == special[0]
        wrong = np.argwhere(~reader.read_valid()).tolist()
    assert wrong == [[7, column] for column in range(len(special))]


def test_pds_missing_constant_is_nodata(tmp_path):
    pixels = ramp("uint16")
    pixels[2, 3] = 1023
    path = rasters.write_pds3(tmp_path / "missing.img", pixels, missing=1023)
    with raster.open_raster(path) as reader:
        assert reader.nodata == 1023
        assert np.argwhere(~reader.read_valid()).tolist() == [[2, 3]]


def test_names_and_tags_are_read(tmp_path):
    path = str(tmp_path / "tags.tif")
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
def test_mask_and_nodata_value_both_count(tmp_path, nodata):
    pixels = ramp("uint8")
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[30:40] = 0
    path = rasters.write_gdal(
        tmp_path / f"masked{nodata}.tif", pixels, "GTiff", nodata=nodata, **MARS
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


def test_only_masks_and_alpha_are_masks(tmp_path):
    pixels = ramp("uint8", bands=4)
    options = {"photometric": "RGB", "nodata": 0}
    paths = {
        True: [
            rasters.write_gdal(
                tmp_path / "a.tif", pixels, "GTiff", alpha="YES", **options
            )
        ],
        False: [
            rasters.write_gdal(
                tmp_path / "b.tif", pixels, "GTiff", alpha="NO", **options
            ),
            rasters.write_isis3(tmp_path / "c.cub", ramp("int16")),
            rasters.write_pds3(tmp_path / "d.img", ramp("uint8"), missing=3),
            FORMATS["tiled.jp2"](tmp_path / "e.jp2"),
            FORMATS["grey.png"](tmp_path / "f.png"),
        ],
    }
    for has_mask, examples in paths.items():
        for path in examples:
            with raster.open_raster(path) as reader:
                assert reader.has_mask == has_mask, path


def test_colours_are_those_of_the_data_bands(tmp_path):
    path = rasters.write_gdal(
        tmp_path / "colours.tif",
        ramp("uint8", bands=4),
        "GTiff",
        photometric="RGB",
        alpha="YES",
    )
    with raster.open_raster(path) as reader:
        assert reader.colour_names == ("red", "green", "blue")
    with raster.open_raster(FORMATS["grey.png"](tmp_path / "g.png")) as reader:
        assert reader.colour_names == ("gray",)


# A band's own scale, GDAL's defaults, and RPCs of which one term is missing.
VRT = """<VRTDataset rasterXSize="3" rasterYSize="2">
  <Metadata domain="RPC"><MDI key="LINE_OFF">5</MDI></Metadata>
  <VRTRasterBand dataType="Int16" band="1">
    <UnitType>I/F</UnitType><Offset>0.5</Offset><Scale>0.25</Scale>
  </VRTRasterBand>
  <VRTRasterBand dataType="Int16" band="2"/>
</VRTDataset>"""


def test_scales_offsets_and_units_are_read(tmp_path):
    path = tmp_path / "scaled.vrt"
    path.write_text(VRT)
    with raster.open_raster(str(path)) as reader:
        assert reader.units == ("I/F", "")
        assert reader.scales == (0.25, 1.0)
        assert reader.offsets == (0.5, 0.0)


def test_rpcs_without_a_term_are_none(tmp_path):
    path = tmp_path / "rpcs.vrt"
    path.write_text(VRT)
    with raster.open_raster(str(path)) as reader:
        assert reader.georeference.rpcs is None
