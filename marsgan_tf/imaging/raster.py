"""Images out of files.

Pixels are `(height, width, bands)` arrays in the file's own dtype; rows grow
downwards; band numbers start at 1 and never count an alpha band. Transforms
map `(column, row)` of a pixel's corner to the units of the CRS. Whatever is
wrong with a file is told by `errors.RasterError`, in one line.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import affine
import numpy as np
import rasterio
import rasterio.errors
import rasterio.warp
import rasterio.windows

from marsgan_tf import errors
from marsgan_tf.imaging import (
    deflate_blocks,
    footprint,
    gdal,
    gdal_georeference,
    georeference,
    raster_checks,
    raster_layout,
    raster_masks,
)

# ISIS marks null, low and high saturation by values of their own, of which
# GDAL reports null alone: dtype -> (lowest, highest) valid value.
_ISIS_VALID = {
    "uint8": (1, 254),
    "uint16": (3, 65533),
    "int16": (-32752, 32767),
    "float32": (np.uint32(0xFF7FFFFA).view(np.float32), np.inf),
}


# Files beside an image that GDAL counts as its own and other programs make.
_BESIDES_PIXELS = (".aux.xml", ".ovr")


class RasterReader:
    """An open image; `open_raster` makes it and closes it.

    A reader serves one thread at a time.

    Attributes:
        path: The file, as it was asked for.
        files: Those that hold the image: with a detached label also the pixels,
            without overviews and what only describes it.
        driver: GDAL's name of the format: `GTiff`, `JP2OpenJPEG`, `ISIS3` ...
        width: Columns.
        height: Rows.
        band_count: Bands of data; an alpha band is not one of them.
        dtype: NumPy dtype, the same for all bands.
        nodata: Value of pixels without data, or None; also None where it does
            not count.
        has_mask: Whether the file marks pixels without data otherwise than by
            a value: with an alpha band or a mask.
        georeference: Where the image lies: CRS, transform, ground control
            points, RPCs.
        band_names: One name a band, empty where the file has none.
        colour_names: What each band shows, by rasterio's names: `red`,
            `gray`, `undefined` ...
        units: One unit a band, empty where the file has none.
        scales: A band's value is `DN * scale + offset`, in its unit.
        offsets: See `scales`.
        tags: The file's own metadata, name to text.
        block_height: Rows that decode together: strips whose borders are
            multiples of it decode nothing twice. Of a JPEG 2000 in one large
            tile, GDAL decodes 1024 rows by themselves.
        block_width: Columns that decode together.
        decoded_pixel_bytes: What GDAL keeps of a decoded pixel: all its bands,
            and their masks where some pixels have no data.
        decodes_whole: Whether the smallest window costs as much as the whole
            image, since both are one compressed block.
    """

    def __init__(
        self, path: str, dataset: Any, *, heeds_nodata: bool = True
    ) -> None:
        self._dataset = dataset
        self._bands = raster_checks.data_bands(dataset)
        self.path = path
        self.files: tuple[str, ...] = _files(dataset)
        self.driver: str = dataset.driver
        self.width: int = dataset.width
        self.height: int = dataset.height
        self.band_count = len(self._bands)
        self.dtype = raster_checks.common_dtype(path, dataset, self._bands)
        first = self._bands[0] - 1
        self.nodata = (
            _nodata(dataset, first, self.dtype) if heeds_nodata else None
        )
        self.has_mask = raster_masks.has_mask(dataset)
        self.georeference: georeference.Georeference = gdal_georeference.read(
            dataset
        )
        self.band_names: tuple[str, ...] = self._of_bands(
            dataset.descriptions, ""
        )
        self.colour_names: tuple[str, ...] = self._of_bands(
            raster_checks.colour_names(dataset)
        )
        self.units: tuple[str, ...] = self._of_bands(dataset.units, "")
        self.scales: tuple[float, ...] = self._of_bands(dataset.scales)
        self.offsets: tuple[float, ...] = self._of_bands(dataset.offsets)
        # The PDS driver lists what a label might say, empty where it does not.
        self.tags = {k: v for k, v in dataset.tags().items() if v}
        block = dataset.block_shapes[first]
        self.block_height: int = min(block[0], self.height)
        self.block_width: int = min(block[1], self.width)
        self._has_masks = not raster_masks.is_all_valid(dataset) and (
            heeds_nodata or not raster_masks.masks_are_of_values(dataset)
        )
        self.decoded_pixel_bytes: int = dataset.count * (
            self.dtype.itemsize + self._has_masks
        )
        self.decodes_whole = (
            block[0] >= self.height
            and block[1] >= self.width
            and _is_compressed(dataset)
        )
        self._deflated = (
            deflate_blocks.DeflateBlocks(dataset)
            if deflate_blocks.is_deflated_floats(dataset)
            else None
        )

    @property
    def crs_wkt(self) -> str | None:
        """The georeference's."""
        return self.georeference.crs_wkt

    @property
    def transform(self) -> affine.Affine:
        """The georeference's."""
        return self.georeference.transform

    @property
    def is_georeferenced(self) -> bool:
        """Whether there are both a CRS and a transform."""
        return bool(self.crs_wkt and self.transform != affine.Affine.identity())

    def read(
        self,
        row: int = 0,
        col: int = 0,
        height: int | None = None,
        width: int | None = None,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Reads a window; without arguments, the whole image.

        Args:
            row: First row.
            col: First column.
            height: Rows; None for all that are left.
            width: Columns; None for all that are left.
            bands: Band numbers from 1, in the order wanted; None for all.

        Returns:
            `(height, width, bands)` in the file's dtype, C-contiguous.

        Raises:
            ValueError: If window or bands reach beyond the image.
            errors.RasterError: If the file is damaged there.
        """
        window = self._window(row, col, height, width)
        planes = self._read(self._dataset.read, self._indexes(bands), window)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))

    def read_valid(
        self,
        row: int = 0,
        col: int = 0,
        height: int | None = None,
        width: int | None = None,
        bands: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Tells where all the asked bands have data; arguments as `read`.

        A pixel has none where a band holds the no-data value, NaN, an
        infinity or one of ISIS' special values, or where the file's mask or
        alpha band says so.

        Returns:
            `(height, width)` booleans, True where there is data.
        """
        window = self._window(row, col, height, width)
        indexes = self._indexes(bands)
        valid = np.ones((window.height, window.width), bool)
        if self._has_masks:
            with warnings.catch_warnings():
                # Of alpha and a no-data value rasterio heeds the value alone.
                warnings.simplefilter(
                    "ignore", rasterio.errors.NodataShadowWarning
                )
                masks = self._read(self._dataset.read_masks, indexes, window)
            valid = np.all(masks != 0, axis=0)
        alpha = sorted(set(self._dataset.indexes) - set(self._bands))
        if alpha:
            opacity = self._read(self._dataset.read, alpha, window)
            valid &= np.all(opacity != 0, axis=0)
        is_isis = self.driver == "ISIS3" and self.dtype.name in _ISIS_VALID
        # Of a mask and a no-data value GDAL heeds the mask alone.
        is_shadowed = self.has_mask and self.nodata is not None
        if self.dtype.kind == "f" or is_isis or is_shadowed:
            planes = self._read(self._dataset.read, indexes, window)
            valid &= np.all(np.isfinite(planes), axis=0)
            if is_shadowed:
                valid &= np.all(planes != self.nodata, axis=0)
            if is_isis:
                low, high = _ISIS_VALID[self.dtype.name]
                valid &= np.all((planes >= low) & (planes <= high), axis=0)
        return valid

    def footprint(self) -> tuple[float, float, float, float] | None:
        """The ground covered: `(west, south, east, north)` in degrees.

        Latitude and east longitude on the raster's own body, whichever it
        is: planetocentric where the CRS knows a sphere. `west` is in
        [-180, 180) and below `east`, which passes 180 where the image crosses
        that meridian. An image around a pole spans all longitudes.

        Returns:
            None where the image is not georeferenced, or where its borders
            have no latitude and longitude.
        """
        if not self.is_georeferenced:
            return None
        crs = self._dataset.crs
        geographic = gdal_georeference.own_geographic(crs)
        if geographic is None:
            return None
        columns, rows = footprint.outline(self.width, self.height)
        x, y = self.transform @ (columns, rows)
        try:
            with rasterio.Env():
                longitudes, latitudes = rasterio.warp.transform(
                    crs, geographic, x.tolist(), y.tolist()
                )
        except gdal.ERRORS:
            return None
        return footprint.bounds(np.array(longitudes), np.array(latitudes))

    def _of_bands(self, entries: Sequence[Any], missing: Any = None) -> tuple:
        found = (entries[band - 1] for band in self._bands)
        return tuple(missing if entry is None else entry for entry in found)

    def _window(
        self, row: int, col: int, height: int | None, width: int | None
    ) -> rasterio.windows.Window:
        height = self.height - row if height is None else height
        width = self.width - col if width is None else width
        inside = (
            0 <= row < row + height <= self.height
            and 0 <= col < col + width <= self.width
        )
        if not inside:
            raise ValueError(
                "The window must lie within the image's "
                f"{self.height} rows and {self.width} columns. Received: "
                f"row={row}, col={col}, height={height}, width={width}"
            )
        return rasterio.windows.Window(col, row, width, height)

    def _indexes(self, bands: Sequence[int] | None) -> list[int]:
        if bands is None:
            return self._bands
        if not bands or not all(1 <= b <= self.band_count for b in bands):
            raise ValueError(
                "`bands` must be numbers from 1 to "
                f"{self.band_count}. Received: bands={tuple(bands)}"
            )
        return [self._bands[band - 1] for band in bands]

    def close(self) -> None:
        """Closes what was opened beside the dataset."""
        if self._deflated is not None:
            self._deflated.close()

    def _read(self, method: Any, indexes: list[int], window: Any) -> np.ndarray:
        try:
            with rasterio.Env(**gdal.OPTIONS):
                pixels = method(indexes, window=window)
                damaged = self._deflated and self._deflated.damaged(
                    indexes, window
                )
        except gdal.ERRORS as error:
            raise self._unreadable(window, gdal.reason(error)) from error
        if damaged:
            reason = f"checksum of the block at {damaged[0]}, {damaged[1]}"
            raise self._unreadable(window, reason)
        return pixels

    def _unreadable(self, window: Any, reason: str) -> errors.RasterError:
        rows = f"{window.row_off} to {window.row_off + window.height - 1}"
        cols = f"{window.col_off} to {window.col_off + window.width - 1}"
        return errors.RasterError(
            f"{self.path}: rows {rows}, columns {cols} cannot be read, the "
            f"file is damaged or incomplete: fetch it again ({reason})"
        )


@contextlib.contextmanager
def open_raster(
    path: str, *, heeds_nodata: bool = True
) -> Iterator[RasterReader]:
    """Opens an image of any format that GDAL reads.

    Args:
        path: GeoTIFF, JPEG 2000, PNG, JPEG, ISIS cube, PDS label or image ...
        heeds_nodata: Whether the file's no-data value counts. Without it,
            NaN, ISIS' special values, masks and alpha bands still do.

    Yields:
        A `RasterReader`, closed at the end of the `with` block.

    Raises:
        errors.RasterError: If the file is missing, empty, no image, or of a
            dtype that cannot be worked with (complex, 64-bit integers).
    """
    path = os.fspath(path)
    raster_checks.require_file(path)
    dataset = _open_dataset(path)
    try:
        with _header_errors(path):
            raster_checks.require_image(path, dataset)
            reader = RasterReader(path, dataset, heeds_nodata=heeds_nodata)
        with contextlib.closing(reader):
            yield reader
    finally:
        dataset.close()


def _open_dataset(path: str) -> Any:
    with (
        _header_errors(path),
        rasterio.Env(**gdal.OPTIONS),
        warnings.catch_warnings(),
    ):
        # Images without georeferencing are welcome.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path)


@contextlib.contextmanager
def _header_errors(path: str) -> Iterator[None]:
    """Tells what is wrong with a header, by whichever part it is noticed."""
    try:
        yield
    except gdal.ERRORS as error:
        raise errors.RasterError(
            f"{path}: is no image that GDAL can open, or is damaged or cut off "
            f"in its header: check the file ({gdal.reason(error)})"
        ) from error


def _nodata(dataset: Any, index: int, dtype: np.dtype) -> float | None:
    """A band's no-data value, if any pixel can have it."""
    value: float | None = dataset.nodatavals[index]
    is_held = value is not None and raster_layout.holds(dtype, value)
    return value if is_held else None


def _files(dataset: Any) -> tuple[str, ...]:
    return tuple(
        name
        for name in dataset.files
        if os.path.isfile(name) and not name.endswith(_BESIDES_PIXELS)
    )


def _is_compressed(dataset: Any) -> bool:
    """Whether pixels are decoded, by the label or by the files it points to."""
    structure = " ".join(dataset.tags(ns="IMAGE_STRUCTURE"))
    return "COMPRESSION" in structure or any(
        name.lower().endswith((".jp2", ".jpg", ".jpeg"))
        for name in dataset.files
    )
