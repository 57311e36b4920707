"""Scenes that builder and prediction are measured on: terrain, over and over.

A square of generated terrain, 10-bit DN with a little noise, is repeated to
any size, with a margin without data. Lossless, the JPEG 2000 has 6 bits a
pixel, about what HiRISE's own have.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
import rasterio.windows

from benchmarks import prediction_inputs

_PATTERN_SIDE = 512
_MARGIN_PX = 300
_NOISE_DN = 3.0
_JP2_TILE_PX = 1024
_LOSSLESS = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
_TILED = {
    "driver": "GTiff",
    "tiled": True,
    "blockxsize": 512,
    "blockysize": 512,
    "BIGTIFF": "YES",
}

# Name -> what GDAL is told. To write a single tile takes 12 bytes a pixel, to
# read it does not.
FORMATS: dict[str, dict[str, Any]] = {
    "jp2": _LOSSLESS,
    "jp2-tiled": {
        **_LOSSLESS,
        "blockxsize": _JP2_TILE_PX,
        "blockysize": _JP2_TILE_PX,
    },
    "tif": {
        **_TILED,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 2,
    },
    "tif-8bit": {**_TILED, "dtype": "uint8"},
}
# Of those that the builder is measured on.
LABELS = {
    "jp2": "JPEG 2000 in one tile",
    "jp2-tiled": "JPEG 2000 in tiles",
    "tif": "GeoTIFF in tiles",
}


def path(folder: str, name: str, index: int) -> str:
    """The file of a scene, each of an observation of its own.

    Args:
        folder: That it lies in.
        name: A key of `FORMATS`.
        index: Its number.
    """
    extension = name.partition("-")[0]
    form = list(FORMATS).index(name)
    number = 900000 + 1000 * form + index
    return os.path.join(folder, f"ESP_{number}_1800_RED.{extension}")


@contextlib.contextmanager
def unplaced() -> Iterator[None]:
    """Silences rasterio about images that lie nowhere, as these do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


def write(scenes: Sequence[tuple[str, str, int]]) -> None:
    """Writes scenes in a process of its own.

    Args:
        scenes: Of each the file, the key of `FORMATS` and the side, px.
    """
    prediction_inputs.apart(_write_all, scenes)


def _write_all(scenes: Sequence[tuple[str, str, int]]) -> None:
    pattern = _pattern()
    for path, name, side in scenes:
        _write(path, name, side, pattern)


def _write(path: str, name: str, side: int, pattern: np.ndarray) -> None:
    profile = {"width": side, "height": side, "count": 1, "dtype": "uint16"}
    options = FORMATS[name]
    if options.get("dtype") == "uint8":
        pattern = (pattern // 4).astype(np.uint8)
    row = np.tile(pattern, (1, -(-side // _PATTERN_SIDE)))[:, :side]
    row[:, : min(_MARGIN_PX, side // 8)] = 0
    if name == "jp2":
        # Its driver creates files only as copies of another one.
        options = {**options, "blockxsize": side, "blockysize": side}
    with (
        unplaced(),
        rasterio.open(path, "w", **{**profile, **options}) as dataset,
    ):
        for top in range(0, side, _PATTERN_SIDE):
            height = min(_PATTERN_SIDE, side - top)
            window = rasterio.windows.Window(0, top, side, height)
            dataset.write(row[:height], 1, window=window)


def _pattern() -> np.ndarray:
    """`(512, 512)` DN."""
    from marsgan_tf.imaging import terrain

    relief = terrain.image(_PATTERN_SIDE, gsd_m=0.25, seed=0)
    unit = (relief - relief.min()) / np.ptp(relief)
    noise = np.random.default_rng(0).normal(0, _NOISE_DN, unit.shape)
    return np.clip(100 + 800 * unit + noise, 3, 1021).astype(np.uint16)
