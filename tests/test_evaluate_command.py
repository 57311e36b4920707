import dataclasses
import errno
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasters
import restored_scenes
from restored_scenes import GROUND, SHAPE, config, opened, table

from marsgan_tf import errors
from marsgan_tf.assessment import evaluating, report_folder, scores
from marsgan_tf.config import EvaluateConfig

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def ground():
    return restored_scenes.make()


@pytest.fixture(scope="module")
def files(ground, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    return restored_scenes.write(ground, folder)


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


def test_a_signal_waits_until_the_report_is_there(tmp_path, monkeypatch):
    seen = []
    before = signal.signal(
        signal.SIGTERM, lambda *_: seen.append(os.listdir(path))
    )
    path = tmp_path / "report"
    path.mkdir()
    (path / "old").touch()
    rename = os.rename

    def signalled(source, target):
        rename(source, target)
        if source == str(path):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(os, "rename", signalled)
    try:
        with report_folder.replaced(str(path)) as folder:
            pathlib.Path(folder, "new").touch()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [["new"]]


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
