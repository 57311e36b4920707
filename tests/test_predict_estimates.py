"""Blur and noise that a conditioned model is told, read from the image."""

import json

import models
import numpy as np
import pytest
from predictions import predict
from rasters import write_gdal

from marsgan_tf.imaging import degrade, raster, terrain


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A noisy image of soft ground, float32."""
    ground = terrain.image((480, 512), gsd_m=1.0, seed=4)
    low = degrade.degrade(ground, 1.5)
    rng = np.random.default_rng(0)
    low = low + rng.normal(0.0, 0.02 * np.ptp(low), low.shape)
    path = tmp_path_factory.mktemp("estimates") / "ground.tif"
    return str(write_gdal(path, low.astype(np.float32), "GTiff"))


def run(source, output, **options):
    """Predicts; returns what was told, and the pixels."""
    predict(source, output, model=models.exported("conditioned"), **options)
    told = json.loads(output.with_suffix(".tif.json").read_text())
    with raster.open_raster(str(output)) as reader:
        return told["degradation"], reader.read(), reader.tags


@pytest.fixture(scope="module")
def automatic(source, tmp_path_factory):
    return run(source, tmp_path_factory.mktemp("auto") / "sr.tif")


def test_both_are_read_told_and_kept_in_the_tags(automatic):
    told, _, tags = automatic
    assert told["noise_sigma"] == [pytest.approx(0.02, rel=0.5)]
    assert 0 <= told["blur_sigma"] <= 2.6
    assert tags["MARSGAN_DEGRADATION"] == str(told)


def test_what_is_read_is_what_the_model_is_told(source, automatic, tmp_path):
    """The same pixels as by giving both."""
    told, pixels, _ = automatic
    given = {
        "blur_sigma": str(told["blur_sigma"]),
        "noise_sigma": str(told["noise_sigma"][0]),
    }
    again, found, _ = run(source, tmp_path / "sr.tif", **given)
    assert again == told
    np.testing.assert_array_equal(found, pixels)


def test_one_may_be_given(source, automatic, tmp_path):
    told, _, _ = run(source, tmp_path / "sr.tif", blur_sigma="0.3")
    assert told["blur_sigma"] == 0.3
    assert told["noise_sigma"] == automatic[0]["noise_sigma"]


def test_the_log_says_what_the_image_was_taken_for(source, tmp_path, caplog):
    with caplog.at_level("INFO", logger="absl"):
        told, _, _ = run(source, tmp_path / "sr.tif")
    assert f"blurred by {told['blur_sigma']:.2f} px" in caplog.text
    assert f"noise of {told['noise_sigma'][0]:.4f} of" in caplog.text


def test_too_little_ground_is_told_and_the_models_own_is_taken(
    tmp_path, caplog
):
    pixels = np.random.default_rng(0).random((39, 60), dtype=np.float32)
    source = str(write_gdal(tmp_path / "small.tif", pixels, "GTiff"))
    told, _, _ = run(source, tmp_path / "sr.tif")
    assert told == {
        "blur_sigma": models.BLUR_SIGMA,
        "noise_sigma": [models.NOISE_SIGMA],
    }
    assert "too little to read its blur" in caplog.text


def test_planes_share_the_blur_and_have_their_own_noise(tmp_path):
    ground = degrade.degrade(terrain.image(480, gsd_m=1.0, seed=4), 1.0)
    rng = np.random.default_rng(0)
    noise = np.array([0.005, 0.05]) * np.ptp(ground)
    bands = ground[..., None] + rng.normal(size=(*ground.shape, 2)) * noise
    source = str(
        write_gdal(tmp_path / "two.tif", bands.astype(np.float32), "GTiff")
    )
    told, pixels, _ = run(source, tmp_path / "sr.tif")
    clean, noisy = told["noise_sigma"]
    assert clean < 0.015 < 0.035 < noisy
    for band, sigma in enumerate((clean, noisy)):
        _, alone, _ = run(
            source,
            tmp_path / f"band_{band}.tif",
            bands=(band + 1,),
            blur_sigma=str(told["blur_sigma"]),
            noise_sigma=str(sigma),
        )
        np.testing.assert_array_equal(alone[..., 0], pixels[..., band])
