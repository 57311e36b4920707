"""Sunlight on terrain: lunar-Lambert reflection, cast shadows, and haze.

The view is straight down. Azimuths are degrees clockwise from up (north),
pointing to the sun; incidence is degrees from the vertical. Brightness is
I/F: that of a white plane under a vertical sun is 1.
"""

import numpy as np

# Light of a dusty sky, against that of the sun on level ground, and what the
# air between ground and orbit adds, in I/F. Shadows on Mars are not black.
_SKYLIGHT = 0.10
_HAZE = 0.012

_STRIP_ROWS = 256


def shade(
    heights: np.ndarray,
    albedo: np.ndarray | float,
    *,
    gsd_m: float,
    sun_azimuth_deg: float,
    sun_incidence_deg: float,
    is_airless: bool = False,
) -> np.ndarray:
    """Renders terrain as an orbiter sees it.

    Args:
        heights: `(height, width)` metres.
        albedo: Normal albedo in [0, 1], `(height, width)` or one for all.
        gsd_m: Grid spacing, metres.
        sun_azimuth_deg: Where the sun stands, clockwise from up.
        sun_incidence_deg: Of the sun on level ground, in [0, 90).
        is_airless: Leaves out skylight and haze.

    Returns:
        I/F, float32 `(height, width)`.

    Raises:
        ValueError: If the sun is not above the horizon, or a side is 1.

    Reference: McEwen 1991, Icarus 92, 298-311 (lunar-Lambert).
    """
    if not 0.0 <= sun_incidence_deg < 90.0:
        raise ValueError(
            "`sun_incidence_deg` must be in [0, 90). Received: "
            f"sun_incidence_deg={sun_incidence_deg}"
        )
    if min(heights.shape) < 2:
        raise ValueError(
            "`heights` must have at least 2 rows and 2 columns. Received: "
            f"heights.shape={heights.shape}"
        )
    sun = _sun_vector(sun_azimuth_deg, sun_incidence_deg)
    lunar = _lunar_weight(sun_incidence_deg)
    lit = sunlit(
        heights,
        gsd_m=gsd_m,
        sun_azimuth_deg=sun_azimuth_deg,
        sun_incidence_deg=sun_incidence_deg,
    )
    sky, haze = 0.0, 0.0
    if not is_airless:
        level = lunar * 2.0 * sun[2] / (sun[2] + 1.0) + (1.0 - lunar) * sun[2]
        sky, haze = _SKYLIGHT * level, _HAZE
    result = np.empty(heights.shape, np.float32)
    for start in range(0, heights.shape[0], _STRIP_ROWS):
        rows = slice(start, min(start + _STRIP_ROWS, heights.shape[0]))
        direct, cos_slope = _reflect(heights, rows, gsd_m, sun, lunar)
        # A slope sees that part of the sky that its own hill leaves.
        result[rows] = direct * lit[rows] + sky * (1.0 + cos_slope) / 2.0
    np.multiply(result, albedo, out=result)
    result += np.float32(haze)
    return result


def sunlit(
    heights: np.ndarray,
    *,
    gsd_m: float,
    sun_azimuth_deg: float,
    sun_incidence_deg: float,
) -> np.ndarray:
    """How much of each grid point the sun sees past the terrain around it.

    One sweep away from the sun carries the height up to which the air is
    dark, lowered by the sun's slope from line to line.

    Args:
        heights: `(height, width)` metres.
        gsd_m: Grid spacing, metres.
        sun_azimuth_deg: Where the sun stands, clockwise from up.
        sun_incidence_deg: Of the sun on level ground, in [0, 90).

    Returns:
        float32 `(height, width)`, 1 in the sun, 0 in shadow.
    """
    east, north, up = _sun_vector(sun_azimuth_deg, sun_incidence_deg)
    if np.hypot(east, north) < 1e-6:
        return np.ones(heights.shape, np.float32)
    if abs(north) >= abs(east):
        return _sweep(
            heights,
            sideways=east / abs(north),
            is_from_end=north < 0.0,
            drop_m=gsd_m * up / abs(north),
        )
    lit = _sweep(
        heights.T,
        sideways=-north / abs(east),
        is_from_end=east > 0.0,
        drop_m=gsd_m * up / abs(east),
    )
    return np.ascontiguousarray(lit.T)


def _sweep(
    heights: np.ndarray, *, sideways: float, is_from_end: bool, drop_m: float
) -> np.ndarray:
    """Shadows of a sun beyond the first line, or beyond the last.

    Args:
        heights: `(lines, points)` metres.
        sideways: Points that the way to the sun shifts from line to line.
        is_from_end: Whether the sun stands beyond the last line.
        drop_m: How far the sun's rays fall from line to line.
    """
    count, width = heights.shape
    drop = np.float32(drop_m)
    # Rounded, so that a sun in line with the grid shifts by nothing at all.
    source = np.arange(width) + round(sideways, 9)
    first = np.floor(source).astype(int)
    weight = (source - first).astype(np.float32)
    # Points whose ray comes from beyond the side have nothing before them.
    is_open = (source < 0) | (source > width - 1)
    first = np.clip(first, 0, width - 1)
    second = np.minimum(first + 1, width - 1)
    lit = np.ones(heights.shape, np.float32)
    lines = range(count)[::-1] if is_from_end else range(count)
    dark = None
    for line in lines:
        ground = heights[line]
        if dark is None:
            dark = ground.astype(np.float32)
            continue
        ray = (1 - weight) * dark[first] + weight * dark[second] - drop
        ray[is_open] = -np.inf
        # Half lit where the ray grazes the ground: no stairs at the edge.
        lit[line] = np.clip(0.5 - (ray - ground) / drop, 0.0, 1.0)
        dark = np.maximum(ray, ground)
    return lit


def _sun_vector(
    azimuth_deg: float, incidence_deg: float
) -> tuple[float, float, float]:
    azimuth, incidence = np.radians(azimuth_deg), np.radians(incidence_deg)
    return (
        float(np.sin(incidence) * np.sin(azimuth)),
        float(np.sin(incidence) * np.cos(azimuth)),
        float(np.cos(incidence)),
    )


def _lunar_weight(phase_deg: float) -> float:
    """McEwen's cubic, for a view straight down: phase equals incidence."""
    cubic = (
        1.0
        - 0.019 * phase_deg
        + 2.42e-4 * phase_deg**2
        - 1.46e-6 * phase_deg**3
    )
    return max(cubic, 0.0)


def _reflect(
    heights: np.ndarray,
    rows: slice,
    gsd_m: float,
    sun: tuple[float, float, float],
    lunar: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Lunar-Lambert brightness at unit albedo, and the slopes' cosines."""
    # With a row more at either end, so that slopes do not know of strips.
    top, bottom = max(rows.start - 1, 0), min(rows.stop + 1, heights.shape[0])
    down, right = np.gradient(heights[top:bottom], np.float32(gsd_m))
    inner = slice(rows.start - top, rows.stop - top)
    east, north = right[inner], -down[inner]
    emission = 1.0 / np.sqrt(1.0 + east**2 + north**2)
    incidence = (sun[2] - sun[0] * east - sun[1] * north) * emission
    incidence = np.maximum(incidence, 0.0)
    limb = 2.0 * lunar / np.maximum(incidence + emission, 1e-6)
    return incidence * (limb + (1.0 - lunar)), emission
