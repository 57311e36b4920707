import contextlib
import csv
import dataclasses
import errno
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import affine
import numpy as np
import pytest
import rasterio
import rasters
from PIL import Image

from marsgan_tf import errors
from marsgan_tf.assessment import (
    common_grid,
    comparison,
    crops,
    cubic_spline,
    evaluating,
    fidelity,
    piqe,
    radiometry,
    report_folder,
    scores,
)
from marsgan_tf.config import EvaluateConfig
from marsgan_tf.imaging import degrade, enlarge, raster, terrain
from marsgan_tf.imaging.tiling import Window

ROOT = pathlib.Path(__file__).parent.parent
GROUND = affine.Affine(1.0, 0.0, 500.0, 0.0, -1.0, 900.0)
SHAPE = (192, 224)
HOLE = np.s_[:24, :40]


@pytest.fixture(scope="module")
def ground():
    """A reference of 10 bits, its input at a quarter, and a restored image."""
    hr = terrain.image(SHAPE, gsd_m=1.0, seed=5)
    hr = np.rint(60 + 900 * (hr - hr.min()) / np.ptp(hr))
    lr = degrade.degrade(hr, 1.6)
    noise = np.random.default_rng(0).normal(0, 4, SHAPE)
    sr = 0.5 * enlarge.enlarge(lr) + 0.5 * hr + noise
    return {"hr": hr, "lr": np.rint(lr), "sr": np.rint(sr)}


@pytest.fixture(scope="module")
def files(ground, tmp_path_factory):
    """The three as GeoTIFFs on Mars; the reference has a corner of no data."""
    folder = tmp_path_factory.mktemp("ground")
    hr = ground["hr"].copy()
    hr[HOLE] = 0
    written = {"hr": (hr, 1), "lr": (ground["lr"], 4), "sr": (ground["sr"], 1)}
    return {
        name: rasters.write_geotiff(
            folder / f"{name}.tif",
            pixels.astype(np.uint16),
            transform=GROUND @ affine.Affine.scale(scale),
            nodata=0,
        )
        for name, (pixels, scale) in written.items()
    }


@contextlib.contextmanager
def opened(*images, **options):
    usual = {
        "reference": "",
        "reference_name": "truth",
        "lr": "",
        "deviations": (),
        "band": 1,
        "nodata": None,
        "stretch": "0,1000",
        "match": False,
    }
    with comparison.open_all(images, **{**usual, **options}) as found:
        yield found


def whole(grid):
    return Window(0, 0, grid.height, grid.width)


# --- The common grid ---


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cubic_spline_is_gdals(scale):
    image = np.random.default_rng(0).random((24 * scale, 20 * scale))
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=image.shape[0],
            width=image.shape[1],
            count=1,
            dtype="float32",
            transform=GROUND,
        ) as dataset:
            dataset.write(image.astype(np.float32), 1)
        with memory.open() as dataset:
            expected = dataset.read(
                1,
                out_shape=(24, 20),
                resampling=rasterio.enums.Resampling.cubic_spline,
            )
    found, valid = cubic_spline.reduce(image, np.ones(image.shape, bool), scale)
    assert valid.all()
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_cubic_spline_leaves_out_what_is_no_data():
    image = np.full((16, 16), 3.0)
    valid = np.ones(image.shape, bool)
    image[5, 6], valid[5, 6] = np.nan, False
    found, known = cubic_spline.reduce(image, valid, 4)
    assert not known[1, 1] and known.sum() == 15
    np.testing.assert_allclose(found[known], 3.0, rtol=1e-6)


@pytest.mark.parametrize("kind", ["lr", "sr", "hr"])
def test_windows_are_parts_of_the_whole(files, ground, kind):
    """Read in windows or at once, up, down or as it is."""
    factor = {"lr": 4, "sr": 1, "hr": 1}[kind]
    with opened(f"x={files[kind]}", f"fine={files['sr']}") as found:
        image = found.named("x")
        values, valid = image.read(whole(found.grid))
        for window in (Window(3, 5, 61, 90), Window(130, 170, 62, 54)):
            part, mask = image.read(window)
            np.testing.assert_array_equal(part, values[window.slices])
            np.testing.assert_array_equal(mask, valid[window.slices])
    expected = enlarge.enlarge(ground[kind] / 1000, factor)
    inside = np.s_[32:, 48:]
    np.testing.assert_allclose(values[inside], expected[inside], atol=1e-6)
    assert valid[HOLE].all() == (kind != "hr")


