"""Which pixels a format can hold, and how GDAL is told to write it."""

import math
import os
from typing import Any

import numpy as np

# Complex numbers and integers of 64 bits are no pixels of images.
DTYPES = frozenset(
    ("uint8", "int8", "uint16", "int16", "uint32", "int32")
    + ("float32", "float64")
)


def profile(
    path: str, pixels: np.ndarray, nodata: float | None
) -> dict[str, Any]:
    """What GDAL must know to write the pixels in the path's format.

    Args:
        path: Its extension gives the format.
        pixels: `(height, width, bands)`.
        nodata: Value of pixels without data, or None.

    Raises:
        ValueError: If format, pixels and no-data value do not fit together.
    """
    formats = {".tif": _geotiff, ".tiff": _geotiff, ".png": _png, ".jp2": _jp2}
    extension = os.path.splitext(path)[1].lower()
    if extension not in formats:
        raise ValueError(
            f"`path` must end in .tif, .png or .jp2. Received: path={path}"
        )
    if pixels.ndim != 3 or 0 in pixels.shape or pixels.dtype.name not in DTYPES:
        raise ValueError(
            "`pixels` must be (height, width, bands), not empty, of integers "
            "of 8, 16 or 32 bits or of floats. Received: "
            f"pixels.shape={pixels.shape}, pixels.dtype={pixels.dtype}"
        )
    if nodata is not None and not _holds(pixels.dtype, nodata):
        raise ValueError(
            "`nodata` must be a value of the pixels' dtype. Received: "
            f"nodata={nodata}, pixels.dtype={pixels.dtype}"
        )
    height, width, count = pixels.shape
    return {
        "height": height,
        "width": width,
        "count": count,
        "dtype": pixels.dtype.name,
        "nodata": nodata,
        **formats[extension](pixels),
    }


def _holds(dtype: np.dtype, value: float) -> bool:
    if dtype.kind == "f":
        return math.isnan(value) or abs(value) <= np.finfo(dtype).max
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max and value == int(value)


def _geotiff(pixels: np.ndarray) -> dict[str, Any]:
    is_rgb = pixels.shape[-1] == 3 and pixels.dtype == np.uint8
    return {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3 if pixels.dtype.kind == "f" else 2,
        "BIGTIFF": "IF_SAFER",
        # Left to itself, GDAL takes the fourth band of bytes for alpha.
        "photometric": "RGB" if is_rgb else "MINISBLACK",
    }


def _png(pixels: np.ndarray) -> dict[str, Any]:
    if pixels.shape[-1] not in (1, 3) or pixels.dtype.name not in (
        "uint8",
        "uint16",
    ):
        raise ValueError(
            "`pixels` for PNG must be uint8 or uint16 of 1 or 3 bands. "
            f"Received: {pixels.dtype} of {pixels.shape[-1]} bands"
        )
    return {"driver": "PNG"}


def _jp2(pixels: np.ndarray) -> dict[str, Any]:
    if pixels.dtype.kind == "f":
        raise ValueError(
            "`pixels` for JPEG 2000 must be integers. Received: "
            f"pixels.dtype={pixels.dtype}"
        )
    return {
        "driver": "JP2OpenJPEG",
        "QUALITY": "100",
        "REVERSIBLE": "YES",
        "WRITE_METADATA": "YES",
    }
