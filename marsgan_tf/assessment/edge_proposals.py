"""Windows of an image that look like one straight edge, the best first.

The structure tensor finds where gradients add up to a step. A single erf, laid
across each such window, then tells by its misfit which are worth measuring:
of a real scene most are crooked, or not alone.
"""

import math
from collections.abc import Iterator

import numpy as np
import scipy.ndimage
import scipy.special

from marsgan_tf.assessment.watching import watched

_SMOOTHING_SIGMA = 1.0  # Px, of the gradient.
_BLOCK_PX = 1024  # Side of what is differentiated at once: memory.
_COHERENCE_POWER = 4
_LEAST_COHERENCE = 0.6
# Sharp to soft; in between the misfit hardly changes.
_SIGMAS_PX = (0.7, 1.2, 2.0, 3.2)
# In units of the contrast. The line is a guess yet, so wider than what counts.
_MOST_MISFIT = 0.25


def propose(
    image: np.ndarray, valid: np.ndarray, side_px: int
) -> list[tuple[int, int]]:
    """First rows and columns of square windows, the most promising first.

    Args:
        image: Real `(height, width)`, any unit.
        valid: Boolean, of the same shape: windows hold none that is False.
        side_px: Of a window.
    """
    found: dict[tuple[int, int], float] = {}
    blocks = [
        (row, col)
        for row in range(0, image.shape[0], _BLOCK_PX)
        for col in range(0, image.shape[1], _BLOCK_PX)
    ]
    for block in watched(blocks, f"edges of {side_px} px", unit="blocks"):
        for place, score in _of_block(image, valid, block, side_px):
            found[place] = max(score, found.get(place, 0.0))
    return sorted(found, key=lambda place: (-found[place], place))


def _of_block(
    image: np.ndarray,
    valid: np.ndarray,
    first: tuple[int, int],
    side_px: int,
) -> Iterator[tuple[tuple[int, int], float]]:
    """`((row, col), score)` of the windows about the peaks of a block."""
    reach = 2 * side_px
    low = [max(start - reach, 0) for start in first]
    window = tuple(
        slice(start, stop + _BLOCK_PX + reach)
        for start, stop in zip(low, first, strict=True)
    )
    if min(image[window].shape) < side_px:
        return
    filled, known = _filled(image[window], valid[window]), valid[window]
    slopes = [
        scipy.ndimage.gaussian_filter(filled, _SMOOTHING_SIGMA, order=order)
        for order in ((1, 0), (0, 1))
    ]
    peaks = _peaks(slopes, known, side_px)
    inside = np.all(
        [
            (start <= peaks[axis] + low[axis])
            & (peaks[axis] + low[axis] < start + _BLOCK_PX)
            for axis, start in enumerate(first)
        ],
        axis=0,
    )
    if not inside.any():
        return
    rows, cols = (axis[inside] for axis in peaks)
    rows, cols, score = _looked_at(filled, slopes, (rows, cols), side_px)
    whole = _windows(known, rows, cols, side_px).all(axis=(1, 2))
    for row, col, merit in zip(
        rows[whole], cols[whole], score[whole], strict=True
    ):
        if merit > 0.0:
            yield (low[0] + int(row), low[1] + int(col)), float(merit)


