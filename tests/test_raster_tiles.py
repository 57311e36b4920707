import dataclasses

import affine
import numpy as np
import pytest
import rasterio.crs
import rasters
import test_georeference
from tile_writing import FORMATS, layout_of, noise, opened, write

from marsgan_tf.imaging import raster, raster_formats, raster_layout
from marsgan_tf.imaging.georeference import Georeference, GroundControlPoint

TURNED = affine.Affine(5.5, 1.25, 120000.0, 0.75, -6.5, -48000.0)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_pixels_read_back(tmp_path, dtype, bands, file_format):
    pixels = noise(bands=bands, dtype=dtype)
    path = write(tmp_path / "a.tif", pixels, file_format=file_format)
    with raster.open_raster(path) as reader:
        assert reader.dtype == pixels.dtype and reader.band_count == bands
        assert not reader.has_mask and reader.nodata is None
        np.testing.assert_array_equal(reader.read(), pixels)
    with opened(path) as dataset:
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        block = 256 if file_format == "GTiff" else 512
        assert dataset.block_shapes == [(block, block)] * bands
        assert dataset.overviews(1) == []
    assert structure["COMPRESSION"] == "DEFLATE"
    assert structure["PREDICTOR"] == ("3" if dtype == "float32" else "2")
    assert structure.get("LAYOUT") == ("COG" if file_format == "COG" else None)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("point", ["Area", "Point"])
def test_all_that_a_layout_says_reads_back(tmp_path, point, file_format):
    pixels = noise(bands=3, dtype="int16")
    layout = layout_of(
        pixels,
        georeference=Georeference(rasters.MARS_WKT, TURNED),
        nodata=-32768,
        band_names=("NIR", "", "BLU"),
        units=("I/F", "", "K"),
        scales=(1.0, 2.5e-5, 1.0),
        offsets=(0.0, 0.125, 0.0),
        tags={"AREA_OR_POINT": point, "SOURCE": "a=b: c", "INCIDENCE": "45.5"},
    )
    path = write(
        tmp_path / "a.tif", pixels, layout=layout, file_format=file_format
    )
    with raster.open_raster(path) as reader:
        for name in ("nodata", "band_names", "units", "scales", "offsets"):
            assert getattr(reader, name) == getattr(layout, name), name
        assert layout.tags.items() <= reader.tags.items()
        assert reader.transform == TURNED
        crs = rasterio.crs.CRS.from_wkt(reader.crs_wkt)
        assert crs == rasterio.crs.CRS.from_wkt(rasters.MARS_WKT)
        assert reader.is_georeferenced


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    "names",
    [
        ("red", "green", "blue"),
        ("gray", "undefined", "undefined"),
        ("blue", "green", "red"),
        ("red", "green", "blue", "undefined"),
        ("gray", "undefined", "undefined", "undefined"),
    ],
)
def test_colours_read_back(tmp_path, names, file_format):
    for dtype in ("uint8", "uint16"):
        pixels = noise(bands=len(names), dtype=dtype)
        layout = layout_of(pixels, colour_names=names)
        path = write(
            tmp_path / "a.tif", pixels, layout=layout, file_format=file_format
        )
        with raster.open_raster(path) as reader:
            assert reader.colour_names == names and not reader.has_mask


def test_three_bands_of_bytes_are_a_colour_image_unless_told(tmp_path):
    path = write(tmp_path / "a.tif", noise(bands=3, dtype="uint8"))
    with raster.open_raster(path) as reader:
        assert reader.colour_names == ("red", "green", "blue")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("tags", [{}, {"AREA_OR_POINT": "Point"}])
def test_control_points_read_back(tmp_path, tags, file_format):
    points = tuple(
        GroundControlPoint(row, col, 10.0 * col, -7.0 * row, 3.5)
        for row, col in [(1.5, 2.25), (50.0, 2.0), (1.0, 60.0), (9.0, 130.0)]
    )
    pixels = noise()
    ground = Georeference(gcps=points, gcps_crs_wkt=rasters.MARS_WKT)
    path = write(
        tmp_path / "a.tif",
        pixels,
        layout=layout_of(pixels, georeference=ground, tags=tags),
        file_format=file_format,
    )
    with raster.open_raster(path) as reader:
        found = reader.georeference
    assert found.transform == affine.Affine.identity()
    assert rasterio.crs.CRS.from_wkt(
        found.gcps_crs_wkt
    ) == rasterio.crs.CRS.from_wkt(rasters.MARS_WKT)
    unnamed = [dataclasses.replace(p, id="", info="") for p in found.gcps]
    assert tuple(unnamed) == points


