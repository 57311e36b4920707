"""A reference, its input and a restored image, and what assesses them."""

import contextlib
import json

import affine
import numpy as np
import rasters

from marsgan_tf.assessment import comparison
from marsgan_tf.config import EvaluateConfig
from marsgan_tf.imaging import degrade, enlarge, terrain
from marsgan_tf.imaging.tiling import Window

GROUND = affine.Affine(1.0, 0.0, 500.0, 0.0, -1.0, 900.0)
SHAPE = (192, 224)
HOLE = np.s_[:24, :40]


def make():
    """A reference of 10 bits, its input at a quarter, and a restored image."""
    hr = terrain.image(SHAPE, gsd_m=1.0, seed=5)
    hr = np.rint(60 + 900 * (hr - hr.min()) / np.ptp(hr))
    lr = degrade.degrade(hr, 1.6)
    noise = np.random.default_rng(0).normal(0, 4, SHAPE)
    sr = 0.5 * enlarge.enlarge(lr) + 0.5 * hr + noise
    return {"hr": hr, "lr": np.rint(lr), "sr": np.rint(sr)}


def write(ground, folder):
    """The three as GeoTIFFs on Mars; the reference has a corner of no data."""
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


def table(folder, name):
    return json.loads((folder / f"{name}.json").read_text())
