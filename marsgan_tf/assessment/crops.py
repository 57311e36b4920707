"""Chooses the parts of an image that are looked at closely.

Wanted, as in the paper's Figure 7: much texture, all over the image, and no
pixel without data. The choice depends on the reference (without one, on the
finest image), never on how well an image does there.
"""

import numpy as np

from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.watching import watched
from marsgan_tf.imaging.tiling import Window

LEAST_SIDE_PX = 32

# Windows are tried at every quarter of their side.
_STEPS = 4
# Strips of some 2**20 px: memory.
_STRIP_PX = 2**20


def choose(
    image: GridImage,
    others: list[GridImage],
    grid: Grid,
    *,
    count: int,
    side: int,
) -> list[Region]:
    """Chooses crops that do not overlap.

    Each next one has the most of texture (root mean square of the gradient)
    times distance from those chosen before.

    Args:
        image: Whose texture counts.
        others: Images that must have data there too.
        grid: What all are read on.
        count: How many are wanted; fewer come back where there is no room.
        side: Of a crop, px of the grid; half the grid's shorter side if that
            is less.

    Returns:
        Named A, B ... Z, A1 and so on, from the upper left to the lower right.
    """
    side = min(side, min(grid.height, grid.width) // 2)
    if side < LEAST_SIDE_PX:
        return []
    step = side // _STEPS
    energy, whole = _cells([image, *others], grid, step)
    score, rows, cols = _windows(energy, whole)
    places = _spread(score, rows * step, cols * step, side=side, count=count)
    return [
        Region(_label(number), row, col, step * _STEPS, step * _STEPS)
        for number, (row, col) in enumerate(sorted(places))
    ]


def _cells(
    images: list[GridImage], grid: Grid, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared gradient of the first image, and where all have data.

    Both of cells of `step` x `step` px.
    """
    rows = max(_STRIP_PX // grid.width // step, 1) * step
    strips = [window for window in grid.strips(rows) if window.height >= step]
    parts = [
        _strip_cells(images, window, step)
        for window in watched(strips, "choice of crops", unit="strips")
    ]
    energy, whole = zip(*parts, strict=True)
    return np.concatenate(energy), np.concatenate(whole)


def _strip_cells(
    images: list[GridImage], window: Window, step: int
) -> tuple[np.ndarray, np.ndarray]:
    values, valid = images[0].read(window)
    for other in images[1:]:
        valid &= other.read(window)[1]
    along, across = np.gradient(values)
    return (
        _cell_blocks(along**2 + across**2, step).mean(axis=(1, 3)),
        np.logical_and.reduce(_cell_blocks(valid, step), axis=(1, 3)),
    )


def _cell_blocks(image: np.ndarray, step: int) -> np.ndarray:
    rows, cols = (length // step for length in image.shape)
    return image[: rows * step, : cols * step].reshape(rows, step, cols, step)


def _windows(
    energy: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texture, first cell row and column of all windows with data."""
    view = np.lib.stride_tricks.sliding_window_view
    size = (_STEPS, _STEPS)
    texture = np.sqrt(view(energy, size).mean(axis=(2, 3)))
    rows, cols = np.nonzero(view(whole, size).all(axis=(2, 3)))
    return texture[rows, cols], rows, cols


def _spread(
    score: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    side: int,
    count: int,
) -> list[tuple[int, int]]:
    chosen: list[tuple[int, int]] = []
    nearest = np.full(score.shape, np.inf)
    free = np.ones(score.shape, bool)
    while len(chosen) < count and free.any():
        # All are as far from nothing.
        merit = score * np.where(np.isinf(nearest), 1.0, nearest)
        best = int(np.argmax(np.where(free, merit, -1.0)))
        row, col = int(rows[best]), int(cols[best])
        chosen.append((row, col))
        down, right = np.abs(rows - row), np.abs(cols - col)
        free &= (down >= side) | (right >= side)
        nearest = np.minimum(nearest, np.hypot(down, right))
    return chosen


def _label(number: int) -> str:
    turn, letter = divmod(number, 26)
    return chr(ord("A") + letter) + (str(turn) if turn else "")
