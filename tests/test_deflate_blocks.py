"""Damage that GDAL does not tell of is told, and only where it is read."""

import contextlib
import struct

import numpy as np
import pytest
import rasterio
import rasters

from marsgan_tf import errors
from marsgan_tf.imaging import deflate_blocks, raster

TILE = 64
TILED = {"tiled": True, "blockxsize": TILE, "blockysize": TILE}


def pixels(bands=1, dtype="float32"):
    random = np.random.default_rng(0)
    return random.integers(1, 250, (150, 130, bands)).astype(dtype)


def damaged(path, row, col, band=1):
    """Flips a bit in the checksum of a block: its pixels stay as they are."""
    with rasterio.open(path) as dataset:
        offset, size = (
            int(dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", band))
            for what in ("OFFSET", "SIZE")
        )
    with open(path, "r+b") as file:
        file.seek(offset + size - 1)
        (last,) = struct.unpack("B", file.read(1))
        file.seek(offset + size - 1)
        file.write(bytes([last ^ 1]))


@pytest.mark.parametrize("predictor", [1, 2, 3])
@pytest.mark.parametrize("layout", [{}, TILED])
def test_sound_blocks_are_read(tmp_path, predictor, layout):
    image = pixels(2)
    path = rasters.write_geotiff(
        tmp_path / "a.tif",
        image,
        compress="deflate",
        predictor=predictor,
        **layout,
    )
    with raster.open_raster(path) as reader:
        np.testing.assert_array_equal(reader.read(), image)
        np.testing.assert_array_equal(
            reader.read(60, 61, 9, 8), image[60:69, 61:69]
        )


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_a_damaged_block_is_named_where_it_is_read(tmp_path, interleave):
    image = pixels(3)
    path = rasters.write_geotiff(
        tmp_path / "a.tif",
        image,
        compress="deflate",
        predictor=3,
        interleave=interleave,
        **TILED,
    )
    damaged(path, 1, 2, band=2)
    with raster.open_raster(path) as reader:
        around = reader.read(0, 0, TILE, 130)
        np.testing.assert_array_equal(around, image[:TILE])
        reader.read(TILE, 0, TILE, 2 * TILE)
        for _ in range(2):  # Told again, not once.
            with pytest.raises(
                errors.RasterError, match="rows 70 .* damaged or incomplete"
            ):
                reader.read(70, 100, 10, 30)
        if interleave == "band":
            only = reader.read(70, 100, 10, 30, bands=(1, 3))
            expected = image[70:80, 100:130, [0, 2]]
            np.testing.assert_array_equal(only, expected)


def test_what_gdal_reads_of_a_cut_block_is_told(tmp_path):
    """GDAL 3.10 gives a row of stale memory, and reports success."""
    path = rasters.write_geotiff(
        tmp_path / "a.tif", pixels(), compress="deflate", predictor=3
    )
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", 1))
        size = int(dataset.get_tag_item("BLOCK_SIZE_0_0", "TIFF", 1))
    with open(path, "r+b") as file:
        file.seek(offset + size // 2)
        file.write(bytes(40))
    with raster.open_raster(path) as reader:
        with pytest.raises(errors.RasterError, match="damaged or incomplete"):
            reader.read(0, 0, 20, 130)


def test_every_damage_is_found_without_gdal(tmp_path):
    path = rasters.write_geotiff(
        tmp_path / "a.tif", pixels(), compress="deflate", predictor=3, **TILED
    )
    window = rasterio.windows.Window(100, 70, 30, 10)
    with rasterio.open(path) as dataset:
        blocks = deflate_blocks.DeflateBlocks(dataset)
        with contextlib.closing(blocks):
            assert blocks.damaged([1], window) is None
            offset, size = (
                int(dataset.get_tag_item(f"BLOCK_{what}_2_1", "TIFF", 1))
                for what in ("OFFSET", "SIZE")
            )
            assert blocks._inflates(offset, size)
            assert not blocks._inflates(offset, size - 3)  # Cut off.
            assert not blocks._inflates(offset, 10**9)  # Beyond the file.
    damaged(path, 1, 2)
    with rasterio.open(path) as dataset:
        blocks = deflate_blocks.DeflateBlocks(dataset)
        with contextlib.closing(blocks):
            assert blocks.damaged([1], window) == (TILE, 2 * TILE)


def test_blocks_that_were_never_written_are_sound(tmp_path):
    options = {"driver": "GTiff", "dtype": "float32", "count": 1, **TILED}
    path = tmp_path / "a.tif"
    with rasterio.open(
        path,
        "w",
        width=256,
        height=256,
        compress="deflate",
        predictor=3,
        sparse_ok=True,
        transform=rasters.MARS_TRANSFORM,
        **options,
    ):
        pass
    with raster.open_raster(str(path)) as reader:
        assert not reader.read().any()


def test_a_block_is_inflated_once(tmp_path, monkeypatch):
    path = rasters.write_geotiff(
        tmp_path / "a.tif", pixels(), predictor=3, compress="deflate", **TILED
    )
    calls = []
    inflate = deflate_blocks.DeflateBlocks._inflates
    monkeypatch.setattr(
        deflate_blocks.DeflateBlocks,
        "_inflates",
        lambda self, *block: calls.append(block) or inflate(self, *block),
    )
    with raster.open_raster(path) as reader:
        for _ in range(3):
            reader.read()
    assert len(calls) == len(set(calls)) == 9
