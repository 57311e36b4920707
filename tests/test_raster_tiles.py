import dataclasses
import math
import os
import threading
import warnings

import affine
import numpy as np
import pytest
import rasterio
import rasterio.crs
import rasterio.env
import rasterio.errors
import rasterio.windows
import rasters
import test_georeference

from marsgan_tf import errors
from marsgan_tf.imaging import (
    gdal,
    raster,
    raster_formats,
    raster_layout,
    raster_tiles,
    tiff_blocks,
)
from marsgan_tf.imaging.georeference import Georeference, GroundControlPoint

FORMATS = ("GTiff", "COG")
TURNED = affine.Affine(5.5, 1.25, 120000.0, 0.75, -6.5, -48000.0)


def noise(height=150, width=130, bands=1, dtype="uint16", seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((height, width, bands)) * 250).astype(dtype)


def opened(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, **options)


def layout_of(pixels, **attributes):
    height, width, bands = pixels.shape
    return raster_layout.RasterLayout(
        height=height,
        width=width,
        bands=bands,
        dtype=pixels.dtype,
        **attributes,
    )


def tiles_of(pixels, valid=None, size=64):
    """A callable for `write_tiles` that cuts an image, row by row."""

    def tiles():
        for row in range(0, pixels.shape[0], size):
            for col in range(0, pixels.shape[1], size):
                part = np.s_[row : row + size, col : col + size]
                yield (
                    row,
                    col,
                    pixels[part],
                    valid if valid is None else valid[part],
                )

    return tiles


def write(path, pixels, valid=None, *, size=64, layout=None, **options):
    raster_tiles.write_tiles(
        str(path),
        layout or layout_of(pixels, has_mask=valid is not None),
        tiles_of(pixels, valid, size),
        **options,
    )
    assert os.listdir(path.parent) == [path.name]
    return str(path)


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


# What goes wrong.


