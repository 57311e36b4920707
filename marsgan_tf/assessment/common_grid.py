"""Images of several resolutions and units, read on one grid.

The grid is that of the finest image. A coarser one is brought up by bicubic,
a finer one down by cubic spline, both as the paper does; nothing is moved, so
images must be registered. Rows and columns count from the upper left corner,
which all share.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import affine
import numpy as np
from absl import logging

from marsgan_tf import errors
from marsgan_tf.assessment import cubic_spline
from marsgan_tf.imaging import enlarge, fill, gdal_georeference
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.raster import RasterReader
from marsgan_tf.imaging.tiling import Window

MOST_SCALE = 16

# Reducing by 4 leaves up to 3 px over, which the super-resolved image lacks.
_MOST_EXTRA_PX = 3
_MOST_SHIFT_PX = 0.5

# The bicubic of a valid pixel looks 2 px far, at pixels that were filled from
# valid ones no farther away than the diagonal of that.
_COARSE_MARGIN_PX = 5

# What is looked at of a large image to choose ranges and thresholds.
_SAMPLE_SIDE_PX = 256
_SAMPLE_SIDE_COUNT = 8


@dataclasses.dataclass(frozen=True)
class Grid:
    """The grid on which images are compared.

    Attributes:
        height: Rows.
        width: Columns.
        georeference: Of the image that it is taken from.
    """

    height: int
    width: int
    georeference: Georeference

    def strips(self, rows: int) -> Iterator[Window]:
        """Windows of `rows` rows and all columns, the last one lower."""
        for row in range(0, self.height, rows):
            yield Window(row, 0, min(rows, self.height - row), self.width)

    def samples(self) -> list[Window]:
        """Windows that stand for all: at most 64 of 256 x 256 px, spread."""
        side, count = _SAMPLE_SIDE_PX, _SAMPLE_SIDE_COUNT
        if self.height * self.width <= (side * count) ** 2:
            return [Window(0, 0, self.height, self.width)]
        return [
            Window(row, col, min(side, self.height), min(side, self.width))
            for row in _starts(self.height, side, count)
            for col in _starts(self.width, side, count)
        ]


class GridImage:
    """One image as it looks on the grid.

    Args:
        name: See below.
        reader: See below.
        grid: Of the finest image.
        band: The band that is looked at, of an image with several.
        nodata: Value of pixels without data, besides what the reader heeds.

    Attributes:
        name: What tables and figures call it.
        reader: The open file.
        band: Its band that is looked at, from 1.
        coarser: How many times larger its pixels are than the grid's, or 1.
        finer: How many times smaller, or 1.
        gain: What is read is `DN * gain + offset`; changed by whoever chooses
            the range that becomes [0, 1].
        offset: See `gain`.

    Raises:
        errors.RasterError: If there is no such band, or the image's size or
            place does not fit the grid.
    """

    def __init__(
        self,
        name: str,
        reader: RasterReader,
        grid: Grid,
        *,
        band: int = 1,
        nodata: float | None = None,
    ) -> None:
        self.name = name
        self.reader = reader
        self.band = 1 if reader.band_count == 1 else band
        if self.band > reader.band_count:
            raise errors.RasterError(
                f"{reader.path}: has {reader.band_count} bands, none is band "
                f"{band}: give another --band"
            )
        self.coarser, self.finer = _relation(reader, grid)
        _check_place(reader, grid, self.finer / self.coarser)
        self.gain, self.offset = 1.0, 0.0
        self._nodata = nodata
        self._grid = grid

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The image in a window of the grid.

        Returns:
            float32 `(height, width)`, 0 where there is no data, and bool of
            the same shape: where there is.
        """
        if self.coarser > 1:
            values, valid = self._read_coarse(window)
        elif self.finer > 1:
            values, valid = self._read_fine(window)
        else:
            values, valid = self._read_own(window)
        scaled = values.astype(np.float64) * self.gain + self.offset
        return np.where(valid, scaled, 0).astype(np.float32), valid

    def read_own(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The same in a window of its own pixels, neither up nor down."""
        values, valid = self._read_own(window)
        scaled = values.astype(np.float64) * self.gain + self.offset
        return np.where(valid, scaled, 0).astype(np.float32), valid

    def _read_own(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        place = (window.row, window.col, window.height, window.width)
        bands = [self.band]
        valid = self.reader.read_valid(*place, bands=bands)
        values = self.reader.read(*place, bands=bands)[..., 0]
        if self._nodata is not None:
            valid &= values != self._nodata
        return values, valid

    def _read_coarse(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        scale = self.coarser
        own = _outer(window, scale)
        around = own.grown(
            _COARSE_MARGIN_PX, self.reader.height, self.reader.width
        )
        values, valid = self._read_own(around)
        if valid.any():
            values = enlarge.enlarge(fill.fill(values, valid), scale)
        else:
            values = enlarge.repeat(np.zeros_like(values), scale)
        inside = _inside(window, around.scaled(scale))
        return values[inside], enlarge.repeat(valid, scale)[inside]

    def _read_fine(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        scale = self.finer
        around = window.scaled(scale).grown(
            cubic_spline.margin_px(scale),
            self._grid.height * scale,
            self._grid.width * scale,
        )
        reduced, valid = cubic_spline.reduce(*self._read_own(around), scale)
        first = Window(around.row // scale, around.col // scale, *reduced.shape)
        inside = _inside(window, first)
        return reduced[inside], valid[inside]


def choose(readers: Sequence[RasterReader]) -> Grid:
    """The grid of the finest image.

    Of several that are as fine, but for the few rows and columns that a
    reduction leaves over, the common part.

    Args:
        readers: At least one; images of the same ground.
    """
    largest = max(readers, key=lambda reader: reader.height * reader.width)
    equals = [
        reader
        for reader in readers
        if abs(reader.height - largest.height) <= _MOST_EXTRA_PX
        and abs(reader.width - largest.width) <= _MOST_EXTRA_PX
    ]
    placed = [reader for reader in equals if reader.is_georeferenced]
    return Grid(
        min(reader.height for reader in equals),
        min(reader.width for reader in equals),
        (placed or equals)[0].georeference,
    )


def cut(grid: Grid, reader: RasterReader) -> Grid:
    """The grid without the rows and columns that a reference lacks.

    Args:
        grid: Of the finest image.
        reader: Of the reference; unless it is about as large, nothing is cut.
    """
    lacking = grid.height - reader.height, grid.width - reader.width
    if not all(abs(extra) <= _MOST_EXTRA_PX for extra in lacking):
        return grid
    return dataclasses.replace(
        grid,
        height=min(grid.height, reader.height),
        width=min(grid.width, reader.width),
    )


def _starts(length: int, side: int, count: int) -> list[int]:
    last = max(length - side, 0)
    return sorted({round(last * k / (count - 1)) for k in range(count)})


def _outer(window: Window, scale: int) -> Window:
    """The coarse pixels that a window of the grid touches."""
    row, col = window.row // scale, window.col // scale
    bottom = -(-(window.row + window.height) // scale)
    right = -(-(window.col + window.width) // scale)
    return Window(row, col, bottom - row, right - col)


def _inside(window: Window, around: Window) -> tuple[slice, slice]:
    return Window(
        window.row - around.row,
        window.col - around.col,
        window.height,
        window.width,
    ).slices


def _relation(reader: RasterReader, grid: Grid) -> tuple[int, int]:
    """How many times coarser and finer an image is than the grid."""
    sides = ((reader.height, grid.height), (reader.width, grid.width))
    for scale in range(2, MOST_SCALE + 1):
        if all(own * scale == common for own, common in sides):
            return scale, 1
    finer = max(reader.height // grid.height, 1)
    extras = [own - finer * common for own, common in sides]
    if all(0 <= extra <= _MOST_EXTRA_PX * finer for extra in extras):
        return 1, finer
    raise errors.RasterError(
        f"{reader.path}: has {reader.height} x {reader.width} px (rows x "
        f"columns), the finest image {grid.height} x {grid.width}: one must be "
        "a whole number of times the other; bring it there by python -m "
        "marsgan_tf.coregister"
    )


def _check_place(reader: RasterReader, grid: Grid, ratio: float) -> None:
    """Refuses an image that lies elsewhere, if both places are known."""
    place = grid.georeference
    is_placed = place.crs_wkt and place.transform != affine.Affine.identity()
    if not (reader.is_georeferenced and is_placed):
        return
    to_grid = ~place.transform @ reader.transform
    shifts = []
    for col, row in ((0, 0), (grid.width, 0), (0, grid.height)):
        found_col, found_row = to_grid @ (col * ratio, row * ratio)
        shifts += [abs(found_col - col), abs(found_row - row)]
    if max(shifts) > _MOST_SHIFT_PX:
        raise errors.RasterError(
            f"{reader.path}: its corners lie up to {max(shifts):.4g} px off "
            "those of the finest image: bring it there by python -m "
            "marsgan_tf.coregister"
        )
    ours, theirs = (
        gdal_georeference.parse_crs(wkt)
        for wkt in (place.crs_wkt, reader.crs_wkt)
    )
    if theirs and ours != theirs:
        # Not refused: the same one is often written in other words.
        logging.warning(
            "%s: its CRS is called otherwise than the finest image's; compared "
            "pixel by pixel all the same, since the corners agree",
            reader.path,
        )
