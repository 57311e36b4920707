import csv
import math
import pathlib

import numpy as np
import pytest
import restored_scenes
from restored_scenes import HOLE, SHAPE, config, opened, table, write_spread

from marsgan_tf import errors
from marsgan_tf.assessment import comparison, evaluating
from marsgan_tf.imaging import degrade, raster


@pytest.fixture(scope="module")
def ground():
    return restored_scenes.make()


@pytest.fixture(scope="module")
def files(ground, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    return restored_scenes.write(ground, folder)


HOSTILE = r"$\frac{$ <script>alert(1)</script> \$ $a$"


def test_names_are_shown_as_they_are(files, tmp_path):
    """Whatever users call their images: no formula, no HTML."""
    spread = write_spread(tmp_path)
    output = tmp_path / "out"
    evaluating.evaluate(
        config(
            output,
            files,
            images=(f"lr={files['lr']}", f"{HOSTILE}={files['sr']}"),
            deviations=(f"{HOSTILE}={spread}",),
            reference=files["hr"],
            reference_name=f"r{HOSTILE}",
        )
    )
    page = (output / "report.html").read_text()
    assert "<script>alert" not in page
    drawn = {path.name for path in (output / "figures").glob("*.png")}
    assert drawn >= {"crops.png", "calibration.png"}


@pytest.fixture(scope="module")
def evaluated(files, ground, tmp_path_factory):
    """All that can be given, given."""
    folder = tmp_path_factory.mktemp("evaluated")
    spread = write_spread(folder)
    regions = folder / "edges.csv"
    regions.write_text(
        "name,row,col,height,width\n" + "e1,10,12,16,16\ne2,28,30,16,16\n"
    )
    evaluating.evaluate(
        config(
            folder / "out",
            files,
            reference=files["hr"],
            deviations=(f"MARSGAN={spread}",),
            edges=str(regions),
        )
    )
    return folder / "out"


def test_table_2_is_the_direct_computation(evaluated, files):
    found = table(evaluated, "scores")
    assert len(found["rows"]) == 9
    assert [row["image"] for row in found["summary"]] == [
        "input",
        "MARSGAN",
        "reference",
    ]
    listed = (evaluated / "crops.csv").read_text().splitlines()
    (region, *_) = csv.DictReader(listed)
    row, col, height, width = (
        int(region[key]) for key in ("row", "col", "height", "width")
    )
    place = np.s_[row : row + height, col : col + width]
    options = {"reference": files["hr"], "stretch": "auto"}
    images = (f"input={files['lr']}", f"MARSGAN={files['sr']}")
    with opened(*images, **options) as compared:
        low, high = compared.stretch.low, compared.stretch.high
    with (
        raster.open_raster(files["hr"]) as one,
        raster.open_raster(files["sr"]) as other,
    ):
        truth, restored = one.read()[place][..., 0], other.read()[place][..., 0]
    error = (restored.astype(float) - truth) / (high - low)
    expected = -10 * math.log10(np.mean(error**2))
    scored = next(r for r in found["rows"] if r["image"] == "MARSGAN")
    assert scored["crop"] == "A"
    assert scored["psnr_db"] == pytest.approx(expected, abs=1e-6)
    mean = np.mean(
        [r["psnr_db"] for r in found["rows"] if r["image"] == "MARSGAN"]
    )
    assert found["summary"][1]["psnr_db"] == pytest.approx(mean)
    gain = found["summary"][1]["psnr_db"] - found["summary"][0]["psnr_db"]
    assert gain > 3  # Half of the difference to the reference is made good.
    for extension in ("csv", "md"):
        assert "MARSGAN" in (evaluated / f"scores.{extension}").read_text()


def test_honesty_residual_and_calibration_are_written(evaluated, ground):
    (shares,) = table(evaluated, "honesty")["rows"]
    total = sum(
        shares[key] for key in ("improvement", "omission", "hallucination")
    )
    assert total == pytest.approx(1, abs=1e-6)
    assert shares["improvement"] > 0.2
    (residual,) = table(evaluated, "residual")["rows"]
    left = ground["lr"] - degrade.degrade(ground["sr"], 1.6)
    assert residual["blur_sigma_px"] == 1.6
    assert residual["rms_native"] == pytest.approx(
        math.sqrt(np.mean(left**2)), rel=1e-3
    )
    (calibrated,) = table(evaluated, "calibration")["rows"]
    known = np.ones(SHAPE, bool)
    known[HOLE] = False
    error = np.abs(ground["sr"] - ground["hr"])[known]
    # Of equal deviations, bins are parts of the image.
    bins = [np.sqrt(np.mean(part**2)) for part in np.array_split(error, 10)]
    assert calibrated["slope"] == pytest.approx(np.mean(bins) / 4.25, rel=1e-4)
    assert calibrated["coverage_1"] == pytest.approx(np.mean(error < 4.25))
    names = {path.name for path in (evaluated / "figures").iterdir()}
    assert {
        "crops.png",
        "honesty_MARSGAN.png",
        "residual_MARSGAN.png",
        "calibration.png",
    } <= names
    assert len(table(evaluated, "reliability")["rows"]) == 10


def test_blur_is_read_from_the_predictions_sidecar(files, tmp_path):
    path = tmp_path / "sr.tif"
    path.write_bytes(pathlib.Path(files["sr"]).read_bytes())
    sidecar = tmp_path / "sr.tif.json"
    sidecar.write_text('{"degradation": {"blur_sigma": 0.75}}')
    with opened(f"a={path}") as found:
        image = found.images[0]
        assert comparison.blur_sigma(image, -1.0) == 0.75
        assert comparison.blur_sigma(image, 0.2) == 0.2
        odd = ("NaN", "Infinity", "-1", "1e9", "1" + "0" * 400, "null")
        odd = [f'{{"degradation": {{"blur_sigma": {one}}}}}' for one in odd]
        for text in ("[]", "[" * 100_000, *odd):
            sidecar.write_text(text)
            assert comparison.blur_sigma(image, -1.0) == 1.6


def test_without_reference_what_can_be_told_is_told(files, tmp_path):
    output = tmp_path / "out"
    evaluating.evaluate(config(output, files))
    for row in table(output, "scores")["rows"]:
        assert row["psnr_db"] is None and row["mssim"] is None
        assert row["piqe"] is not None
    assert (output / "residual.csv").exists()
    for name in ("honesty", "calibration"):
        assert not (output / f"{name}.csv").exists()
    page = (output / "report.html").read_text()
    assert "without a reference" in page and "PSNR</dt>" not in page


def test_one_image_alone(files, tmp_path):
    output = tmp_path / "out"
    evaluating.evaluate(config(output, files, images=(f"a={files['lr']}",)))
    assert {path.name for path in output.iterdir()} == {
        "report.html",
        "figures",
        "scores_whole.csv",
        "scores_whole.json",
        "scores_whole.md",
    }


def test_crops_may_be_given(files, tmp_path):
    listed = tmp_path / "crops.csv"
    listed.write_text("name,row,col,height,width\nrim,60,70,40,50\n")
    options = {"reference": files["hr"], "crops": str(listed)}
    evaluating.evaluate(config(tmp_path / "out", files, **options))
    rows = table(tmp_path / "out", "scores")["rows"]
    assert {row["crop"] for row in rows} == {"rim"}
    listed.write_text("name,row,col,height,width\nrim,60,190,40,50\n")
    with pytest.raises(errors.MarsganError, match="rim leaves the image"):
        evaluating.evaluate(config(tmp_path / "other", files, **options))
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".partial*"))
