"""Rasters larger than memory into files, tile by tile, whole or not at all.

Pixels and transforms are as in `raster`.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import rasterio
import rasterio.enums
import rasterio.errors
import rasterio.shutil
import rasterio.windows

from marsgan_tf import errors
from marsgan_tf.imaging import (
    gdal,
    gdal_georeference,
    raster_formats,
    raster_layout,
    raster_staging,
    tiff_blocks,
)

# `(row, col, pixels (h, w, bands), valid (h, w) or None)`.
Tile = tuple[int, int, np.ndarray, np.ndarray | None]
Tiles = Callable[[], Iterable[Tile]]

# GDAL's cache of blocks; larger where two rows of blocks need more, so that
# blocks across the borders of tiles are mostly written once.
_CACHE_BYTES = 64 * 2**20
_OVERVIEW_PX = 512


def write_tiles(
    path: str,
    layout: raster_layout.RasterLayout,
    tiles: Tiles,
    *,
    file_format: str = "GTiff",
    overviews: bool = False,
    staging_name: str = "",
) -> None:
    """Writes a raster in tiles; the file appears whole or not at all.

    Memory does not grow with the raster's height, and with its width by two
    rows of blocks at most. The same call gives the same bytes. A COG needs
    the space of two files for a while.

    Args:
        path: The file; an existing one is replaced.
        layout: What the raster is, but for its pixels.
        tiles: Gives a fresh iterator over `(row, col, pixels, valid)`; called
            once to write, and once more to compare with the closed file, since
            GDAL does not tell when the disk is full while it closes one.
            `pixels` is `(height, width, bands)` of the layout's dtype; `valid`
            is `(height, width)` booleans, or None where all pixels have data,
            and is heeded where the layout has a mask. Together the tiles cover
            the raster once, in any sizes, row by row; those whose borders are
            multiples of `raster_formats.BLOCK_PX` give the smallest files.
        file_format: `GTiff` (tiled, deflate) or `COG` (Cloud Optimized
            GeoTIFF); `PNG` and `JP2OpenJPEG`, both lossless, hold the whole
            image in memory.
        overviews: Whether a GeoTIFF gets means of 2x2, 4x4 ... valid pixels,
            until the longer side is below 512.
        staging_name: Of the folder beside `path` in which the file grows; by
            default a new one. A caller that alone writes `path` gives the
            same name again after it was killed, so that nothing is left.

    Raises:
        ValueError: If layout, format and tiles do not fit together.
        errors.RasterError: If the file cannot be written.
        Exception: What `tiles` raises.
    """
    profile = raster_formats.profile(file_format, layout)
    if overviews and file_format not in ("GTiff", "COG"):
        raise ValueError(
            "`overviews` must be False but for GTiff and COG. Received: "
            f"file_format={file_format}"
        )
    block_row = raster_formats.BLOCK_PX * layout.width * layout.pixel_bytes
    cache_bytes = max(_CACHE_BYTES, 2 * block_row)
    try:
        with (
            raster_staging.staged(path, staging_name) as staged,
            gdal.block_cache(cache_bytes),
            rasterio.Env(**gdal.OPTIONS, GDAL_TIFF_INTERNAL_MASK="YES"),
        ):
            first = f"{staged}.tif" if file_format == "COG" else staged
            _write(first, layout, tiles, profile)
            if overviews:
                _add_overviews(first, layout)
            if file_format == "COG":
                _copy_as_cog(first, staged, layout, overviews)
            _require_same(staged, layout, tiles)
    except errors.MarsganError:
        raise
    except (*gdal.ERRORS, OSError) as error:
        raise errors.RasterError(
            f"{path}: cannot be written, look for free space and permissions "
            f"({gdal.reason(error)})"
        ) from error


def _open(path: str, mode: str = "r", **options: Any) -> Any:
    with warnings.catch_warnings():
        # Images without georeferencing are welcome.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, mode, **options)


def _write(
    path: str,
    layout: raster_layout.RasterLayout,
    tiles: Tiles,
    profile: dict[str, Any],
) -> None:
    with _open(path, "w", **profile) as dataset:
        # Before the pixels, so that a TIFF's directory is written once.
        _describe(dataset, layout)
        covered = 0
        for row, col, pixels, valid in tiles():
            _require_fitting(layout, row, col, pixels)
            height, width = pixels.shape[:2]
            window = rasterio.windows.Window(col, row, width, height)
            if layout.has_mask:
                dataset.write_mask(_mask(pixels, valid), window=window)
            dataset.write(np.moveaxis(pixels, -1, 0), window=window)
            covered += height * width
        if covered != layout.height * layout.width:
            raise ValueError(
                f"`tiles` must cover {layout.height * layout.width} pixels. "
                f"Received: {covered}"
            )


def _describe(dataset: Any, layout: raster_layout.RasterLayout) -> None:
    gdal_georeference.write(dataset, layout.georeference)
    tags = dict(layout.tags)
    if layout.georeference.gcps:
        # GDAL 3.10 writes the points of `Point` a whole pixel off.
        tags.pop("AREA_OR_POINT", None)
    dataset.update_tags(**tags)
    for index, name in enumerate(layout.band_names, start=1):
        dataset.set_band_description(index, name)
    if layout.colour_names:
        dataset.colorinterp = [
            rasterio.enums.ColorInterp[name] for name in layout.colour_names
        ]
    if any(layout.units):
        dataset.units = layout.units
    if any(scale != 1.0 for scale in layout.scales):
        dataset.scales = layout.scales
    if any(layout.offsets):
        dataset.offsets = layout.offsets


def _require_fitting(
    layout: raster_layout.RasterLayout, row: int, col: int, pixels: np.ndarray
) -> None:
    fits = (
        pixels.ndim == 3
        and pixels.shape[2] == layout.bands
        and pixels.dtype == layout.dtype
        and 0 <= row < row + pixels.shape[0] <= layout.height
        and 0 <= col < col + pixels.shape[1] <= layout.width
    )
    if not fits:
        raise ValueError(
            f"`tiles` must lie within {layout.height} rows and {layout.width} "
            f"columns, with {layout.bands} bands of {layout.dtype}. Received: "
            f"row={row}, col={col}, {pixels.shape} of {pixels.dtype}"
        )


def _mask(pixels: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    if valid is None:
        return np.full(pixels.shape[:2], 255, np.uint8)
    return np.where(valid, np.uint8(255), np.uint8(0))


def _overview_factors(layout: raster_layout.RasterLayout) -> list[int]:
    factors: list[int] = []
    side = max(layout.height, layout.width)
    while side >= _OVERVIEW_PX:
        factors.append(2 ** (len(factors) + 1))
        side = -(-side // 2)
    return factors


def _add_overviews(path: str, layout: raster_layout.RasterLayout) -> None:
    factors = _overview_factors(layout)
    if not factors:
        return
    with _open(path, "r+") as dataset:
        dataset.build_overviews(factors, rasterio.enums.Resampling.average)
    _require_overviews(path, layout)


def _copy_as_cog(
    path: str,
    cog_path: str,
    layout: raster_layout.RasterLayout,
    overviews: bool,
) -> None:
    """Moves a GeoTIFF into a COG."""
    options = raster_formats.cog_options(layout, overviews)
    rasterio.shutil.copy(path, cog_path, driver="COG", **options)
    os.remove(path)
    if overviews:
        _require_overviews(cog_path, layout)


def _require_same(
    path: str, layout: raster_layout.RasterLayout, tiles: Tiles
) -> None:
    """Reads a written file back."""
    with _open(path) as dataset:
        for row, col, pixels, valid in tiles():
            height, width = pixels.shape[:2]
            window = rasterio.windows.Window(col, row, width, height)
            found = np.moveaxis(dataset.read(window=window), 0, -1)
            is_same = found.tobytes() == pixels.tobytes()
            if layout.has_mask:
                mask = dataset.read_masks(1, window=window)
                is_same &= np.array_equal(mask, _mask(pixels, valid))
            if not is_same:
                raise OSError("it does not read back as it was written")


def _require_overviews(path: str, layout: raster_layout.RasterLayout) -> None:
    """Looks for what a full disk took from overviews, untold by GDAL."""
    factors = _overview_factors(layout)
    found = tiff_blocks.directories(path)
    images = 1 + len(factors)
    expected = 2 * images if layout.has_mask else images
    is_whole = all(
        offset and size for blocks in found for offset, size in blocks
    )
    if len(found) != expected or not is_whole:
        raise OSError("its overviews are incomplete")
    for level in range(len(factors)):
        with _open(path, overview_level=level) as dataset:
            for _, window in dataset.block_windows():
                dataset.read(window=window)
                dataset.read_masks(window=window)
