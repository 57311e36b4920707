"""Where pixels come from: an open file, or an array that stands for one."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PixelSource(Protocol):
    """What is read of an image; a `raster.RasterReader` is one."""

    @property
    def height(self) -> int:
        """Rows."""

    @property
    def width(self) -> int:
        """Columns."""

    @property
    def dtype(self) -> np.dtype:
        """Of the pixels."""

    def read(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Pixels of a window, `(height, width, bands)`."""

    def read_valid(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Where they have data, `(height, width)` booleans."""


class ArraySource:
    """An array in memory, read as a file is.

    Args:
        pixels: `(height, width, bands)`.
        valid: `(height, width)` booleans, True where there is data.
    """

    def __init__(self, pixels: np.ndarray, valid: np.ndarray) -> None:
        self._pixels = pixels
        self._valid = valid
        self.height, self.width = valid.shape
        self.dtype = pixels.dtype

    def read(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Pixels of a window, `(height, width, bands)`."""
        window = self._pixels[row : row + height, col : col + width]
        return window if bands is None else window[..., np.array(bands) - 1]

    def read_valid(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Where they have data, `(height, width)` booleans."""
        del bands  # One mask serves all.
        return self._valid[row : row + height, col : col + width]


class WithNodata:
    """A source of which one more value means that there is no data.

    Args:
        source: The source.
        nodata: The value; NaN is always without data.
    """

    def __init__(self, source: PixelSource, nodata: float) -> None:
        self._source = source
        self._nodata = nodata
        self.height = source.height
        self.width = source.width
        self.dtype = source.dtype

    def read(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Pixels of a window, `(height, width, bands)`."""
        return self._source.read(row, col, height, width, bands)

    def read_valid(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Where they have data, `(height, width)` booleans."""
        place = (row, col, height, width)
        pixels = self._source.read(*place, bands=bands)
        is_data = (pixels != self._nodata) & (pixels == pixels)
        valid = self._source.read_valid(*place, bands=bands)
        return valid & is_data.all(axis=-1)
