"""From image files to grey pixels with a data mask."""

import tempfile

import numpy as np
import pytest
import rasters
from PIL import Image

from marsgan_tf import errors
from marsgan_tf.imaging import stretch
from pipelines import decoding, spool


@pytest.fixture
def scratch():
    with tempfile.TemporaryFile() as file:
        yield file


@pytest.fixture(autouse=True)
def small_strips(monkeypatch):
    """Several strips also for small images."""
    monkeypatch.setattr(decoding, "_STRIP_PX", 700)


def random_image(*shape, dtype="uint16", low=3, high=1000):
    rng = np.random.default_rng(0)
    return rng.integers(low, high, shape).astype(dtype)


def decode(path, scratch, band=0, nodata=()):
    scene = decoding.decode(str(path), scratch, band=band, nodata=nodata)
    return scene, *scene.pixels.read(0, scene.height)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("width", [16, 19])
def test_spool_gives_back_what_was_written(scratch, dtype, width):
    grey = random_image(30, width, dtype=dtype, high=120)
    valid = grey % 3 != 0
    stored = spool.Spool(scratch, 30, width, np.dtype(dtype))
    for rows in (np.s_[20:30], np.s_[0:7], np.s_[7:20]):
        stored.write(rows.start, grey[rows], valid[rows])
    for start, end in ((0, 30), (5, 6), (13, 29)):
        found = stored.read(start, end)
        np.testing.assert_array_equal(found[0], grey[start:end])
        np.testing.assert_array_equal(found[1], valid[start:end])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_pixels_keep_value_and_dtype(tmp_path, scratch, dtype):
    image = random_image(50, 60, dtype=dtype, high=250)
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    scene, grey, valid = decode(path, scratch)
    assert grey.dtype == dtype
    np.testing.assert_array_equal(grey, image)
    assert valid.all()
    assert scene.stretch == stretch.fit(image)


def test_doubles_are_stored_as_floats(tmp_path, scratch):
    image = random_image(50, 60).astype(np.float64) / 7
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    _, grey, _ = decode(path, scratch)
    np.testing.assert_array_equal(grey, image.astype(np.float32))


def test_single_tile_jpeg_2000(tmp_path, scratch):
    image = random_image(90, 100)
    path = rasters.write_jp2(tmp_path / "a.jp2", image, 128)
    _, grey, _ = decode(path, scratch)
    np.testing.assert_array_equal(grey, image)


def test_declared_no_data_and_nan(tmp_path, scratch):
    image = random_image(50, 60).astype(np.float32)
    image[10:14, 20:30] = -1
    image[40, 5] = np.nan
    image[41, 5] = -np.inf
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff", nodata=-1)
    scene, grey, valid = decode(path, scratch)
    np.testing.assert_array_equal(valid, np.isfinite(image) & (image != -1))
    assert np.isfinite(grey).all()
    assert scene.stretch == stretch.fit(image[valid])


def test_more_no_data_values_from_the_command(tmp_path, scratch):
    image = random_image(50, 60, dtype="uint8", high=9)
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    _, _, valid = decode(path, scratch, nodata=(4.0, 6.0, -1.0))
    np.testing.assert_array_equal(valid, ~np.isin(image, (4, 6)))


def test_special_pixels_of_hirise(tmp_path, scratch):
    image = random_image(50, 60)
    image[5, 10:20] = [0, 1, 2, 3, 4, 1020, 1021, 1022, 1023, 1024]
    path = tmp_path / "ESP_068294_1985_RED.tif"
    rasters.write_gdal(path, image, "GTiff")
    _, _, valid = decode(path, scratch)
    np.testing.assert_array_equal(valid, ~np.isin(image, (0, 1, 2, 1022, 1023)))


def test_label_tells_special_pixels_and_calibration(tmp_path, scratch):
    image = random_image(50, 60)
    rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    (tmp_path / "A.LBL").write_text(
        "PDS_VERSION_ID = PDS3\nOBJECT = IMAGE\nSCALING_FACTOR = 0.25\n"
        "OFFSET = 2.0\nCORE_NULL = 7\nEND_OBJECT = IMAGE\nEND\n"
    )
    scene, _, valid = decode(tmp_path / "a.tif", scratch)
    np.testing.assert_array_equal(valid, image != 7)
    assert (scene.label.scaling_factor, scene.label.offset) == (0.25, 2.0)


def test_three_bands_become_luma(tmp_path, scratch):
    image = random_image(50, 60, 3, dtype="uint8", low=0, high=256)
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    _, grey, _ = decode(path, scratch)
    expected = np.asarray(Image.fromarray(image).convert("L"), np.int16)
    # Pillow rounds its weights to 16 bits.
    assert np.abs(grey - expected).max() <= 1
    np.testing.assert_array_equal(
        grey, np.rint(image @ np.array([0.299, 0.587, 0.114]) - 1e-9)
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_equal_bands_keep_their_value(dtype):
    band = random_image(20, 30, dtype=dtype, low=0, high=255)
    grey = decoding.to_grey(np.repeat(band[..., np.newaxis], 3, axis=2))
    assert grey.dtype == dtype
    np.testing.assert_allclose(grey, band, rtol=1e-6)


def test_one_band_can_be_chosen(tmp_path, scratch):
    image = random_image(50, 60, 5)
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    _, grey, _ = decode(path, scratch, band=4)
    np.testing.assert_array_equal(grey, image[..., 3])


def test_stretch_comes_from_a_bounded_sample(tmp_path, scratch, monkeypatch):
    image = random_image(400, 300)
    path = rasters.write_gdal(tmp_path / "a.tif", image, "GTiff")
    whole, *_ = decode(path, scratch)
    monkeypatch.setattr(decoding, "_SAMPLES_MAX", 5000)
    sampled, *_ = decode(path, scratch)
    step = 5  # The least that leaves at most 5000 of 120000 pixels.
    assert sampled.stretch == stretch.fit(image[::step, ::step])
    assert abs(sampled.stretch.low - whole.stretch.low) < 10
    monkeypatch.setattr(decoding, "_STRIP_PX", 10_000)
    assert decode(path, scratch)[0].stretch == sampled.stretch


def test_scene_without_data_is_named(tmp_path, scratch):
    path = rasters.write_gdal(
        tmp_path / "a.tif", np.zeros((50, 60), np.uint8), "GTiff", nodata=0
    )
    with pytest.raises(errors.DatasetError, match="a.tif: no pixel has data"):
        decode(path, scratch)