def _filled(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    filled = np.where(valid, image, 0.0).astype(np.float64)
    if valid.any():
        filled[~valid] = filled[valid].mean()
    return filled


def _peaks(
    slopes: list[np.ndarray], valid: np.ndarray, side_px: int
) -> tuple[np.ndarray, ...]:
    """Rows and columns of windows that one straight edge fills best.

    The score is the squared step that the gradients add up to, times their
    energy, times a power of their coherence `(l1 - l2) / (l1 + l2)`, of the
    tensor's eigenvalues. A ridge adds up to nothing, texture to little, a
    soft edge has little energy, a bend is not coherent.
    """
    d_row, d_col = slopes
    row_row, col_col, row_col, step_row, step_col, share_valid = (
        _window_means(part, side_px)
        for part in (
            d_row**2,
            d_col**2,
            d_row * d_col,
            d_row,
            d_col,
            valid.astype(np.float64),
        )
    )
    energy = row_row + col_col
    difference = np.hypot(row_row - col_col, 2.0 * row_col)
    coherence = difference / np.maximum(energy, np.finfo(np.float64).tiny)
    step = (step_row**2 + step_col**2) * energy
    score = step * coherence**_COHERENCE_POWER
    score[share_valid < 1.0 - 0.5 / side_px**2] = 0.0
    score[coherence < _LEAST_COHERENCE] = 0.0
    highest = scipy.ndimage.maximum_filter(score, side_px // 2)
    return np.nonzero((score == highest) & (score > 0.0))


def _window_means(values: np.ndarray, side_px: int) -> np.ndarray:
    """Means of all whole windows `(height - side + 1, width - side + 1)`."""
    means = scipy.ndimage.uniform_filter(
        values, side_px, origin=-(side_px // 2), mode="constant"
    )
    rows, cols = (side - side_px + 1 for side in values.shape)
    return means[:rows, :cols]


def _looked_at(
    filled: np.ndarray,
    slopes: list[np.ndarray],
    place: tuple[np.ndarray, np.ndarray],
    side_px: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moves windows so that the edge is their middle, and scores them.

    Returns:
        First rows, first columns and scores `(n,)`: contrast over misfit and
        sigma, 0 where the misfit is too large.
    """
    rows, cols = place
    middle = (side_px - 1) / 2
    _, at_row, at_col = _guesses(slopes, rows, cols, side_px)
    last_row, last_col = (length - side_px for length in filled.shape)
    rows = np.clip(rows + np.rint(at_row - middle).astype(int), 0, last_row)
    cols = np.clip(cols + np.rint(at_col - middle).astype(int), 0, last_col)
    angle, at_row, at_col = _guesses(slopes, rows, cols, side_px)
    along = np.arange(side_px, dtype=np.float64)
    across_rows = (along - at_row[:, np.newaxis]) * np.cos(angle)[:, np.newaxis]
    across_cols = (along - at_col[:, np.newaxis]) * np.sin(angle)[:, np.newaxis]
    distance = across_rows[:, :, np.newaxis] + across_cols[:, np.newaxis]
    values = _windows(filled, rows, cols, side_px)
    score = np.zeros(rows.size)
    for sigma in _SIGMAS_PX:
        contrast, misfit = _step(values, distance / sigma)
        merit = contrast / np.maximum(misfit, 1e-3) / math.hypot(1.0, sigma)
        score = np.maximum(score, np.where(misfit < _MOST_MISFIT, merit, 0.0))
    return rows, cols, score


def _guesses(
    slopes: list[np.ndarray], rows: np.ndarray, cols: np.ndarray, side_px: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each window the normal's angle from the rows' axis, and a middle."""
    d_row, d_col = (_windows(part, rows, cols, side_px) for part in slopes)
    row_row, col_col, row_col = (
        part.sum(axis=(1, 2)) for part in (d_row**2, d_col**2, d_row * d_col)
    )
    angle = 0.5 * np.arctan2(2.0 * row_col, row_row - col_col)
    rise = (
        d_row * np.cos(angle)[:, np.newaxis, np.newaxis]
        + d_col * np.sin(angle)[:, np.newaxis, np.newaxis]
    )
    rise *= np.sign(rise.sum(axis=(1, 2)))[:, np.newaxis, np.newaxis]
    weights = np.maximum(rise, 0.0) ** 2
    total = np.maximum(weights.sum(axis=(1, 2)), np.finfo(np.float64).tiny)
    along = np.arange(side_px, dtype=np.float64)
    at_row = weights.sum(axis=2) @ along / total
    at_col = weights.sum(axis=1) @ along / total
    return angle, at_row, at_col


def _step(
    values: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of a step: contrast, and misfit in units of it."""
    step = scipy.special.ndtr(share)
    step -= step.mean(axis=(1, 2), keepdims=True)
    levelled = values - values.mean(axis=(1, 2), keepdims=True)
    scale = np.maximum(np.mean(step**2, axis=(1, 2)), 1e-9)
    contrast = np.mean(step * levelled, axis=(1, 2)) / scale
    left = np.mean(levelled**2, axis=(1, 2)) - contrast**2 * scale
    contrast = np.maximum(abs(contrast), np.finfo(np.float64).tiny)
    return contrast, np.sqrt(np.maximum(left, 0.0)) / contrast


def _windows(
    image: np.ndarray, rows: np.ndarray, cols: np.ndarray, side_px: int
) -> np.ndarray:
    """`(n, side, side)`."""
    view = np.lib.stride_tricks.sliding_window_view(image, (side_px, side_px))
    return view[rows, cols]
