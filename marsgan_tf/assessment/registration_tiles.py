"""Local shifts: tiles of the image, looked for in the reference.

Points are `(x, y)` of the reference's frame; see `registration_scenery`.
"""

import dataclasses
from collections.abc import Callable

import affine
import numpy as np

from marsgan_tf.assessment import (
    registration_correlation,
    registration_features,
)
from marsgan_tf.assessment.registration_fit import Votes
from marsgan_tf.assessment.registration_scenery import Panel, window_of
from marsgan_tf.imaging import fill
from marsgan_tf.imaging.tiling import Window

# How far a tile is looked for, px of the grid, to all sides.
RANGE_PX = 10

# Sides of tiles: an eighth of the ground, between limits.
_TILES_ALONG = 7
_LEAST_TILE_PX = 20
_LARGEST_TILE_PX = 64
_MOST_TILES = 196

# Of a tile, with data in both images.
_LEAST_SHARE = 0.7
# The shift of a tile that was looked for in vain.
_NOWHERE = np.full(2, np.nan)


@dataclasses.dataclass(frozen=True)
class Tiling:
    """Tiles that cover ground, without overlap.

    Attributes:
        side: Of a tile, px of the grid.
        corners: `(n, 2)` first rows and columns.
        area: What reading them touches.
    """

    side: int
    corners: np.ndarray
    area: Window


def cover(ground: np.ndarray, factor: float) -> Tiling:
    """Tiles of a grid over ground, evenly spread where they are many.

    Args:
        ground: `(2, 2)`, upper left and lower right corner.
        factor: Of the grid.
    """
    window = window_of(ground, factor)
    shorter = min(window.height, window.width)
    side = int(
        np.clip(shorter // _TILES_ALONG, _LEAST_TILE_PX, _LARGEST_TILE_PX)
    )
    rows, columns = window.height // side, window.width // side
    thinning = max(1.0, (rows * columns / _MOST_TILES) ** 0.5)
    first_rows = _spread(window.row, window.height, side, rows / thinning)
    first_columns = _spread(window.col, window.width, side, columns / thinning)
    grid = np.meshgrid(first_rows, first_columns, indexing="ij")
    margin = side // 2 + RANGE_PX + registration_features.REACH_PX
    area = Window(
        window.row - margin,
        window.col - margin,
        window.height + 2 * margin,
        window.width + 2 * margin,
    )
    return Tiling(side, np.stack([g.ravel() for g in grid], axis=1), area)


def vote_by_edges(
    reference: Panel,
    image: Panel,
    tiling: Tiling,
    *,
    factor: float,
    correction: affine.Affine,
) -> Votes:
    """Finds each tile by its edges, within `RANGE_PX`.

    Args:
        reference: On the grid.
        image: On the grid, seen through the correction.
        tiling: The tiles.
        factor: Of the grid.
        correction: The one that the image is seen through.
    """

    def find(row: int, col: int) -> np.ndarray | None:
        tile = Window(row, col, tiling.side, tiling.side)
        margin = registration_features.REACH_PX
        moving = _edges(image, tile, margin)
        fixed = _edges(reference, _grown(tile, RANGE_PX), margin)
        if moving.valid.mean() < _LEAST_SHARE:
            return None
        if fixed.valid.mean() < _LEAST_SHARE / 2.0:
            return None
        peak = registration_correlation.find_near(fixed, moving, _LEAST_SHARE)
        return _NOWHERE if peak is None else peak.shift

    return _collect(find, tiling, factor, correction, RANGE_PX)


def vote_by_phases(
    reference: Panel,
    image: Panel,
    tiling: Tiling,
    *,
    factor: float,
    correction: affine.Affine,
) -> Votes:
    """Finds each tile by doubled phases, within half its side.

    The windows are twice as large as the tiles, for their taper. Arguments
    as of `vote_by_edges`.
    """
    margin = tiling.side // 2
    phases: dict[tuple[int, int], np.ndarray] = {}
    for row, col in tiling.corners.tolist():
        window = _grown(Window(row, col, tiling.side, tiling.side), margin)
        fixed, fixed_valid = reference.read(window)
        moving, moving_valid = image.read(window)
        if min(fixed_valid.mean(), moving_valid.mean()) >= _LEAST_SHARE:
            phases[row, col] = registration_correlation.doubled_phases(
                fill.fill(fixed, fixed_valid), fill.fill(moving, moving_valid)
            )
    if not phases:
        return _collect(_never, tiling, factor, correction, tiling.side / 2.0)
    weights = registration_correlation.coherent_frequencies(
        np.stack(list(phases.values()))
    )

    def find(row: int, col: int) -> np.ndarray | None:
        if (row, col) not in phases:
            return None
        if not weights.any():
            return _NOWHERE
        return registration_correlation.find_by_phases(
            phases[row, col], weights
        )

    return _collect(find, tiling, factor, correction, tiling.side / 2.0)


def _never(row: int, col: int) -> None:
    """Finds no tile."""


def _collect(
    find: Callable[[int, int], np.ndarray | None],
    tiling: Tiling,
    factor: float,
    correction: affine.Affine,
    range_px: float,
) -> Votes:
    corners, shifts = [], []
    for row, col in tiling.corners.tolist():
        shift = find(row, col)
        if shift is not None:
            corners.append((col, row))
            shifts.append(shift[::-1])
    seen = np.array(corners, np.float64).reshape(-1, 2) + tiling.side / 2.0
    found = seen + np.array(shifts, np.float64).reshape(-1, 2)
    is_found = np.isfinite(found).all(axis=1)
    x, y = ~correction @ (factor * seen[:, 0], factor * seen[:, 1])
    return Votes(
        np.stack([x, y], axis=1)[is_found],
        factor * found[is_found],
        len(seen),
        factor * range_px,
    )


def _edges(
    panel: Panel, window: Window, margin: int
) -> registration_features.Masked:
    found = registration_features.edges(*panel.read(_grown(window, margin)))
    return found.window(margin, margin, window.height, window.width)


def _grown(window: Window, margin: int) -> Window:
    return Window(
        window.row - margin,
        window.col - margin,
        window.height + 2 * margin,
        window.width + 2 * margin,
    )


def _spread(first: int, length: int, side: int, count: float) -> np.ndarray:
    """First pixels of `count` tiles, spread evenly over a length."""
    number = max(int(count), 1)
    last = first + max(length - side, 0)
    if number == 1:
        return np.array([(first + last) // 2])
    return np.rint(np.linspace(first, last, number)).astype(int)
