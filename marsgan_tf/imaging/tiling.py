"""A grid of tiles with halos over an image of any size: pure geometry.

A tile's core is what it contributes; around it lies a halo that the network
sees and whose answer is thrown away. Where the halo reaches beyond the image,
the image is mirrored, so that a network's zero padding never shows. Pixels
are `(height, width, bands)`; rows, columns and sizes are low-resolution px.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

_UNIT_PX = 64


@dataclasses.dataclass(frozen=True)
class Window:
    """A rectangle of an image.

    Attributes:
        row: First row.
        col: First column.
        height: Rows, at least 1.
        width: Columns, at least 1.
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array with."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )

    def scaled(self, scale: int) -> "Window":
        """The same ground in an image of `scale` times the sides."""
        return Window(
            self.row * scale,
            self.col * scale,
            self.height * scale,
            self.width * scale,
        )

    def grown(self, margin: int, height: int, width: int) -> "Window":
        """The window and what of `margin` around it lies in an image.

        Args:
            margin: Added on each side, at least 0.
            height: Rows of the image, in which the window lies.
            width: Its columns.

        Raises:
            ValueError: If `margin` is below 0.
        """
        if margin < 0:
            raise ValueError(
                f"`margin` must be at least 0. Received: margin={margin}"
            )
        top, left = max(self.row - margin, 0), max(self.col - margin, 0)
        bottom = min(self.row + self.height + margin, height)
        right = min(self.col + self.width + margin, width)
        return Window(top, left, bottom - top, right - left)


@dataclasses.dataclass(frozen=True)
class Grid:
    """All tiles of an image, row by row.

    Sides are divided as evenly as they can be, so that no tile is a sliver.
    Where `tile` is a multiple of 64, so are the borders between tiles: at four
    times the sides, they then lie on those of a GeoTIFF's blocks.

    Args:
        height: Rows of the image.
        width: Columns.
        tile: Largest side of a core.
        halo: Width of the halo.

    Raises:
        ValueError: If a size is below 1, or `halo` below 0.
    """

    height: int
    width: int
    tile: int
    halo: int

    def __post_init__(self) -> None:
        for name, least in (("height", 1), ("width", 1), ("tile", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"`{name}` must be at least {least}. "
                    f"Received: {name}={getattr(self, name)}"
                )
        if self.halo < 0:
            raise ValueError(
                f"`halo` must be at least 0. Received: halo={self.halo}"
            )

    @property
    def rows(self) -> list[tuple[int, int]]:
        """First row and height of each row of tiles."""
        return _divide(self.height, self.tile)

    @property
    def columns(self) -> list[tuple[int, int]]:
        """First column and width of each column of tiles."""
        return _divide(self.width, self.tile)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Window]:
        for row, height in self.rows:
            for col, width in self.columns:
                yield Window(row, col, height, width)


def read_with_halo(
    read: Callable[[Window], np.ndarray],
    core: Window,
    grid: Grid,
) -> np.ndarray:
    """Reads a tile and its halo, mirrored beyond the image's borders.

    Args:
        read: Reads a window that lies inside the image, to
            `(height, width, bands)`.
        core: A tile of `grid`.
        grid: The grid.

    Returns:
        `(core.height + 2 * halo, core.width + 2 * halo, bands)`.
    """
    rows = _mirrored(core.row, core.height, grid.halo, grid.height)
    cols = _mirrored(core.col, core.width, grid.halo, grid.width)
    window = Window(
        int(rows.min()),
        int(cols.min()),
        int(rows.max() - rows.min()) + 1,
        int(cols.max() - cols.min()) + 1,
    )
    pixels = read(window)
    return pixels[rows - window.row][:, cols - window.col]


def without_halo(pixels: np.ndarray, halo: int, scale: int) -> np.ndarray:
    """Cuts the halo off a network's answer.

    Args:
        pixels: `(height, width, bands)`, `scale` times the sides of what
            `read_with_halo` gave.
        halo: Its halo.
        scale: High over low resolution.
    """
    margin = halo * scale
    height, width = pixels.shape[:2]
    return pixels[margin : height - margin, margin : width - margin]


def _divide(length: int, tile: int) -> list[tuple[int, int]]:
    """Start and length of about equal parts of at most `tile`."""
    unit = _UNIT_PX if tile % _UNIT_PX == 0 else 1
    units = math.ceil(length / unit)
    count = math.ceil(length / tile)
    edges = [units * index // count * unit for index in range(count)]
    return [(a, b - a) for a, b in itertools.pairwise([*edges, length])]


def _mirrored(start: int, length: int, halo: int, size: int) -> np.ndarray:
    """Positions from `start - halo` on, folded into `[0, size)`.

    The edge pixel is repeated, as in NumPy's `symmetric` padding and in the
    degradation.
    """
    positions = np.arange(start - halo, start + length + halo) % (2 * size)
    return np.where(positions < size, positions, 2 * size - 1 - positions)
