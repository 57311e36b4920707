"""Trains a small MARSGAN on generated terrain, to see that all of it works.

    python -m pipelines.quickstart

Makes scenes of Mars-like terrain, builds a dataset from them, trains, exports
the generator and super-resolves a strip that it never saw, each by the command
that it prints; the pictures show nearest, bicubic, generator and reference
side by side. Run it in the root of the repository. What exists is not made
again.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys

import affine
import numpy as np
from absl import logging

from marsgan_tf import config_flags, errors, native_output, progress, signals
from pipelines.quickstart_config import QuickstartConfig

_FLAGFILE = "quickstart.flags"
_FINE, _COARSE = "strip_1m.tif", "strip.tif"
_SCALE = 4
_SECONDS_BETWEEN_LOOKS = 0.2
_BLUR_SIGMA = 1.6  # The builder's default, which the generator learns.


def run(config: QuickstartConfig) -> None:
    """Makes the scenes, the dataset and the generator."""
    if not os.path.isfile(_FLAGFILE):
        raise errors.DatasetError(
            f"{_FLAGFILE}: not found here; run this in the root of the "
            "repository"
        )
    scenes, pairs, workdir, model, strip = (
        os.path.join(config.output_dir, name)
        for name in ("scenes", "pairs", "run", "model", "strip")
    )
    _write_scenes(scenes, config)
    _call(
        "pipelines.build_tfrecords",
        f"--input={scenes}/*.tif",
        f"--output_dir={pairs}",
        "--hr_size=96",
        "--validation_fraction=0.2",
    )
    _call(
        "marsgan_tf.train",
        f"--flagfile={_FLAGFILE}",
        f"--dataset={pairs}",
        f"--workdir={workdir}",
    )
    if not os.path.isdir(model):
        _call("marsgan_tf.export", f"--workdir={workdir}", f"--output={model}")
    _write_strip(strip, config)
    sharp = os.path.join(strip, "strip_sr.tif")
    if not os.path.isfile(sharp):
        _call(
            "marsgan_tf.predict",
            f"--input={os.path.join(strip, _COARSE)}",
            f"--output={sharp}",
            f"--model={model}",
            "--resume",
        )
    logging.info(
        "before and after: %s (nearest, bicubic, MARSGAN, reference), and %s "
        "beside %s, to open in a GIS",
        os.path.join(workdir, "psnr", "previews"),
        sharp,
        _FINE,
    )


def _write_scenes(folder: str, config: QuickstartConfig) -> None:
    with native_output.held_back():
        from marsgan_tf.imaging import terrain

    os.makedirs(folder, exist_ok=True)
    with progress.Progress(
        config.scenes, unit="scenes", label="terrain"
    ) as bar:
        for seed in range(config.scenes):
            path = os.path.join(folder, f"terrain_{seed:02d}.tif")
            if not os.path.isfile(path):
                terrain.write_scene(
                    path,
                    config.scene_px,
                    gsd_m=1.0,
                    seed=seed,
                    nodata_margin_px=config.scene_px // 8,
                )
            bar.advance()


def _write_strip(folder: str, config: QuickstartConfig) -> None:
    """A scene that no pair is cut from, and what a coarser camera sees."""
    with native_output.held_back():
        from marsgan_tf.imaging import degrade, raster, raster_writer, terrain

    os.makedirs(folder, exist_ok=True)
    fine, coarse = (os.path.join(folder, name) for name in (_FINE, _COARSE))
    if os.path.isfile(coarse):
        return
    terrain.write_scene(
        fine, config.scene_px, gsd_m=1.0, seed=config.scenes, nodata_margin_px=0
    )
    with raster.open_raster(fine) as reader:
        low = degrade.degrade(reader.read()[..., 0], _BLUR_SIGMA)
        limits = np.iinfo(reader.dtype)
        raster_writer.write_raster(
            coarse,
            np.clip(np.rint(low), 1, limits.max).astype(reader.dtype),
            crs_wkt=reader.crs_wkt,
            transform=reader.transform * affine.Affine.scale(_SCALE),
            nodata=reader.nodata,
        )


def _call(module: str, *arguments: str) -> None:
    """Shows a command and runs it; ends as it ended."""
    logging.info("$ python -m %s %s", module, shlex.join(arguments))
    with signals.collected() as received:
        child = subprocess.Popen([sys.executable, "-m", module, *arguments])
        while _is_running(child) and not received:
            pass
        if signal.SIGTERM in received:  # A terminal sends SIGINT to both.
            child.terminate()
        status = child.wait()
    if received and not status:
        raise errors.Interrupted(
            "interrupted; the same command continues", received[0]
        )
    if status:
        raise SystemExit(128 - status if status < 0 else status)


def _is_running(child: subprocess.Popen) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_SECONDS_BETWEEN_LOOKS)
    return child.returncode is None


if __name__ == "__main__":
    config_flags.launch(QuickstartConfig, run)
