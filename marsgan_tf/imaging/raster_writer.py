"""Images into files, whole or not at all.

Pixels and transforms are as in `raster`.
"""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import affine
import numpy as np
import rasterio
import rasterio.crs
import rasterio.errors

from marsgan_tf import errors
from marsgan_tf.imaging import gdal, raster, raster_formats

# Rows compared at a time when a written file is read back.
_CHECKED_ROWS = 1024


def write_raster(
    path: str,
    pixels: np.ndarray,
    *,
    crs_wkt: str | None = None,
    transform: affine.Affine | None = None,
    nodata: float | None = None,
    band_names: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes an image; the file appears whole or not at all.

    What a format cannot hold itself (a CRS in PNG) goes to `<path>.aux.xml`
    beside it, where GDAL and QGIS look for it.

    Args:
        path: The extension gives the format: `.tif` (tiled, deflate), `.png`
            or `.jp2` (both lossless). An existing file is replaced.
        pixels: `(height, width)` or `(height, width, bands)`.
        crs_wkt: Coordinate reference system as WKT.
        transform: Pixel corner `(column, row)` to CRS units.
        nodata: Value of pixels without data; the dtype must have it.
        band_names: One a band, or none at all.
        tags: Metadata, name to text.

    Raises:
        ValueError: If the arguments do not fit together.
        errors.RasterError: If the file cannot be written.
    """
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    profile = raster_formats.profile(path, pixels, nodata)
    if band_names and len(band_names) != pixels.shape[-1]:
        raise ValueError(
            "`band_names` must have one name a band. Received: "
            f"{len(band_names)} names, pixels.shape={pixels.shape}"
        )
    if crs_wkt is not None:
        profile["crs"] = _parse_crs(crs_wkt)
    if transform is not None:
        profile["transform"] = transform
    try:
        with _staged(path) as staged:
            _write(staged, pixels, profile, band_names, tags or {})
            _require_same(staged, pixels)
    except (*gdal.ERRORS, OSError) as error:
        raise errors.RasterError(
            f"{path}: cannot be written, look for free space and permissions "
            f"({gdal.reason(error)})"
        ) from error


def _parse_crs(crs_wkt: str) -> Any:
    try:
        return rasterio.crs.CRS.from_wkt(crs_wkt)
    except rasterio.errors.CRSError as error:
        raise ValueError(
            f"`crs_wkt` must be WKT. Received: {crs_wkt!r} "
            f"({gdal.reason(error)})"
        ) from error


def _write(
    path: str,
    pixels: np.ndarray,
    profile: Mapping[str, Any],
    band_names: Sequence[str],
    tags: Mapping[str, str],
) -> None:
    with rasterio.Env(**gdal.OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as dataset:
            dataset.write(np.moveaxis(pixels, -1, 0))
            dataset.update_tags(**tags)
            for index, name in enumerate(band_names, start=1):
                dataset.set_band_description(index, name)


def _require_same(path: str, pixels: np.ndarray) -> None:
    """Reads a written file back.

    GDAL does not tell when the disk is full while it closes a GeoTIFF.
    """
    with raster.open_raster(path) as reader:
        for row in range(0, reader.height, _CHECKED_ROWS):
            expected = pixels[row : row + _CHECKED_ROWS]
            found = reader.read(row=row, height=len(expected))
            if found.tobytes() != expected.tobytes():
                raise OSError("it does not read back as it was written")


@contextlib.contextmanager
def _staged(path: str) -> Iterator[str]:
    """A name to write under; files go to their final name if all is well."""
    folder, name = os.path.split(os.path.abspath(path))
    staging = tempfile.mkdtemp(prefix=f".{name}.", dir=folder)
    try:
        staged = os.path.join(staging, name)
        yield staged
        sidecar = f"{path}.aux.xml"
        if os.path.exists(f"{staged}.aux.xml"):
            _publish(f"{staged}.aux.xml", sidecar)
        elif os.path.exists(sidecar):  # It told of the file replaced here.
            os.remove(sidecar)
        _publish(staged, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staged: str, path: str) -> None:
    with open(staged, "rb") as file:
        os.fsync(file.fileno())
    os.replace(staged, path)
