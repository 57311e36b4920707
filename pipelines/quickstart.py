"""Trains a small MARSGAN on generated terrain, to see that all of it works.

    python -m pipelines.quickstart

Makes scenes of Mars-like terrain, builds a dataset from them and trains, each
by the command that it prints; the pictures show nearest, bicubic, generator
and reference side by side. Run it in the root of the repository. What exists
is not made again.
"""

import os
import shlex
import subprocess
import sys

from absl import logging

from marsgan_tf import config_flags, errors, native_output, progress
from pipelines.quickstart_config import QuickstartConfig

_FLAGFILE = "quickstart.flags"


def run(config: QuickstartConfig) -> None:
    """Makes the scenes, the dataset and the generator."""
    if not os.path.isfile(_FLAGFILE):
        raise errors.DatasetError(
            f"{_FLAGFILE}: not found here; run this in the root of the "
            "repository"
        )
    scenes, pairs, workdir = (
        os.path.join(config.output_dir, name)
        for name in ("scenes", "pairs", "run")
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
    logging.info(
        "before and after: %s (nearest, bicubic, MARSGAN, reference)",
        os.path.join(workdir, "psnr", "previews"),
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


def _call(module: str, *arguments: str) -> None:
    """Shows a command and runs it; ends as it ended."""
    logging.info("$ python -m %s %s", module, shlex.join(arguments))
    done = subprocess.run([sys.executable, "-m", module, *arguments])
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    config_flags.launch(QuickstartConfig, run)
