"""Images that are written tile by tile."""

import os
import warnings

import numpy as np
import rasterio
import rasterio.errors

from marsgan_tf.imaging import raster_layout, raster_tiles

FORMATS = ("GTiff", "COG")


def noise(height=150, width=130, bands=1, dtype="uint16", seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((height, width, bands)) * 250).astype(dtype)


def opened(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, **options)


def layout_of(pixels, **attributes):
    height, width, bands = pixels.shape
    return raster_layout.RasterLayout(
        height=height,
        width=width,
        bands=bands,
        dtype=pixels.dtype,
        **attributes,
    )


def tiles_of(pixels, valid=None, size=64):
    """A callable for `write_tiles` that cuts an image, row by row."""

    def tiles():
        for row in range(0, pixels.shape[0], size):
            for col in range(0, pixels.shape[1], size):
                part = np.s_[row : row + size, col : col + size]
                yield (
                    row,
                    col,
                    pixels[part],
                    valid if valid is None else valid[part],
                )

    return tiles


def write(path, pixels, valid=None, *, size=64, layout=None, **options):
    raster_tiles.write_tiles(
        str(path),
        layout or layout_of(pixels, has_mask=valid is not None),
        tiles_of(pixels, valid, size),
        **options,
    )
    assert os.listdir(path.parent) == [path.name]
    return str(path)
