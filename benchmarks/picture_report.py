"""Takes README's picture of a report, of generated terrain alone.

`python -m benchmarks.picture_report` evaluates a stand-in for a network, half
of what bicubic lost put back, opens the page in a headless Chromium and writes
its upper part at half the size.
"""

import argparse
import io
import pathlib
import shutil
import subprocess
import tempfile

import affine
import numpy as np
from PIL import Image

from marsgan_tf import config, errors
from marsgan_tf.assessment import evaluating
from marsgan_tf.imaging import degrade, enlarge, terrain
from marsgan_tf.imaging.raster_writer import write_raster

_SIDE_PX = 1024
_WINDOW = (1280, 1640)
_NOISE = 3.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def evaluate_stand_in(folder: pathlib.Path, seed: int) -> pathlib.Path:
    """Writes reference, input, stand-in and report; returns the page."""
    shape = (_SIDE_PX, _SIDE_PX)
    truth = terrain.image(shape, gsd_m=1.0, seed=seed)
    truth = 60 + 900 * (truth - truth.min()) / np.ptp(truth)
    noise = np.random.default_rng(seed).normal(0.0, _NOISE, shape)
    coarse = degrade.degrade(truth, 1.6)
    sharper = 0.5 * enlarge.enlarge(coarse) + 0.5 * truth + noise
    paths = {}
    for name, pixels, gsd in (
        ("hirise", truth, 1),
        ("input", coarse, 4),
        ("stand-in", sharper, 1),
    ):
        paths[name] = str(folder / f"{name}.tif")
        write_raster(
            paths[name],
            np.rint(np.clip(pixels, 1, 1023)).astype(np.uint16),
            transform=affine.Affine(gsd, 0, 0, 0, -gsd, _SIDE_PX),
        )
    evaluating.evaluate(
        config.EvaluateConfig(
            images=tuple(f"{n}={paths[n]}" for n in ("input", "stand-in")),
            reference=paths["hirise"],
            output_dir=str(folder / "report"),
        )
    )
    return folder / "report" / "report.html"


def photograph(page: pathlib.Path) -> Image.Image:
    """The upper part of a page at half the size.

    Raises:
        errors.MarsganError: If no Chromium is installed.
    """
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise errors.MarsganError("no chromium is installed: apt install it")
    shot = page.with_name("shot.png")
    subprocess.run(
        [
            found,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=8000",
            f"--window-size={_WINDOW[0]},{_WINDOW[1]}",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    image = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
    half = (image.width // 2, image.height // 2)
    return image.resize(half, Image.Resampling.LANCZOS)


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="benchmarks/figures/report.png")
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = evaluate_stand_in(pathlib.Path(folder), arguments.seed)
        picture = photograph(page)
    picture.quantize(128).save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
