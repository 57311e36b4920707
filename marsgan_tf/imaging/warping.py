"""Images as they look on another grid of pixels, in whichever CRS.

Columns and rows are counted from the corner of the first pixel, as GDAL counts
them: the first centre lies at (0.5, 0.5). A grid has no end: windows may start
at negative rows, and reach beyond the image.

GDAL resamples, through rasterio: cubic convolution (Keys, a = -0.5), its kernel
stretched where the grid is coarser than the image, so that nothing aliases. On
a grid four times as coarse that is MATLAB's `imresize`, as in `degrade`.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import rasterio
import rasterio.enums
import rasterio.warp

from marsgan_tf import errors
from marsgan_tf.imaging import gdal, transfer
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.pixel_source import PixelSource
from marsgan_tf.imaging.tiling import Window

# The most of an image that is read for a part of a window, in pixels.
_PIECE_PX = 2**23

# Points along a side of a window whose place in the image is computed.
_POINTS = 17
# Between those points another CRS may bend, by this share of the window.
_BEND = 0.02
# What Keys' kernel sees of the image, in px of the coarser of both grids.
_REACH_PX = 2
# Up to here nothing aliases that counts, and the kernel stays as it is.
_LEAST_REDUCTION = 1.05


class View:
    """An image on another grid.

    Args:
        image: The image.
        place: Where it lies: its transform and CRS.
        grid: Transform and CRS of the grid. Without a CRS in both, the
            transforms lead to the same plane, whatever that is.
        bands: Band numbers from 1.

    Attributes:
        grid: Transform and CRS of the grid.
        reduction: Image pixels along a pixel of the grid, both ways: `(x, y)`
            in the middle of the image.

    Raises:
        errors.RegistrationError: If PROJ knows no way from one CRS to the
            other, or only one is given.
    """

    def __init__(
        self,
        image: PixelSource,
        place: Georeference,
        grid: Georeference,
        *,
        bands: Sequence[int] = (1,),
    ) -> None:
        self.grid = grid
        self._image = image
        self._bands = tuple(bands)
        self._source = transfer.Side(place)
        self._target = transfer.Side(grid)
        if (place.crs_wkt is None) != (grid.crs_wkt is None):
            raise errors.RegistrationError(
                "only one of the images has a coordinate reference system"
            )
        self.reduction = self._reduction()

    def positions(
        self, columns: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where points of the grid lie in the image.

        Args:
            columns: `(n,)` on the grid.
            rows: `(n,)`.

        Returns:
            Columns and rows of the image, float64 `(n,)`; not finite where
            the image's projection does not reach.
        """
        return transfer.carry(columns, rows, self._target, self._source)

    def appearances(
        self, columns: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where points of the image lie on the grid: `positions`, undone."""
        return transfer.carry(columns, rows, self._source, self._target)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Resamples a window of the grid.

        Memory is bounded by the window, whatever part of the image it shows:
        that is read in pieces of some megapixels.

        Args:
            window: Of the grid, anywhere.

        Returns:
            Pixels `(height, width, bands)`, float32, or float64 for images
            of 32-bit integers or doubles, NaN where there is no data; and
            where there is, `(height, width)` booleans: where the image pixel
            under the centre has data.

        Raises:
            errors.RasterError: If the image is damaged there.
        """
        source = self._source_window(window)
        if source is None:
            return self._nothing(window)
        is_large = source.height * source.width > _PIECE_PX
        if is_large and max(window.height, window.width) > 1:
            return self._read_halves(window, source)
        return self._read_piece(window, source)

    def _reduction(self) -> tuple[float, float]:
        middle = np.array([self._image.width / 2.0, self._image.height / 2.0])
        column, row = self.appearances(middle[:1], middle[1:])
        columns = np.concatenate([column - 0.5, column + 0.5, column, column])
        rows = np.concatenate([row, row, row - 0.5, row + 0.5])
        x, y = self.positions(columns, rows)
        if not np.isfinite([x, y]).all():
            raise errors.RegistrationError(
                "the middle of the image has no place on the grid: its "
                "projection does not reach there"
            )
        across = math.hypot(x[1] - x[0], x[3] - x[2])
        down = math.hypot(y[1] - y[0], y[3] - y[2])
        return across, down

    def _source_window(self, window: Window) -> Window | None:
        """The part of the image that a window shows, or None."""
        along = np.linspace(0.0, 1.0, _POINTS)
        columns, rows = np.meshgrid(
            window.col + along * window.width,
            window.row + along * window.height,
        )
        x, y = self.positions(columns.ravel(), rows.ravel())
        is_known = np.isfinite(x) & np.isfinite(y)
        if not is_known.any():
            return None
        bend = 0.0 if self._source.crs == self._target.crs else _BEND
        across, down = self.reduction
        col, width = _span(x[is_known], across, bend, self._image.width)
        row, height = _span(y[is_known], down, bend, self._image.height)
        if width <= 0 or height <= 0:
            return None
        return Window(row, col, height, width)

    def _nothing(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        shape = (window.height, window.width, len(self._bands))
        pixels = np.full(shape, np.nan, _floating(self._image.dtype))
        return pixels, np.zeros(shape[:2], bool)

    def _read_halves(
        self, window: Window, source: Window
    ) -> tuple[np.ndarray, np.ndarray]:
        # Rows first: files are read in rows.
        axis = 0 if window.height >= window.width else 1
        if source.height > source.width and window.height > 1:
            axis = 0
        parts = [self.read(part) for part in _halves(window, axis)]
        pixels, valid = zip(*parts, strict=True)
        return np.concatenate(pixels, axis), np.concatenate(valid, axis)

    def _read_piece(
        self, window: Window, source: Window
    ) -> tuple[np.ndarray, np.ndarray]:
        place = (source.row, source.col, source.height, source.width)
        pixels = self._image.read(*place, bands=self._bands)
        valid = self._image.read_valid(*place, bands=self._bands)
        if not valid.any():
            return self._nothing(window)
        planes = np.moveaxis(pixels, -1, 0).astype(_floating(pixels.dtype))
        planes[:, ~valid] = np.nan
        resampled = self._resample(planes, window, source)
        found = np.isfinite(resampled).all(axis=0)
        resampled[:, ~found] = np.nan
        return np.ascontiguousarray(np.moveaxis(resampled, 0, -1)), found

    def _resample(
        self, planes: np.ndarray, window: Window, source: Window
    ) -> np.ndarray:
        shape = (len(planes), window.height, window.width)
        resampled = np.full(shape, np.nan, planes.dtype)
        try:
            with rasterio.Env(**gdal.OPTIONS):
                rasterio.warp.reproject(
                    planes,
                    resampled,
                    src_transform=self._source.of_window(source),
                    src_crs=self._source.crs,
                    src_nodata=np.nan,
                    dst_transform=self._target.of_window(window),
                    dst_crs=self._target.crs,
                    dst_nodata=np.nan,
                    resampling=rasterio.enums.Resampling.cubic,
                    # In input px; by default an eighth of one.
                    tolerance=0.0,
                    # GDAL would guess them anew for every window.
                    XSCALE=_kernel_scale(self.reduction[0]),
                    YSCALE=_kernel_scale(self.reduction[1]),
                )
        except gdal.ERRORS as error:
            raise errors.RegistrationError(
                f"an image cannot be resampled ({gdal.reason(error)})"
            ) from error
        return resampled


def _span(
    points: np.ndarray, reduction: float, bend: float, length: int
) -> tuple[int, int]:
    """First pixel and number of those that points along an axis see."""
    low, high = float(points.min()), float(points.max())
    margin = _REACH_PX * max(reduction, 1.0) + 1.0 + bend * (high - low)
    first = math.floor(max(low - margin, 0.0))
    return first, math.ceil(min(high + margin, float(length))) - first


def _kernel_scale(reduction: float) -> float:
    return 1.0 / reduction if reduction > _LEAST_REDUCTION else 1.0


def _halves(window: Window, axis: int) -> tuple[Window, Window]:
    first, size = (("row", "height"), ("col", "width"))[axis]
    start, length = getattr(window, first), getattr(window, size)
    half = length // 2
    rest = {first: start + half, size: length - half}
    return (
        dataclasses.replace(window, **{size: half}),
        dataclasses.replace(window, **rest),
    )


def _floating(dtype: np.dtype) -> np.dtype:
    is_small = dtype.itemsize < 4 or dtype == np.float32
    return np.dtype(np.float32 if is_small else np.float64)
