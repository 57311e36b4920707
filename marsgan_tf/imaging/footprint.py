"""The ground that an image covers, in degrees on its own body: pure geometry.

Nothing here knows rasterio; `raster.RasterReader.footprint` puts the parts
together.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

_POINTS_PER_SIDE = 64


def semi_axes(projjson: Mapping[str, Any]) -> tuple[float, float] | None:
    """Major and minor semi-axis, in metres, of the body of a CRS.

    Args:
        projjson: The CRS in PROJ's JSON form.

    Returns:
        None where the CRS has no ellipsoid, as those of a drawing.
    """
    for nesting in ("source_crs", "base_crs"):
        if nesting in projjson:
            return semi_axes(projjson[nesting])
    if "components" in projjson:  # Horizontal and vertical.
        return semi_axes(projjson["components"][0])
    datum = projjson.get("datum") or projjson.get("datum_ensemble") or {}
    ellipsoid = datum.get("ellipsoid")
    if ellipsoid is None:
        return None
    if "radius" in ellipsoid:
        radius = _metres(ellipsoid["radius"])
        return radius, radius
    major = _metres(ellipsoid["semi_major_axis"])
    if "semi_minor_axis" in ellipsoid:
        return major, _metres(ellipsoid["semi_minor_axis"])
    return major, major * (1.0 - 1.0 / ellipsoid["inverse_flattening"])


def outline(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of points along the border, once around, closed."""
    along = np.linspace(0.0, 1.0, _POINTS_PER_SIDE, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = np.concatenate([along, one, 1.0 - along, zero, [0.0]])
    rows = np.concatenate([zero, along, one, 1.0 - along, [0.0]])
    return columns * width, rows * height


def bounds(
    longitudes: np.ndarray, latitudes: np.ndarray
) -> tuple[float, float, float, float] | None:
    """Bounds of a closed outline, right across 180 degrees and around poles.

    Args:
        longitudes: `(n,)` degrees, in whatever turn.
        latitudes: `(n,)` degrees.

    Returns:
        `(west, south, east, north)`; `west` in [-180, 180) and below `east`.
        None where a point has no latitude and longitude.
    """
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        return None
    longitudes = np.unwrap(longitudes, period=360.0)
    south, north = float(latitudes.min()), float(latitudes.max())
    if abs(longitudes[-1] - longitudes[0]) > 180.0:  # Once around a pole.
        is_northern = latitudes.mean() > 0.0
        south, north = (south, 90.0) if is_northern else (-90.0, north)
        return -180.0, south, 180.0, north
    span = float(np.ptp(longitudes))
    west = (float(longitudes.min()) + 180.0) % 360.0 - 180.0
    return west, south, west + span, north


def _metres(length: Any) -> float:
    if not isinstance(length, Mapping):
        return float(length)
    unit = length.get("unit", "metre")
    factor = 1.0 if unit == "metre" else unit["conversion_factor"]
    return float(length["value"]) * factor