def test_reference_comes_down_to_the_images(files, ground, tmp_path):
    coarse = rasters.write_geotiff(
        tmp_path / "coarse.tif",
        degrade.degrade(ground["hr"], 0.0).astype(np.float32),
        transform=GROUND @ affine.Affine.scale(4),
    )
    with opened(f"x={coarse}", reference=files["hr"]) as found:
        assert (found.grid.height, found.grid.width) == (48, 56)
        truth = found.reference
        assert (truth.finer, truth.coarser) == (4, 1)
        values, valid = truth.read(whole(found.grid))
        part, mask = truth.read(Window(7, 9, 20, 30))
    known = np.ones(SHAPE, bool)
    known[HOLE] = False
    expected, mask_expected = cubic_spline.reduce(ground["hr"], known, 4)
    np.testing.assert_array_equal(valid, mask_expected)
    np.testing.assert_allclose(values[valid], expected[valid] / 1000, atol=1e-6)
    np.testing.assert_array_equal(part, values[7:27, 9:39])
    np.testing.assert_array_equal(mask, valid[7:27, 9:39])


def test_what_a_reduction_leaves_over_is_cut(files, ground, tmp_path):
    larger = np.pad(ground["hr"], ((0, 3), (0, 2)), "edge").astype(np.uint16)
    path = rasters.write_geotiff(
        tmp_path / "larger.tif", larger, transform=GROUND
    )
    images = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*images, reference=path) as found:
        assert (found.grid.height, found.grid.width) == SHAPE
        assert found.lr.name == "a" and [
            one.name for one in found.restored
        ] == ["b"]


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.7, -30.0])
def test_images_that_lie_elsewhere_are_refused(files, ground, tmp_path, shift):
    moved = GROUND @ affine.Affine.translation(0, shift)
    path = rasters.write_geotiff(
        tmp_path / "moved.tif", ground["sr"].astype(np.uint16), transform=moved
    )
    if abs(shift) <= 0.5:
        with opened(f"a={path}", reference=files["hr"]):
            return
    with pytest.raises(errors.RasterError, match="corners.*coregister") as told:
        with opened(f"a={path}", reference=files["hr"]):
            pass
    assert "\n" not in str(told.value) and f"{abs(shift):.4g} px" in str(
        told.value
    )


def test_sizes_that_do_not_fit_are_refused(files, tmp_path):
    odd = rasters.write_geotiff(
        tmp_path / "odd.tif", np.ones((100, 224), np.uint16), transform=GROUND
    )
    with pytest.raises(errors.RasterError, match=r"odd.tif: has 100 x 224"):
        with opened(f"a={files['sr']}", f"b={odd}"):
            pass


def test_images_without_georeferencing_meet_by_pixels(files, ground, tmp_path):
    plain = tmp_path / "plain.png"
    Image.fromarray((ground["sr"] / 4).astype(np.uint8)).save(plain)
    with opened(f"a={plain}", reference=files["hr"]) as found:
        assert found.images[0].coarser == found.images[0].finer == 1


def test_input_is_found_or_named(files):
    pair = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*pair) as found:
        assert found.lr.name == "a"
    with opened(*pair, lr="b") as found:
        assert found.lr.name == "b"
    with opened(f"b={files['sr']}") as found:
        assert found.lr is None
    with pytest.raises(errors.SettingsError, match="a and c have larger"):
        with opened(*pair, f"c={files['lr']}"):
            pass
    with pytest.raises(errors.SettingsError, match="no image is called x"):
        with opened(*pair, lr="x"):
            pass


# --- One range, one unit ---


@pytest.mark.parametrize(
    "wanted, expected", [("none", (0, 65535)), ("-5,20", (-5, 20))]
)
def test_ranges_that_are_told(files, wanted, expected):
    with opened(f"a={files['sr']}", stretch=wanted) as found:
        assert (found.stretch.low, found.stretch.high) == expected


def test_range_is_the_references_alone(files, ground):
    found = []
    for name in ("lr", "sr"):
        images = (f"a={files[name]}", f"b={files['sr']}")
        with opened(*images, reference=files["hr"], stretch="auto") as one:
            found.append(one.stretch)
    assert found[0] == found[1]
    known = np.ones(SHAPE, bool)
    known[HOLE] = False
    low, high = np.quantile(ground["hr"][known], [0.0005, 0.9995])
    assert found[0].low == pytest.approx(low, abs=3)
    assert found[0].high == pytest.approx(high, abs=3)


