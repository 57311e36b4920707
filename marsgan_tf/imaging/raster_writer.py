"""Images in memory into files, whole or not at all.

Pixels and transforms are as in `raster`.
"""

from collections.abc import Iterator, Mapping, Sequence

import affine
import numpy as np

from marsgan_tf.imaging import (
    georeference,
    raster_formats,
    raster_layout,
    raster_tiles,
)

# Rows written, and compared with the file, at a time.
_STRIP_ROWS = 4 * raster_formats.BLOCK_PX


def write_raster(
    path: str,
    pixels: np.ndarray,
    *,
    crs_wkt: str | None = None,
    transform: affine.Affine | None = None,
    nodata: float | None = None,
    band_names: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes an image; the file appears whole or not at all.

    What a format cannot hold itself (a CRS in PNG) goes to `<path>.aux.xml`
    beside it, where GDAL and QGIS look for it.

    Args:
        path: The extension gives the format: `.tif` (tiled, deflate), `.png`
            or `.jp2` (both lossless). An existing file is replaced.
        pixels: `(height, width)` or `(height, width, bands)`.
        crs_wkt: Coordinate reference system as WKT.
        transform: Pixel corner `(column, row)` to CRS units.
        nodata: Value of pixels without data; the dtype must have it.
        band_names: One a band, or none at all.
        tags: Metadata, name to text.

    Raises:
        ValueError: If the arguments do not fit together.
        errors.RasterError: If the file cannot be written.
    """
    file_format = raster_formats.of_path(path)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    is_known = pixels.dtype.name in raster_layout.DTYPES
    if pixels.ndim != 3 or 0 in pixels.shape or not is_known:
        raise ValueError(
            "`pixels` must be (height, width, bands), not empty, of integers "
            "of 8, 16 or 32 bits or of floats. Received: "
            f"pixels.shape={pixels.shape}, pixels.dtype={pixels.dtype}"
        )
    height, width, bands = pixels.shape
    layout = raster_layout.RasterLayout(
        height=height,
        width=width,
        bands=bands,
        dtype=pixels.dtype,
        georeference=georeference.Georeference(
            crs_wkt, transform or affine.Affine.identity()
        ),
        nodata=nodata,
        band_names=tuple(band_names),
        tags=tags or {},
    )
    raster_tiles.write_tiles(
        path, layout, lambda: _strips(pixels), file_format=file_format
    )


def _strips(pixels: np.ndarray) -> Iterator[raster_tiles.Tile]:
    for row in range(0, len(pixels), _STRIP_ROWS):
        yield row, 0, pixels[row : row + _STRIP_ROWS], None
