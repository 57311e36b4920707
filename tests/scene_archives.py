"""Lists of small scenes, and the archive command as users start it."""

import pathlib
import subprocess
import sys

import models
import numpy as np
import predictions
import rasters

from pipelines.archive_config import ArchiveConfig

ROOT = pathlib.Path(__file__).parent.parent
BROKEN = ("missing", "truncated", "empty", "complex", "text")
# A word of what the ledger says of each.
REASONS = {
    "missing": "does not exist",
    "truncated": "cut off",
    "empty": "no pixel has data",
    "complex": "complex64",
    "text": "text.tif",
}


def write_scene(folder, name, seed=0, side=24):
    """A scene of noise; returns its path."""
    pixels = predictions.image(side, side + 6, seed=seed)
    return rasters.write_geotiff(folder / f"{name}.tif", pixels)


def write_broken(folder, kind):
    """A scene that cannot be restored, in one of the ways of `BROKEN`."""
    path = folder / f"{kind}.tif"
    pixels = predictions.image(64, 64)
    if kind == "truncated":
        rasters.write_geotiff(path, pixels)
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "empty":
        rasters.write_geotiff(path, np.zeros_like(pixels), nodata=0)
    elif kind == "complex":
        rasters.write_geotiff(path, pixels.astype("complex64"))
    elif kind == "text":
        path.write_text("No image.\n" * 50)
    return str(path)


def write_list(folder, paths):
    """The list of some scenes; returns its path."""
    path = folder / "scenes.txt"
    path.write_text("".join(f"{scene}\n" for scene in paths))
    return str(path)


def settings(listed, output_dir, **options):
    """Of a run by a tiny model, the same on all machines."""
    given = {
        "inputs": str(listed),
        "output_dir": str(output_dir),
        "model": models.exported("plain"),
        "engine": "openvino",
        "precision": "float32",
    }
    return {**given, **options}


def config(listed, output_dir, **options):
    return ArchiveConfig(**settings(listed, output_dir, **options))


def start(listed, output_dir, **options):
    """Starts the command."""
    flags = [
        f"--{name}={value}"
        for name, value in settings(listed, output_dir, **options).items()
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.predict_archive", *flags],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
