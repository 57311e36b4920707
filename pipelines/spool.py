"""A scene's pixels on disk while its stretch is not known yet.

Decoding is what costs most, and a single-tile JPEG 2000 costs the same for
one row as for all: so a scene is decoded once, and kept raw.
"""

from typing import BinaryIO

import numpy as np


class Spool:
    """Grey pixels and their data mask, written and read by rows.

    Plain file reads, not a memory map, so that memory stays at one strip.

    Args:
        file: An empty file, open for writing and reading.
        height: Rows of the scene.
        width: Columns of the scene.
        dtype: Of the pixels.

    Attributes:
        dtype: Of the pixels.
    """

    def __init__(
        self, file: BinaryIO, height: int, width: int, dtype: np.dtype
    ) -> None:
        self._file = file
        self._width = width
        self.dtype = dtype
        self._row_bytes = width * dtype.itemsize
        self._mask_start = height * self._row_bytes
        self._mask_row_bytes = -(-width // 8)

    def write(self, row: int, grey: np.ndarray, valid: np.ndarray) -> None:
        """Stores `(rows, width)` pixels and booleans from `row` on."""
        self._file.seek(row * self._row_bytes)
        self._file.write(np.ascontiguousarray(grey, self.dtype).data)
        self._file.seek(self._mask_start + row * self._mask_row_bytes)
        self._file.write(np.packbits(valid, axis=1).data)

    def read(self, row: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and booleans of the rows from `row` up to `end`."""
        rows = end - row
        self._file.seek(row * self._row_bytes)
        grey = np.frombuffer(
            self._file.read(rows * self._row_bytes), self.dtype
        )
        self._file.seek(self._mask_start + row * self._mask_row_bytes)
        bits = np.frombuffer(
            self._file.read(rows * self._mask_row_bytes), np.uint8
        )
        valid = np.unpackbits(bits.reshape(rows, -1), axis=1, count=self._width)
        return grey.reshape(rows, self._width), valid.view(bool)
