"""Which pixels a format can hold, and how GDAL is told to write it."""

import os
from typing import Any

from marsgan_tf.imaging import raster_layout

# Side of a GeoTIFF's tiles; of 512, files are 2 % smaller at most, and those
# of floats larger.
BLOCK_PX = 256

_COG_BLOCK_PX = 512
_COLOURS = ("red", "green", "blue")

# A TIFF that is no BigTIFF ends at 4 GiB. Pixels that do not compress, blocks
# that are written twice, a mask and overviews make of these less than that.
_SMALL_TIFF_BYTES = 10**9

# With more threads the file is the same, but GDAL 3.10 does not tell when the
# disk is full, and goes on.
_THREADS = "1"

# A third to a tenth of the time of zlib's own 6, for a hundredth more bytes.
_DEFLATE_LEVEL = 3


def of_path(path: str) -> str:
    """The format that a file's extension stands for.

    Raises:
        ValueError: If it is none that is written here.
    """
    formats = {
        ".tif": "GTiff",
        ".tiff": "GTiff",
        ".png": "PNG",
        ".jp2": "JP2OpenJPEG",
    }
    extension = os.path.splitext(path)[1].lower()
    if extension not in formats:
        raise ValueError(
            f"`path` must end in .tif, .png or .jp2. Received: path={path}"
        )
    return formats[extension]


def profile(
    file_format: str, layout: raster_layout.RasterLayout
) -> dict[str, Any]:
    """What GDAL must know to write a raster.

    Args:
        file_format: `GTiff`, `COG` (which starts as a GeoTIFF), `PNG` or
            `JP2OpenJPEG`.
        layout: What the raster will be.

    Raises:
        ValueError: If the format is unknown or cannot hold such a raster.
    """
    formats = {
        "GTiff": _geotiff,
        "COG": _geotiff,
        "PNG": _png,
        "JP2OpenJPEG": _jp2,
    }
    if file_format not in formats:
        raise ValueError(
            f"`file_format` must be one of {', '.join(formats)}. Received: "
            f"file_format={file_format}"
        )
    return {
        "height": layout.height,
        "width": layout.width,
        "count": layout.bands,
        "dtype": layout.dtype.name,
        "nodata": layout.nodata,
        **formats[file_format](layout),
    }


def cog_options(
    layout: raster_layout.RasterLayout, overviews: bool
) -> dict[str, str]:
    """What GDAL must know to copy a GeoTIFF, with its overviews, into a COG."""
    return {
        "COMPRESS": "DEFLATE",
        "LEVEL": str(_DEFLATE_LEVEL),
        "PREDICTOR": "YES",
        "BLOCKSIZE": str(_COG_BLOCK_PX),
        "OVERVIEWS": "FORCE_USE_EXISTING" if overviews else "NONE",
        "BIGTIFF": _bigtiff(layout),
        "NUM_THREADS": _THREADS,
    }


def _bigtiff(layout: raster_layout.RasterLayout) -> str:
    pixels = layout.height * layout.width
    is_small = pixels * layout.pixel_bytes <= _SMALL_TIFF_BYTES
    return "NO" if is_small else "YES"


def _geotiff(layout: raster_layout.RasterLayout) -> dict[str, Any]:
    colours = layout.colour_names[:3]
    if not colours and layout.bands == 3 and layout.dtype.name == "uint8":
        colours = _COLOURS
    return {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "compress": "deflate",
        "ZLEVEL": _DEFLATE_LEVEL,
        "predictor": 3 if layout.dtype.kind == "f" else 2,
        "BIGTIFF": _bigtiff(layout),
        "NUM_THREADS": _THREADS,
        # Left to itself, GDAL takes the fourth band of bytes for alpha.
        "photometric": "RGB" if colours == _COLOURS else "MINISBLACK",
    }


def _png(layout: raster_layout.RasterLayout) -> dict[str, Any]:
    if layout.bands not in (1, 3) or layout.dtype.name not in (
        "uint8",
        "uint16",
    ):
        raise ValueError(
            "`pixels` for PNG must be uint8 or uint16 of 1 or 3 bands. "
            f"Received: {layout.dtype} of {layout.bands} bands"
        )
    return {"driver": "PNG"}


def _jp2(layout: raster_layout.RasterLayout) -> dict[str, Any]:
    if layout.dtype.kind == "f":
        raise ValueError(
            "`pixels` for JPEG 2000 must be integers. Received: "
            f"pixels.dtype={layout.dtype}"
        )
    return {
        "driver": "JP2OpenJPEG",
        "QUALITY": "100",
        "REVERSIBLE": "YES",
        "WRITE_METADATA": "YES",
    }