def test_matching_undoes_a_gain_and_an_offset(files, ground, tmp_path):
    path = rasters.write_geotiff(
        tmp_path / "other.tif",
        (0.002 * ground["hr"] + 0.1).astype(np.float32),
        transform=GROUND,
    )
    with opened(f"a={path}", reference=files["hr"], match=True) as found:
        own, _ = found.images[0].read(whole(found.grid))
        truth, valid = found.reference.read(whole(found.grid))
    np.testing.assert_allclose(own[valid], truth[valid], atol=1e-4)
    blurred = rasters.write_geotiff(
        tmp_path / "blurred.tif",
        (0.002 * ground["lr"] + 0.1).astype(np.float32),
        transform=GROUND @ affine.Affine.scale(4),
    )
    images = (f"a={blurred}", f"b={files['sr']}")
    with opened(*images, reference=files["hr"], match=True) as found:
        # Sharpness has hardly any say.
        assert found.images[0].gain == pytest.approx(0.5, rel=0.02)


def test_another_unit_is_told(files, ground, tmp_path, caplog):
    path = rasters.write_geotiff(
        tmp_path / "if.tif",
        (ground["hr"] / 5000).astype(np.float32),
        transform=GROUND,
    )
    with opened(f"a={path}", reference=files["hr"], stretch="auto"):
        assert "--match" in caplog.text
    flat = rasters.write_geotiff(
        tmp_path / "flat.tif", np.ones(SHAPE, np.float32), transform=GROUND
    )
    with pytest.raises(errors.RasterError, match="flat.tif: cannot be matched"):
        with opened(f"a={flat}", reference=files["hr"], match=True):
            pass


# --- Crops ---


def test_chosen_crops_have_texture_data_and_room(files):
    with opened(f"a={files['sr']}", reference=files["hr"]) as found:
        chosen = crops.choose(
            found.reference, [*found.images], found.grid, count=5, side=48
        )
        hr, valid = found.reference.read(whole(found.grid))
    assert [one.name for one in chosen] == list("ABCDE")
    for number, one in enumerate(chosen):
        assert one.height == one.width == 48 and one.fits(SHAPE)
        assert one.crop(valid).all()
        assert not any(one.overlaps(other) for other in chosen[:number])
    slopes = np.hypot(*np.gradient(hr))
    slopes[~valid] = np.nan
    best = chosen and max(one.crop(slopes).mean() for one in chosen)
    assert best > np.nanmean(slopes)


def test_small_images_have_no_crops(files):
    with opened(f"a={files['lr']}") as found:
        assert (
            crops.choose(found.leading, [], found.grid, count=3, side=200) == []
        )


# --- Scores ---


def test_whole_scores_are_those_of_the_image(files, monkeypatch):
    monkeypatch.setattr(scores, "_STRIP_PX", 1)  # Strips of 64 rows.
    images = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*images, reference=files["hr"]) as found:
        rows = scores.score_whole(
            found.images, found.reference, found.grid, model=None
        )
        truth, valid = found.reference.read(whole(found.grid))
        for row, image in zip(rows, found.images, strict=False):
            values, _ = image.read(whole(found.grid))
            options = {"data_range": (0, 1), "valid": valid}
            psnr = fidelity.psnr(values, truth, **options)
            mssim = fidelity.mssim(values, truth, **options)
            natural = piqe.piqe(values, **options).score
            assert row.psnr_db == pytest.approx(psnr, abs=1e-9)
            assert row.mssim == pytest.approx(mssim, abs=1e-12)
            assert row.piqe == pytest.approx(natural, abs=1e-9)
            assert (row.crop, row.brisque) == ("", None)
    assert (rows[-1].image, rows[-1].psnr_db, rows[-1].mssim) == (
        "truth",
        None,
        1.0,
    )


def test_no_image_scores_where_another_has_no_data(files):
    """The hole is the reference's, and none looks into it."""
    images = (f"a={files['lr']}", f"b={files['sr']}")
    window = Window(0, 0, 64, 64)
    with opened(*images, reference=files["hr"]) as found:
        rows = scores.score_crop(
            found.images, found.reference, window, crop="A", model=None
        )
        values, _ = found.images[1].read(window)
        truth, valid = found.reference.read(window)
    assert not valid.all()
    expected = fidelity.psnr(values, truth, data_range=(0, 1), valid=valid)
    assert rows[1].psnr_db == pytest.approx(expected, abs=1e-9)


