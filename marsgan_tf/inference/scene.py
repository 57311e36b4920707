"""An open image as prediction reads it: chosen bands, and where they are valid.

What memory it takes does not depend on the image, but for `rows_cached`.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import gdal, raster, raster_layout
from marsgan_tf.imaging.raster import RasterReader
from marsgan_tf.imaging.tiling import Window

# Rows that GDAL keeps decoded: those of the tiles in work, and some.
_LEAST_CACHE_BYTES = 16 * 2**20
_CACHE_MARGIN = 1.25


@dataclasses.dataclass(frozen=True)
class Scene:
    """Bands of an open image.

    Attributes:
        reader: The image.
        bands: Band numbers from 1, in the order wanted.
        nodata: Value of pixels without data, or None.
    """

    reader: RasterReader
    bands: tuple[int, ...]
    nodata: float | None

    @property
    def path(self) -> str:
        """The file."""
        return self.reader.path

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reads a window.

        Returns:
            Pixels `(height, width, bands)` in the file's dtype, and of the
            same shape where they are valid.

        Raises:
            errors.RasterError: If the file is damaged there.
        """
        place = (window.row, window.col, window.height, window.width)
        pixels = self.reader.read(*place, bands=self.bands)
        masks = [self.reader.read_valid(*place, bands=[b]) for b in self.bands]
        valid = np.stack(masks, axis=-1)
        if self.nodata is not None:
            valid &= pixels != self.nodata
        return pixels, valid


@contextlib.contextmanager
def open_scene(
    path: str, *, bands: Sequence[int], nodata: float | None
) -> Iterator[Scene]:
    """Opens an image for prediction.

    Args:
        path: The file.
        bands: Band numbers from 1; empty for all.
        nodata: Value of pixels without data, in the place of the file's own;
            None for that.

    Raises:
        errors.RasterError: If it is no image, lacks a band, or cannot hold
            the no-data value.
    """
    with raster.open_raster(path, heeds_nodata=nodata is None) as reader:
        chosen = tuple(bands) or tuple(range(1, reader.band_count + 1))
        if not all(1 <= band <= reader.band_count for band in chosen):
            raise errors.RasterError(
                f"{path}: has {reader.band_count} band(s), --bands="
                f"{','.join(map(str, chosen))} asks for others"
            )
        own = reader.nodata if nodata is None else nodata
        if nodata is not None and not raster_layout.holds(reader.dtype, nodata):
            raise errors.RasterError(
                f"{path}: its pixels are {reader.dtype} and never "
                f"--nodata={nodata:g}; give a value they can have"
            )
        yield Scene(reader, chosen, own)


@contextlib.contextmanager
def rows_cached(scene: Scene, rows: int) -> Iterator[None]:
    """Has GDAL keep rows decoded that are read tile by tile.

    Args:
        scene: The scene.
        rows: That a row of tiles sees.
    """
    with gdal.block_cache(_cache_bytes(scene.reader, rows)):
        yield


def _cache_bytes(reader: RasterReader, rows: int) -> int:
    """What keeps a row of tiles decoded, so that no block is decoded twice."""
    # Tiles begin and end within blocks.
    kept = reader.height if reader.decodes_whole else rows + reader.block_height
    height = _whole_blocks(min(kept, reader.height), reader.block_height)
    width = _whole_blocks(reader.width, reader.block_width)
    decoded_bytes = height * width * reader.decoded_pixel_bytes
    needed = int(decoded_bytes * _CACHE_MARGIN)
    return max(needed, _LEAST_CACHE_BYTES)


def _whole_blocks(length: int, block: int) -> int:
    return -(-length // block) * block
