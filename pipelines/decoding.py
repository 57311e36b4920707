"""Reads a scene once, by strips, to grey pixels in a scratch file.

A sample of the pixels gives the scene's stretch. Memory does not grow with
the scene, except where a file's only block is the whole image.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from marsgan_tf import errors
from marsgan_tf.dataset import example
from marsgan_tf.imaging import raster, stretch
from pipelines import hirise
from pipelines.spool import Spool

# Rec. 601 in thousandths, as Pillow, OpenCV and MATLAB's rgb2gray have it.
_LUMA_THOUSANDTHS = (299, 587, 114)
_STORED_AS = {name: name for name in example.DTYPES} | {"float64": "float32"}
_STRIP_PX = 4_000_000
_SAMPLES_MAX = 2_000_000


@dataclasses.dataclass(frozen=True)
class DecodedScene:
    """A scene whose grey pixels lie in a spool.

    Attributes:
        height: Rows.
        width: Columns.
        pixels: Grey DN and data mask, by rows.
        stretch: The scene's range, as float32 values.
        label: What the PDS label or the file's tags say of the pixels.
    """

    height: int
    width: int
    pixels: Spool
    stretch: stretch.Stretch
    label: hirise.Label


def decode(
    path: str, scratch: BinaryIO, *, band: int, nodata: Sequence[float]
) -> DecodedScene:
    """Reads an image.

    Args:
        path: The image.
        scratch: An empty file, open for writing and reading; it grows to
            the size of one band, uncompressed.
        band: The band to use, from 1; 0 for grey from one or three bands.
        nodata: DN that mean no data, besides the image's own.

    Raises:
        RasterError: If the image cannot be read, or has bands or a dtype
            that cannot be used.
        DatasetError: If no pixel has data.
    """
    with raster.open_raster(path) as reader:
        label = find_label(reader)
        bands = choose_bands(reader, band)
        special = hirise.special_dns(path, reader.dtype, label)
        spool = Spool(
            scratch, reader.height, reader.width, stored_dtype(reader)
        )
        step = math.isqrt(reader.height * reader.width // _SAMPLES_MAX) + 1
        samples = []
        for row, raw, valid in _decoded_rows(reader, bands):
            valid = valid & _is_measured(raw, (*nodata, *special))
            grey = np.where(valid, to_grey(raw), 0).astype(spool.dtype)
            spool.write(row, grey, valid)
            sampled = np.s_[-row % step :: step, ::step]
            samples.append(grey[sampled][valid[sampled]])
        return DecodedScene(
            reader.height,
            reader.width,
            spool,
            _fit_stretch(path, np.concatenate(samples)),
            label,
        )


def choose_bands(reader: raster.RasterReader, band: int) -> list[int]:
    """The bands that make a scene's grey pixels.

    Args:
        reader: The open image.
        band: The one to use, from 1; 0 for the only one, or for all three.

    Raises:
        RasterError: If the image has no such band, or neither one nor three.
    """
    count = reader.band_count
    if band > count:
        raise errors.RasterError(
            f"{reader.path}: has no band {band}, --band goes up to {count}"
        )
    if band:
        return [band]
    if count not in (1, 3):
        raise errors.RasterError(
            f"{reader.path}: has {count} bands: choose one with --band"
        )
    return list(range(1, count + 1))


def stored_dtype(reader: raster.RasterReader) -> np.dtype:
    """The dtype that a scene's pixels are stored in.

    Raises:
        RasterError: If a dataset cannot hold the image's dtype.
    """
    name = reader.dtype.name
    if name not in _STORED_AS:
        raise errors.RasterError(
            f"{reader.path}: a dataset cannot hold pixels of type {name}: "
            "convert it with gdal_translate -ot Float32"
        )
    return np.dtype(_STORED_AS[name])


def find_label(reader: raster.RasterReader) -> hirise.Label:
    """The detached PDS label's content, else the file's own tags'."""
    path = hirise.find_label(reader.path)
    if path is not None:
        return hirise.read_label(path)
    try:
        return hirise.Label(
            float(reader.tags["SCALING_FACTOR"]), float(reader.tags["OFFSET"])
        )
    except (KeyError, ValueError):
        return hirise.Label()


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Luma of three bands, or the only band.

    Args:
        pixels: `(height, width, 1 or 3)`.

    Returns:
        `(height, width)` in the dtype of `pixels`; integers are rounded.
    """
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    if pixels.dtype.kind == "f":
        weights = np.array(_LUMA_THOUSANDTHS, pixels.dtype) / 1000
        return pixels @ weights
    sums = np.full(pixels.shape[:2], 500, np.int32)
    for band, weight in enumerate(_LUMA_THOUSANDTHS):
        sums += pixels[..., band].astype(np.int32) * weight
    return (sums // 1000).astype(pixels.dtype)


def _decoded_rows(
    reader: raster.RasterReader, bands: Sequence[int]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields first row, `(rows, width, bands)` pixels and their data mask."""
    chunk = max(1, _STRIP_PX // reader.width)
    blocks = max(1, chunk // reader.block_height)
    strip = blocks * reader.block_height
    if reader.decodes_whole:
        strip = reader.height
    for top in range(0, reader.height, strip):
        height = min(strip, reader.height - top)
        raw = reader.read(row=top, height=height, bands=bands)
        valid = reader.read_valid(row=top, height=height, bands=bands)
        for row in range(0, height, chunk):
            rows = slice(row, row + chunk)
            yield top + row, raw[rows], valid[rows]


def _is_measured(raw: np.ndarray, special: Sequence[float]) -> np.ndarray:
    """Where no band holds one of the special values."""
    measured = np.ones(raw.shape[:2], bool)
    for value in special:
        measured &= (raw != value).all(axis=2)
    return measured


def _fit_stretch(path: str, samples: np.ndarray) -> stretch.Stretch:
    if samples.size == 0:
        raise errors.DatasetError(
            f"{path}: no pixel has data: leave it out, or check --nodata and "
            "the file's own no-data value"
        )
    fitted = stretch.fit(samples)
    # As a record holds them, so that records and manifest agree.
    return stretch.Stretch(
        float(np.float32(fitted.low)), float(np.float32(fitted.high))
    )