@pytest.mark.parametrize("file_format", FORMATS)
def test_rpcs_read_back(tmp_path, file_format):
    rpcs = test_georeference.random_rpcs()
    pixels = noise()
    layout = layout_of(pixels, georeference=Georeference(rpcs=rpcs))
    path = write(
        tmp_path / "a.tif", pixels, layout=layout, file_format=file_format
    )
    with raster.open_raster(path) as reader:
        found = reader.georeference.rpcs
    for name, term in rpcs.items():
        np.testing.assert_allclose(found[name], term, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("file_format", FORMATS)
def test_mask_reads_back(tmp_path, file_format):
    pixels = noise(bands=2)
    valid = np.random.default_rng(1).random(pixels.shape[:2]) < 0.7
    path = write(tmp_path / "a.tif", pixels, valid, file_format=file_format)
    with raster.open_raster(path) as reader:
        assert reader.has_mask and reader.nodata is None
        np.testing.assert_array_equal(reader.read_valid(), valid)
        np.testing.assert_array_equal(reader.read(), pixels)


def test_valid_is_not_heeded_without_a_mask(tmp_path):
    pixels = noise()
    layout = layout_of(pixels, nodata=7)
    valid = np.zeros(pixels.shape[:2], bool)
    path = write(tmp_path / "a.tif", pixels, valid, layout=layout)
    with raster.open_raster(path) as reader:
        assert not reader.has_mask
        expected = pixels[..., 0] != 7
        np.testing.assert_array_equal(reader.read_valid(), expected)
    assert not expected.all()


def blocks_of(pixels, factor):
    height, width = (side // factor * factor for side in pixels.shape[:2])
    split = pixels[:height, :width, 0].reshape(
        height // factor, factor, width // factor, factor
    )
    return split.transpose(0, 2, 1, 3).reshape(
        height // factor, width // factor, factor**2
    )


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("kind", ["plain", "nodata", "mask"])
def test_overviews_are_means_of_valid_pixels(tmp_path, kind, file_format):
    pixels = noise(1040, 600, dtype="float32") + np.float32(1)
    valid = None
    if kind != "plain":
        hidden = np.random.default_rng(2).random(pixels.shape[:2]) < 0.4
        pixels[hidden] = 0
        valid = ~hidden
    layout = layout_of(
        pixels,
        nodata=0 if kind == "nodata" else None,
        has_mask=kind == "mask",
    )
    path = write(
        tmp_path / "a.tif",
        pixels,
        valid,
        layout=layout,
        overviews=True,
        file_format=file_format,
    )
    with opened(path) as dataset:
        assert dataset.overviews(1) == [2, 4]
    with opened(path, overview_level=0) as dataset:
        found, seen = dataset.read(1), dataset.read_masks(1)
        assert dataset.compression.name == "deflate"
    blocks = blocks_of(pixels, 2)
    weights = (blocks != 0).astype(float)
    sums, counts = (blocks * weights).sum(-1), weights.sum(-1)
    np.testing.assert_array_equal(seen != 0, counts > 0)
    np.testing.assert_allclose(
        found[counts > 0], (sums / np.maximum(counts, 1))[counts > 0], 1e-5
    )


@pytest.mark.parametrize(
    "shape, factors",
    [((511, 511), []), ((512, 2), [2]), ((7, 1024), [2, 4]), ((1, 1), [])],
)
def test_overviews_end_below_512(tmp_path, shape, factors):
    for file_format in FORMATS:
        path = write(
            tmp_path / "a.tif",
            noise(*shape),
            overviews=True,
            file_format=file_format,
        )
        with opened(path) as dataset:
            assert dataset.overviews(1) == factors


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("nodata", [None, 0])
def test_an_image_of_nothing_is_written(tmp_path, nodata, file_format):
    pixels = np.zeros((600, 700, 2), np.uint8)
    valid = np.zeros((600, 700), bool)
    path = write(
        tmp_path / "a.tif",
        pixels,
        valid,
        layout=layout_of(pixels, has_mask=True, nodata=nodata),
        overviews=True,
        file_format=file_format,
    )
    with raster.open_raster(path) as reader:
        assert not reader.read_valid().any() and not reader.read().any()


@pytest.mark.parametrize("file_format", FORMATS)
def test_same_bytes_in_two_runs(tmp_path, file_format):
    pixels = noise(530, 520, bands=3, dtype="uint8")
    valid = pixels[..., 0] > 30
    layout = layout_of(
        pixels, has_mask=True, georeference=Georeference(rasters.MARS_WKT)
    )
    path = tmp_path / "a.tif"
    options = {"file_format": file_format, "overviews": True, "layout": layout}
    write(path, pixels, valid, size=100, **options)
    first = path.read_bytes()
    write(path, pixels, valid, size=100, **options)
    assert path.read_bytes() == first


def test_bytes_of_a_cog_do_not_depend_on_tiles(tmp_path):
    pixels = noise(530, 520)
    path = tmp_path / "a.tif"
    contents = set()
    for size in (33, 256, 1000):
        write(path, pixels, size=size, file_format="COG")
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_blocks_across_tiles_are_not_written_twice(tmp_path):
    pixels = noise(1500, 1500)
    path = tmp_path / "a.tif"
    sizes = []
    for size in (256, 1500, 100, 37):
        write(path, pixels, size=size)
        sizes.append(path.stat().st_size)
    assert max(sizes) == min(sizes)


@pytest.mark.parametrize(
    "side, bands, dtype, expected",
    [
        (31000, 1, "uint8", "NO"),
        (32000, 1, "uint8", "YES"),
        (8000, 4, "float32", "YES"),
        (7900, 4, "float32", "NO"),
    ],
)
def test_large_files_are_bigtiffs(side, bands, dtype, expected):
    layout = raster_layout.RasterLayout(
        height=side, width=side, bands=bands, dtype=np.dtype(dtype)
    )
    for file_format in FORMATS:
        profile = raster_formats.profile(file_format, layout)
        assert profile["BIGTIFF"] == expected
    assert raster_formats.cog_options(layout, False)["BIGTIFF"] == expected