def test_crops_without_anything_to_score_have_no_scores(files):
    with opened(f"b={files['sr']}", reference=files["hr"]) as found:
        rows = scores.score_crop(
            found.images,
            found.reference,
            Window(0, 0, 20, 20),
            crop="A",
            model=None,
        )
    assert rows[0].psnr_db is None and rows[0].mssim is None
    assert rows[0].piqe is None


# --- The command ---


def config(output, files, **options):
    usual = {
        "images": (f"input={files['lr']}", f"MARSGAN={files['sr']}"),
        "output_dir": str(output),
        "viewer": False,
        "crop_size": 64,
        "crop_count": 3,
        "edge_count": 0,
    }
    return EvaluateConfig(**{**usual, **options})


def write_spread(folder):
    """An ensemble's deviation, the same everywhere."""
    spread = np.full(SHAPE, 4.25, np.float32)
    return rasters.write_geotiff(
        folder / "spread.tif", spread, transform=GROUND
    )


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


def table(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


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


def test_a_report_is_replaced_as_a_whole_or_kept(files, tmp_path):
    output = tmp_path / "out"
    evaluating.evaluate(config(output, files))
    page = (output / "report.html").read_bytes()
    with pytest.raises(errors.SettingsError, match="add --overwrite"):
        evaluating.evaluate(config(output, files))
    broken = {**files, "sr": str(tmp_path / "none.tif")}
    with pytest.raises(errors.RasterError, match="none.tif"):
        evaluating.evaluate(config(output, broken, overwrite=True))
    assert (output / "report.html").read_bytes() == page
    single = (f"a={files['lr']}",)
    evaluating.evaluate(config(output, files, images=single, overwrite=True))
    assert not (output / "scores.csv").exists()
    (output / "notes.txt").write_text("mine")
    with pytest.raises(errors.SettingsError, match="holds notes.txt"):
        evaluating.evaluate(config(output, files, overwrite=True))
    assert (output / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".partial*"))


def test_a_report_comes_back_where_the_new_one_cannot_be_named(
    tmp_path, monkeypatch
):
    output = tmp_path / "out"
    output.mkdir()
    (output / "report.html").write_text("old")
    rename = os.rename

    def failing(source, target):
        if target == str(output) and "fresh" in os.listdir(source):
            raise PermissionError(errno.EACCES, "no", source)
        rename(source, target)

    monkeypatch.setattr(report_folder.os, "rename", failing)
    with pytest.raises(PermissionError) as told:
        with report_folder.replaced(str(output)) as folder:
            (pathlib.Path(folder) / "fresh").write_text("new")
    assert told.value.filename == str(output)
    assert (output / "report.html").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_images_without_any_data_are_told(files, tmp_path):
    empty = rasters.write_geotiff(
        tmp_path / "empty.tif",
        np.zeros(SHAPE, np.uint16),
        transform=GROUND,
        nodata=0,
    )
    with pytest.raises(errors.RasterError, match="empty.tif: holds no data"):
        evaluating.evaluate(
            config(tmp_path / "out", files, reference=empty, overwrite=True)
        )
    assert not (tmp_path / "out").exists()


def test_images_that_share_no_pixel_are_told(files, ground, tmp_path):
    halves = []
    for name, part in (("left", np.s_[:, :100]), ("right", np.s_[:, 100:])):
        pixels = ground["hr"].astype(np.uint16)
        pixels[part] = 0
        path = tmp_path / f"{name}.tif"
        halves.append(
            rasters.write_geotiff(path, pixels, transform=GROUND, nodata=0)
        )
    options = {"images": (f"a={halves[0]}",), "reference": halves[1]}
    with pytest.raises(errors.RasterError, match="right.tif: has data in no"):
        evaluating.evaluate(config(tmp_path / "out", files, **options))
    assert {path.name for path in tmp_path.iterdir()} == {
        "left.tif",
        "right.tif",
    }


def test_another_crs_with_the_same_corners_is_told(
    files, ground, tmp_path, caplog
):
    path = rasters.write_geotiff(
        tmp_path / "earth.tif",
        ground["sr"].astype(np.uint16),
        transform=GROUND,
        crs="EPSG:32633",
    )
    with opened(f"a={path}", f"b={files['sr']}"):
        assert caplog.text.count("sr.tif: its CRS is called otherwise") == 1
    caplog.clear()
    with opened(f"a={files['sr']}", reference=files["hr"]):
        assert caplog.text == ""