@pytest.mark.parametrize("overviews", [False, True])
@pytest.mark.parametrize("file_format", FORMATS)
def test_full_disk_is_told_wherever_it_happens(
    tmp_path, file_format, overviews
):
    resource = pytest.importorskip("resource")
    pixels = noise(600, 560, dtype="float32")
    valid = pixels[..., 0] > 100
    options = {"file_format": file_format, "overviews": overviews, "size": 256}
    path = tmp_path / "a.tif"
    write(path, pixels, valid, **options)
    size = path.stat().st_size
    path.unlink()
    limits = np.linspace(0.02, 0.98, 9) * size
    tail = size - np.array([1, 100, 800, 2500])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in np.concatenate([limits, tail]).astype(int).tolist():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(errors.RasterError) as caught:
                write(path, pixels, valid, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "a.tif: cannot be written, look for free" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert os.listdir(tmp_path) == []


def test_full_disk_ends_the_writing_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    pixels = np.random.default_rng(0).integers(0, 256, (1024, 1024, 1), "u1")
    layout = raster_layout.RasterLayout(
        height=2**17, width=1024, bands=1, dtype=pixels.dtype
    )
    asked = []

    def tiles():
        for row in range(0, layout.height, 1024):
            asked.append(row)
            yield row, 0, pixels, None

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(errors.RasterError, match="cannot be written"):
            raster_tiles.write_tiles(str(tmp_path / "a.tif"), layout, tiles)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(asked) < 80  # Of 128, of which the cache holds 64.
    assert os.listdir(tmp_path) == []


def test_missing_folder_is_told(tmp_path):
    with pytest.raises(errors.RasterError, match="x.tif: cannot be written"):
        write(tmp_path / "no" / "x.tif", noise())


def test_read_only_folder_is_told(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # Whom permissions bind.
    try:
        with pytest.raises(errors.RasterError, match="Permission denied"):
            write(folder / "x.tif", noise())
    finally:
        if is_root:
            os.seteuid(0)
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    "error", [KeyError("mine"), errors.RasterError("in.tif: is cut off")]
)
@pytest.mark.parametrize("failing_call", [1, 2])
def test_what_tiles_raise_passes_unchanged(tmp_path, error, failing_call):
    calls = []

    def tiles():
        calls.append(1)
        if len(calls) == failing_call:
            raise error
        return tiles_of(noise())()

    with pytest.raises(type(error)) as caught:
        raster_tiles.write_tiles(
            str(tmp_path / "a.tif"), layout_of(noise()), tiles
        )
    assert caught.value is error
    assert os.listdir(tmp_path) == []


def test_tiles_that_change_are_told(tmp_path):
    calls = []

    def tiles():
        calls.append(1)
        return tiles_of(noise(seed=len(calls)))()

    with pytest.raises(errors.RasterError, match="does not read back"):
        raster_tiles.write_tiles(
            str(tmp_path / "a.tif"), layout_of(noise()), tiles
        )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "tiles, words",
    [
        (tiles_of(noise(149)), "must cover 19500 pixels. Received: 19370"),
        (tiles_of(noise(151)), "must lie within 150 rows"),
        (tiles_of(noise(bands=2)), "with 1 bands of uint16"),
        (tiles_of(noise(dtype="uint8")), "with 1 bands of uint16"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(tmp_path, tiles, words):
    with pytest.raises(ValueError, match=words):
        raster_tiles.write_tiles(
            str(tmp_path / "a.tif"), layout_of(noise()), tiles
        )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "attributes, words",
    [
        ({"nodata": 0.5}, "`nodata` must be a value"),
        ({"nodata": math.nan}, "`nodata` must be a value"),
        ({"band_names": ("a", "b")}, "`band_names` must have one entry"),
        ({"scales": (1.0, 2.0)}, "`scales` must have one entry"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(attributes, words):
    with pytest.raises(ValueError, match=words):
        layout_of(noise(), **attributes)


def test_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`file_format` must be one of GTiff"):
        write(tmp_path / "a.gif", noise(), file_format="GIF")
    assert os.listdir(tmp_path) == []


def test_overviews_are_for_tiffs(tmp_path):
    with pytest.raises(ValueError, match="`overviews` must be False"):
        write(tmp_path / "a.png", noise(), file_format="PNG", overviews=True)
    assert os.listdir(tmp_path) == []


# Blocks of a TIFF.


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize("layout", ["tiles", "strips"])
@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_blocks_lie_where_gdal_says(tmp_path, big, layout, order):
    sides = {"blockxsize": 32, "blockysize": 16} if layout == "tiles" else {}
    path = rasters.write_gdal(
        tmp_path / "a.tif",
        noise(),
        "GTiff",
        BIGTIFF=big,
        ENDIANNESS=order,
        tiled=layout == "tiles",
        compress="deflate",
        **sides,
    )
    (found,) = tiff_blocks.directories(path)
    with opened(path) as dataset:
        expected = [
            tuple(
                int(dataset.get_tag_item(f"{name}_{x}_{y}", "TIFF", bidx=1))
                for name in ("BLOCK_OFFSET", "BLOCK_SIZE")
            )
            for (y, x), _ in dataset.block_windows(1)
        ]
    assert found == expected


def test_cut_directories_are_told(tmp_path):
    path = tmp_path / "a.tif"
    for content in (b"", b"II", b"II*\0\x10\0\0\0", b"PNG and more"):
        path.write_bytes(content)
        with pytest.raises(OSError, match="directories cannot be read"):
            tiff_blocks.directories(str(path))


# GDAL's cache.


def cache_size():
    return rasterio.env.get_gdal_config("GDAL_CACHEMAX")


def test_shares_of_the_cache_add_up_and_come_back():
    before = cache_size()
    with gdal.block_cache(5 * 2**30):
        assert cache_size() == 5 * 2**30
        with rasterio.Env(**gdal.OPTIONS):
            assert cache_size() == 5 * 2**30
            with gdal.block_cache(2**20):
                assert cache_size() == 5 * 2**30 + 2**20
        assert cache_size() == 5 * 2**30
    assert cache_size() == before


def test_cache_outlives_another_thread():
    before = cache_size()
    opened, closing = threading.Event(), threading.Event()

    def hold():
        with gdal.block_cache(3 * 2**20):
            opened.set()
            closing.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    opened.wait(10)
    with gdal.block_cache(2**20):
        assert cache_size() == 4 * 2**20
        closing.set()
        thread.join()
        assert cache_size() == 2**20
    assert cache_size() == before


@pytest.mark.parametrize("size, is_kept", [(2**16 + 1, False), (2**24, True)])
def test_gdal_heeds_the_cache_after_its_first_use(tmp_path, size, is_kept):
    pixels = np.ones((512, 512, 1), np.uint8)
    path = rasters.write_gdal(
        tmp_path / "a.tif",
        pixels,
        "GTiff",
        tiled=True,
        blockxsize=256,
        blockysize=256,
    )
    offset, length = tiff_blocks.directories(path)[0][0]
    with gdal.block_cache(size), raster.open_raster(path) as reader:
        reader.read(height=256, width=256)
        reader.read(row=256)
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(b"\2" * length)
        again = reader.read(height=256, width=256)
    assert (again == (1 if is_kept else 2)).all()


def test_no_cache_is_refused():
    with pytest.raises(ValueError, match="`size` must be at least 1"):
        with gdal.block_cache(0):
            pass
