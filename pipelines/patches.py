"""Which windows of a scene become training patches: pure decisions.

Rows and columns are high-resolution pixels of the scene, from 0.
"""

import enum

import numpy as np

SCALE = 4  # High over low resolution, as the paper has it.


class Verdict(enum.Enum):
    """What becomes of a window."""

    KEPT = "kept"
    NO_DATA = "no data"
    LOW_CONTRAST = "low contrast"


def starts(length: int, size: int, stride: int) -> range:
    """First pixels of the windows along one side of a scene.

    Windows end within the last whole low-resolution pixel.

    Args:
        length: The scene's side.
        size: The window's side, a multiple of `SCALE`.
        stride: Step between windows, a multiple of `SCALE`.
    """
    return range(0, length // SCALE * SCALE - size + 1, stride)


def judge(
    grey: np.ndarray,
    valid: np.ndarray,
    row: int,
    col: int,
    *,
    size: int,
    reach_px: int,
    min_std: float,
) -> Verdict:
    """Decides on the window at `row`, `col` of a strip.

    A pixel without data counts against a window also where it lies outside,
    but so near that the degradation would carry its fill value into the
    low-resolution patch.

    Args:
        grey: `(height, width)` DN of the strip.
        valid: `(height, width)` booleans, True where there is data.
        row: First row of the window in the strip.
        col: First column of the window in the strip.
        size: The window's side.
        reach_px: How far the degradation looks beyond the window.
        min_std: Least standard deviation of a kept window, DN.
    """
    top, left = max(0, row - reach_px), max(0, col - reach_px)
    bottom, right = row + size + reach_px, col + size + reach_px
    if not valid[top:bottom, left:right].all():
        return Verdict.NO_DATA
    window = grey[row : row + size, col : col + size]
    if window.std(dtype=np.float64) < min_std:
        return Verdict.LOW_CONTRAST
    return Verdict.KEPT