def test_bad_regions_are_told_before_anything_is_computed(
    files, tmp_path, monkeypatch
):
    listed = tmp_path / "edges.csv"
    listed.write_text("name,row,col,height,width\nfar,40,50,16,16\n")
    monkeypatch.setattr(scores, "score_whole", None)
    options = {"edges": str(listed)}
    with pytest.raises(errors.MarsganError, match="far leaves the image"):
        evaluating.evaluate(config(tmp_path / "out", files, **options))
    options["images"] = (f"a={files['sr']}",)
    with pytest.raises(errors.SettingsError, match="--lr=NAME"):
        evaluating.evaluate(config(tmp_path / "out", files, **options))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(files, tmp_path, number):
    """Sent as soon as the new folder is there, which is before any score."""
    output = tmp_path / "out"
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "marsgan_tf.evaluate",
            *(f"--images={name}={files[name]}" for name in ("lr", "sr")),
            f"--output_dir={output}",
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    while running.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.01)
    running.send_signal(number)
    _, told = running.communicate(timeout=300)
    assert running.returncode == 128 + number
    assert told.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_output_that_is_a_file_is_refused(files, tmp_path):
    output = tmp_path / "out"
    output.write_text("mine")
    with pytest.raises(errors.SettingsError, match="is no folder"):
        evaluating.evaluate(config(output, files, overwrite=True))


def test_command_and_its_one_line_errors(files, tmp_path):
    command = [sys.executable, "-m", "marsgan_tf.evaluate"]
    done = subprocess.run(
        [
            *command,
            f"--images=a={files['lr']}",
            f"--images=b={tmp_path}/none.tif",
            f"--output_dir={tmp_path}/out",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*none\.tif: .*\n", done.stderr)
    assert not (tmp_path / "out").exists()


def test_names_and_paths_may_hold_commas_spaces_and_any_letters(
    files, tmp_path
):
    """A name ends at the first =; what follows is the path, = and all."""
    folder = tmp_path / "a, b=c"
    folder.mkdir()
    path = folder / "größe, 1=2.tif"
    path.write_bytes(pathlib.Path(files["lr"]).read_bytes())
    output = tmp_path / "bericht, é"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "marsgan_tf.evaluate",
            f"--images=Höhe, neu={path}",
            f"--output_dir={output}",
            "--noviewer",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (row,) = table(output, "scores_whole")["rows"]
    assert row["image"] == "Höhe, neu"
    assert path.name in (output / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"images": ()}, "`images` must be given"),
        ({"images": ("a.tif",)}, "`images` must be NAME=PATH"),
        ({"images": ("a=1", "a=2")}, "`images`.*different names"),
        ({"images": ("reference=1",)}, "`images`.*other names"),
        ({"output_dir": ""}, "`output_dir` must be given"),
        ({"crop_size": 16}, "`crop_size` must be at least 32"),
        ({"edge_count": -1}, "`edge_count`"),
        ({"stretch": "5,1"}, "`stretch`.*LO below HI"),
        ({"blur_sigma": math.inf}, "`blur_sigma` must be finite"),
        ({"match": True}, "`match` must be left out without a reference"),
        ({"deviations": ("a=1",)}, "`deviations` must be left out"),
    ],
)
def test_wrong_settings_are_named(options, message):
    usual = {"images": ("a=a.tif",), "output_dir": "out"}
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(**{**usual, **options})


def test_every_flag_is_read():
    source = (ROOT / "marsgan_tf/assessment/evaluating.py").read_text()
    for field in dataclasses.fields(EvaluateConfig):
        pattern = rf"config\.{field.name}\b"
        assert re.search(pattern, source), f"{field.name} is read nowhere"


def test_large_images_are_sampled_all_over():
    grid = common_grid.Grid(9000, 5000, None)
    windows = grid.samples()
    assert len(windows) == 64
    assert min(w.row for w in windows) == min(w.col for w in windows) == 0
    assert max(w.row + w.height for w in windows) == 9000
    assert max(w.col + w.width for w in windows) == 5000


def test_block_means_are_of_whole_blocks():
    found = radiometry._blocks(np.arange(40 * 50.0).reshape(40, 50))
    assert found.shape == (6, 256)
    assert found[0, 16] == 50 and found[1, 0] == 16
