"""Checksums of a GeoTIFF's deflated floats, which GDAL 3.10 passes over.

Where differences of floats are stored (predictor 3), it returns a row of
whatever was in memory for one of a damaged block, and reports success.
"""

import itertools
import math
import os
import zlib
from collections.abc import Iterable
from typing import Any

_STRUCTURE = {"COMPRESSION": "DEFLATE", "PREDICTOR": "3"}


class DeflateBlocks:
    """The blocks of an open dataset, each inflated once and not kept.

    Args:
        dataset: A rasterio dataset that `is_deflated_floats`.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._checked: set[tuple[int, int, int]] = set()
        self._file = open(dataset.files[0], "rb")
        self._most_bytes = max(
            math.prod(shape) * dataset.count * 16
            for shape in dataset.block_shapes
        )

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def damaged(
        self, indexes: Iterable[int], window: Any
    ) -> tuple[int, int] | None:
        """Row and column of the first pixel of a damaged block of a window.

        Args:
            indexes: Bands, from 1.
            window: A rasterio window.

        Returns:
            The block's place in the image; None if all are sound.
        """
        for band in indexes:
            high, wide = self._dataset.block_shapes[band - 1]
            rows = _covering(window.row_off, window.height, high)
            cols = _covering(window.col_off, window.width, wide)
            for block in itertools.product(rows, cols):
                if not self._is_sound(band, *block):
                    return block[0] * high, block[1] * wide
        return None

    def _is_sound(self, band: int, row: int, col: int) -> bool:
        key = (band, row, col)
        if key not in self._checked:
            offset, size = (
                self._dataset.get_tag_item(
                    f"BLOCK_{name}_{col}_{row}", dm="TIFF", bidx=band
                )
                for name in ("OFFSET", "SIZE")
            )
            # A block that was never written has neither.
            if offset and size and not self._inflates(int(offset), int(size)):
                return False
            self._checked.add(key)
        return True

    def _inflates(self, offset: int, size: int) -> bool:
        held = os.fstat(self._file.fileno()).st_size
        if offset + size > held:
            return False
        content = os.pread(self._file.fileno(), size, offset)
        inflation = zlib.decompressobj()
        try:
            inflation.decompress(content, self._most_bytes)
        except zlib.error:
            return False
        return inflation.eof


def is_deflated_floats(dataset: Any) -> bool:
    """Whether a dataset is a local TIFF, by deflate and predictor 3."""
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    return (
        dataset.driver == "GTiff"
        and structure.items() >= _STRUCTURE.items()
        and bool(dataset.files)
        and os.path.isfile(dataset.files[0])
    )


def _covering(start: int, length: int, side: int) -> range:
    """Numbers of the blocks that hold a stretch of rows or columns."""
    return range(int(start) // side, -(-int(start + length) // side))
