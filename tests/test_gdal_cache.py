import threading

import numpy as np
import pytest
import rasterio
import rasterio.env
import rasters

from marsgan_tf.imaging import gdal, raster, tiff_blocks


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
