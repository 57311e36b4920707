"""What is wrong with a file of pixels, before any pixel is read."""

import json
import os
from typing import Any

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import raster_layout, raw_layout

# GDAL reads what is missing from their uncompressed files as zeros.
_RAW_DRIVERS = ("ENVI", "ISIS3", "PDS", "PDS4", "VICAR")
_COMPRESSED = (".jp2", ".jpg", ".jpeg", ".tif", ".tiff")


def require_file(path: str) -> None:
    """Refuses what is no readable file of at least one byte.

    Raises:
        errors.RasterError: With what it is instead.
    """
    if os.path.isdir(path):
        problem = "is a folder: name an image file"
    elif not os.path.exists(path):
        problem = "does not exist: check the name"
    elif not os.access(path, os.R_OK):
        problem = "may not be read: check the permissions"
    elif os.path.getsize(path) == 0:
        problem = "is empty: fetch it again"
    else:
        return
    raise errors.RasterError(f"{path}: {problem}")


def require_image(path: str, dataset: Any) -> None:
    """Refuses an open dataset whose pixels cannot be worked with.

    Raises:
        errors.RasterError: If it has no bands, of unlike or unknown types, or
            a palette, or ends before its last pixel.
    """
    bands = data_bands(dataset)
    if not bands:
        raise errors.RasterError(
            f"{path}: has no band of pixels: if it holds several images, "
            "extract one with gdal_translate"
        )
    if "palette" in colour_names(dataset):
        raise errors.RasterError(
            f"{path}: its pixels are numbers of a colour palette: convert it "
            "with gdal_translate -expand rgb"
        )
    _require_beside(path, dataset)
    _require_complete(path, dataset, common_dtype(path, dataset, bands))


def _require_beside(path: str, dataset: Any) -> None:
    """Refuses pixels from elsewhere than the file's own folder.

    A label or a header may be a stranger's. A VRT is made to name files.
    """
    if dataset.driver == "VRT":
        return
    folder = os.path.join(os.path.dirname(os.path.abspath(path)), "")
    for name in dataset.files:
        if not os.path.abspath(name).startswith(folder):
            raise errors.RasterError(
                f"{path}: points to {name}, outside its folder: put both into "
                "one folder, and correct the pointer"
            )


def _require_complete(path: str, dataset: Any, dtype: np.dtype) -> None:
    """Refuses a raw file that ends before its last pixel."""
    files = [f for f in dataset.files if not f.endswith(".aux.xml")]
    if dataset.driver not in _RAW_DRIVERS or files[-1].lower().endswith(
        _COMPRESSED
    ):
        return  # What is compressed is told by its decoder.
    expected = _expected_bytes(dataset, dtype)
    found = os.path.getsize(files[0] if dataset.driver == "ENVI" else files[-1])
    if found < expected:
        raise errors.RasterError(
            f"{path}: its pixels are cut off, there are {found} bytes where "
            f"{expected} are needed: fetch it again"
        )


def _expected_bytes(dataset: Any, dtype: np.dtype) -> int:
    """Least size of the file that holds a raw format's pixels."""
    size = dataset.width * dataset.height * dataset.count * dtype.itemsize
    try:
        if dataset.driver == "ISIS3":
            return raw_layout.isis3_end(_label(dataset), dtype.itemsize)
        if dataset.driver == "PDS":
            return raw_layout.pds3_end(_label(dataset), size)
    except (KeyError, TypeError, ValueError):
        pass  # A label of an unknown form tells no more than the others do.
    return size


def _label(dataset: Any) -> dict[str, Any]:
    # rasterio takes the JSON text for `name=value` and cuts it at a colon.
    (parts,) = dataset.tags(ns=f"json:{dataset.driver}").items()
    return json.loads(":".join(parts))


def colour_names(dataset: Any) -> list[str]:
    """What each band of a dataset shows: `red`, `gray`, `alpha` ..."""
    return [meaning.name for meaning in dataset.colorinterp]


def data_bands(dataset: Any) -> list[int]:
    """Numbers from 1 of the bands that are not alpha."""
    names = zip(dataset.indexes, colour_names(dataset), strict=True)
    return [index for index, name in names if name != "alpha"]


def common_dtype(path: str, dataset: Any, bands: list[int]) -> np.dtype:
    """The one dtype of the bands.

    Raises:
        errors.RasterError: If there are several, or it is not of pixels.
    """
    names = sorted({dataset.dtypes[band - 1] for band in bands})
    if len(names) > 1 or names[0] not in raster_layout.DTYPES:
        raise errors.RasterError(
            f"{path}: pixels of type {' and '.join(names)} cannot be worked "
            "with: convert it to integers of 8, 16 or 32 bits, or to floats"
        )
    return np.dtype(names[0])
