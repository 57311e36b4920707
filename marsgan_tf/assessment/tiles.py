"""Pyramids of PNG tiles, by which a browser shows a raster of any size.

Level `max_level` is the raster, cut into tiles of 512 x 512 px; each level
below has half the sides, rounded up, down to where one tile holds all:
`<folder>/<level>/<column>_<row>.png`, the layout of Deep Zoom images. A pixel
of a lower level is the mean of those of its four that have data. Pixels
without data are transparent: of 8 bits, 0 stands for them, and 1 to 255 for
[0, 1].

Strips pass one at a time through all levels, so that memory grows with the
raster's width alone.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
import PIL.Image

from marsgan_tf.assessment.common_grid import Grid
from marsgan_tf.assessment.watching import watched
from marsgan_tf.imaging.tiling import Window

TILE_PX = 512
OVERVIEW_PX = 1024
_THREADS = 4

# `(height, width, bands)` floats, 1 band (grey) or 3, and `(height, width)`
# bool: where there is data.
Picture = tuple[np.ndarray, np.ndarray]
Painter = Callable[[Window], Picture]


@dataclasses.dataclass(frozen=True, eq=False)
class Pyramid:
    """A raster's levels.

    Attributes:
        height: Rows of the raster.
        width: Columns.
        min_level: The level that one tile holds.
        max_level: The raster itself.
        overview: The finest level of at most 1024 px a side, as painted.
    """

    height: int
    width: int
    min_level: int
    max_level: int
    overview: Picture


def write(
    folder: str, grid: Grid, paint: Painter, *, label: str = "tiles"
) -> Pyramid:
    """Paints a raster strip by strip and cuts it into tiles.

    Args:
        folder: Of the tiles, new; empty to write none, for the overview.
        grid: Of the raster.
        paint: Gives the picture in a window: strips of 512 rows, in order.
        label: What progress is called.

    Raises:
        OSError: If a tile cannot be written.
    """
    max_level = (max(grid.height, grid.width) - 1).bit_length()
    one_tile = TILE_PX.bit_length() - 1
    min_level = min(max_level, one_tile)
    overview_level = min(max_level, OVERVIEW_PX.bit_length() - 1)
    overview: list[Picture] = []
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        levels = [
            _Level(
                folder and os.path.join(folder, str(level)),
                pool,
                overview if level == overview_level else None,
            )
            for level in range(max_level, min_level - 1, -1)
        ]
        strips = [*grid.strips(TILE_PX)]
        for strip in watched(strips, label, unit="strips"):
            is_last = strip.row + strip.height == grid.height
            _pass_down(levels, paint(strip), is_last=is_last)
    return Pyramid(
        grid.height, grid.width, min_level, max_level, _joined(overview)
    )


def to_8bit(picture: Picture) -> np.ndarray:
    """uint8 `(height, width[, 3])`: 0 for no data, 1 to 255 for [0, 1]."""
    values, valid = picture
    scaled = 1 + np.rint(np.clip(values, 0, 1) * 254)
    levels = np.where(valid[..., np.newaxis], scaled, 0).astype(np.uint8)
    return levels[..., 0] if levels.shape[2] == 1 else levels


def write_png(path: str, picture: Picture) -> None:
    """Writes a picture whose pixels without data are transparent.

    Raises:
        OSError: If the file cannot be written.
    """
    pixels = to_8bit(picture)
    clear = 0 if pixels.ndim == 2 else (0, 0, 0)
    PIL.Image.fromarray(pixels).save(path, format="PNG", transparency=clear)


class _Level:
    """Collects one level's rows and writes them as tiles."""

    def __init__(
        self,
        folder: str,
        pool: concurrent.futures.Executor,
        kept: list[Picture] | None,
    ) -> None:
        self._folder = folder
        self._pool = pool
        self._kept = kept
        self._parts: list[Picture] = []
        self._row = 0
        if folder:
            os.makedirs(folder)

    def add(self, part: Picture, *, is_last: bool) -> Picture | None:
        """Takes rows; returns a whole row of tiles when there is one."""
        self._parts.append(part)
        rows = sum(len(valid) for _, valid in self._parts)
        if rows < TILE_PX and not is_last:
            return None
        strip = _joined(self._parts)
        self._parts = []
        if self._kept is not None:
            self._kept.append(strip)
        if self._folder:
            self._write(strip)
        self._row += 1
        return strip

    def _write(self, strip: Picture) -> None:
        values, valid = strip
        columns = range(0, valid.shape[1], TILE_PX)
        done = [
            self._pool.submit(
                write_png,
                os.path.join(self._folder, f"{number}_{self._row}.png"),
                (values[:, col : col + TILE_PX], valid[:, col : col + TILE_PX]),
            )
            for number, col in enumerate(columns)
        ]
        for tile in done:
            tile.result()


def _pass_down(
    levels: Sequence[_Level], picture: Picture, *, is_last: bool
) -> None:
    part: Picture | None = picture
    for level in levels:
        if part is None:
            return
        strip = level.add(part, is_last=is_last)
        part = strip and _halved(strip)


def _joined(parts: Sequence[Picture]) -> Picture:
    if len(parts) == 1:
        return parts[0]
    values, valid = zip(*parts, strict=True)
    return np.concatenate(values), np.concatenate(valid)


def _halved(picture: Picture) -> Picture:
    values, valid = picture
    odd = [(0, side % 2) for side in valid.shape]
    weights = np.pad(valid, odd)[..., np.newaxis].astype(np.float32)
    known = np.where(valid[..., np.newaxis], values, 0)
    weighted = np.pad(known.astype(np.float32, copy=False), [*odd, (0, 0)])
    total, weight = _sums_of_four(weighted), _sums_of_four(weights)
    means = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return means, weight[..., 0] > 0


def _sums_of_four(image: np.ndarray) -> np.ndarray:
    top, bottom = image[::2], image[1::2]
    rows = top + bottom
    return rows[:, ::2] + rows[:, 1::2]
