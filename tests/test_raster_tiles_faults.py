import math
import os

import numpy as np
import pytest
from tile_writing import FORMATS, layout_of, noise, tiles_of, write

from marsgan_tf import errors
from marsgan_tf.imaging import raster_layout, raster_tiles


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
