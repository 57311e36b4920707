"""The quickstart, as users run it."""

import os
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from marsgan_tf.imaging import enlarge, raster

ROOT = pathlib.Path(__file__).parent.parent
# Measured: +0.75 dB; another processor's rounding moves it by hundredths.
LEAST_GAIN_DB = 0.5


@pytest.mark.slow
def test_quickstart_passes_bicubic(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipelines.quickstart",
            f"--output_dir={tmp_path}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    gains = re.findall(r"validation PSNR .* gain ([+-][\d.]+)\)", done.stderr)
    assert float(gains[-1]) > LEAST_GAIN_DB
    pictures = sorted((tmp_path / "run/psnr/previews").glob("*.png"))
    with Image.open(pictures[-1]) as picture:
        assert picture.width > 4 * 96
    assert (tmp_path / "run/psnr/generator.keras").is_file()
    strip = {
        name: read(tmp_path / "strip" / f"{name}.tif")
        for name in ("strip", "strip_sr", "strip_1m")
    }
    bicubic = enlarge.enlarge(strip["strip"].astype(np.float32))
    assert rms(strip["strip_sr"], strip["strip_1m"]) < 0.95 * rms(
        bicubic, strip["strip_1m"]
    )


def read(path):
    with raster.open_raster(path) as reader:
        return reader.read()[..., 0]


def rms(image, reference):
    return np.sqrt(np.mean((image.astype(np.float64) - reference) ** 2))


def test_outside_of_the_repository_it_says_where_to_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.quickstart"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "quickstart.flags" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


SLOW = """
import pathlib, signal, sys, time
name = sys.argv[1]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
pathlib.Path(name).touch()
time.sleep(300)
"""
CALLING = """
from marsgan_tf import signals
from pipelines import quickstart
signals.end_process("too early")
quickstart._call("slow", "began")
"""


def test_it_ends_as_what_it_calls(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-c", CALLING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "began").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.terminate()
    _, text = process.communicate(timeout=250)
    assert process.returncode == 7
    assert "too early" not in text
