"""The demonstration: a generated strip, or the user's own, to a page."""

import models
import numpy as np
import pytest
from predictions import image
from rasters import write_gdal

from marsgan_tf import config, errors
from marsgan_tf.demonstration import run, strip
from marsgan_tf.imaging import degrade, raster


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What the demonstration leaves behind, small and by a tiny model."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_SIZE", (256, 320))
        run.run(
            config.DemoConfig(
                output_dir=str(folder / "new"), model=models.exported("plain")
            )
        )
    return folder / "new"


def read(path):
    with raster.open_raster(str(path)) as reader:
        return reader.read(), reader.transform, reader.crs_wkt


def test_the_strip_is_what_a_coarser_camera_sees(demo):
    truth, fine, crs = read(demo / "truth.tif")
    seen, coarse, crs_of_strip = read(demo / "strip.tif")
    assert truth.shape == (256, 320, 3)
    assert seen.shape == (64, 80, 3)
    assert crs == crs_of_strip
    assert "Mars" in crs
    assert coarse.a == 4 * fine.a == 4.0
    assert (coarse.c, coarse.f) == (fine.c, fine.f)
    for band in range(3):
        clean = degrade.degrade(truth[..., band], strip.BLUR_SIGMA)
        noise = (seen[..., band] - clean) / np.ptp(clean)
        assert noise.std() == pytest.approx(strip.NOISE_SIGMA, rel=0.05)


def test_colour_follows_the_ground():
    """Its ratios stay within those of rock and dust, and take both."""
    truth = strip.colour_image((128, 128), gsd_m=1.0, seed=3)
    ratio = truth[..., 2] / truth[..., 0]
    assert ratio.min() == pytest.approx(0.4 / 1.25, rel=1e-3)
    assert ratio.max() == pytest.approx(0.62 / 0.95, rel=1e-3)


def test_the_page_is_there(demo):
    sharp, transform, _ = read(demo / "strip_sr.tif")
    assert sharp.shape == (256, 320, 3)
    assert transform == read(demo / "truth.tif")[1]
    page = (demo / "report" / "report.html").read_text()
    assert "MARSGAN" in page
    assert "truth" in page
    assert (demo / "report" / "scores.csv").exists()


def test_an_own_image_needs_no_truth(tmp_path):
    source = write_gdal(tmp_path / "my strip.png", image(80, 90), "PNG")
    folder = tmp_path / "out"
    run.run(
        config.DemoConfig(
            input=str(source),
            output_dir=str(folder),
            model=models.exported("plain"),
        )
    )
    assert (folder / "my strip_sr.tif").exists()
    assert "truth" not in (folder / "report" / "report.html").read_text()


def test_a_missing_model_is_told_before_the_strip_is_assessed(tmp_path):
    with pytest.raises(errors.ModelError, match="holds no exported model"):
        run.run(
            config.DemoConfig(
                input=str(write_gdal(tmp_path / "a.png", image(), "PNG")),
                output_dir=str(tmp_path / "out"),
                model=str(tmp_path / "none"),
            )
        )
    assert not (tmp_path / "out" / "report").exists()
