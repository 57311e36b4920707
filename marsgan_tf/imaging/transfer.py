"""Points of one image's pixels in those of another, in whichever CRS.

Columns and rows are counted from the corner of the first pixel, as GDAL counts
them: the first centre lies at (0.5, 0.5).
"""

from typing import Any

import affine
import numpy as np
import rasterio
import rasterio._err
import rasterio.warp

from marsgan_tf import errors
from marsgan_tf.imaging import gdal, gdal_georeference
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.tiling import Window

# GDAL takes a transform that is the identity for none at all.
_FLAT_CRS = 'LOCAL_CS["Pixels",UNIT["metre",1]]'
_FLAT_OFFSET = affine.Affine.translation(1024.0, 1024.0)


class Side:
    """Where pixels lie, as GDAL wants it said.

    Without a CRS, transforms lead to a plane of no name.

    Args:
        place: Transform and CRS.

    Attributes:
        crs: rasterio's.
        transform: Pixel corner `(column, row)` to CRS units.
    """

    def __init__(self, place: Georeference) -> None:
        is_flat = place.crs_wkt is None
        self.crs: Any = gdal_georeference.parse_crs(place.crs_wkt or _FLAT_CRS)
        self.transform: affine.Affine = (
            _FLAT_OFFSET @ place.transform if is_flat else place.transform
        )

    def of_window(self, window: Window) -> affine.Affine:
        """The transform of a window's own pixels."""
        return self.transform @ affine.Affine.translation(
            window.col, window.row
        )


def carry(
    columns: np.ndarray, rows: np.ndarray, start: Side, end: Side
) -> tuple[np.ndarray, np.ndarray]:
    """Points in one side's pixels, told in the other's.

    Args:
        columns: `(n,)` of the start.
        rows: `(n,)` of the start.
        start: Where the points are told now.
        end: Where they shall be.

    Returns:
        Columns and rows of the end, float64 `(n,)`; not finite where its
        projection does not reach.

    Raises:
        errors.RegistrationError: If PROJ knows no way, as from one celestial
            body to another.
    """
    x, y = start.transform @ (
        np.asarray(columns, np.float64),
        np.asarray(rows, np.float64),
    )
    if start.crs != end.crs:
        x, y = _reproject(x, y, start, end)
    with np.errstate(invalid="ignore"):
        columns, rows = ~end.transform @ (x, y)
    return columns, rows


def _reproject(
    x: np.ndarray, y: np.ndarray, start: Side, end: Side
) -> tuple[np.ndarray, np.ndarray]:
    try:
        with rasterio.Env():
            east, north = rasterio.warp.transform(
                start.crs, end.crs, x.tolist(), y.tolist()
            )
    except rasterio._err.CPLE_AppDefinedError:
        return _reproject_some(x, y, start, end)
    except gdal.ERRORS as error:
        raise errors.RegistrationError(
            "there is no way from one image's coordinate reference system to "
            "the other's: look whether both are of the same body"
        ) from error
    return np.array(east), np.array(north)


def _reproject_some(
    x: np.ndarray, y: np.ndarray, start: Side, end: Side
) -> tuple[np.ndarray, np.ndarray]:
    """Points some of which are out of a projection's reach.

    rasterio gives up all of them for one, so halves are tried.
    """
    if len(x) == 1:
        return np.array([np.inf]), np.array([np.inf])
    half = len(x) // 2
    first = _reproject(x[:half], y[:half], start, end)
    second = _reproject(x[half:], y[half:], start, end)
    return (
        np.concatenate([first[0], second[0]]),
        np.concatenate([first[1], second[1]]),
    )
