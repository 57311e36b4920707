"""Rasters of every format that is read, each pixel with its own value."""

import math

import numpy as np
import rasters

M_PER_DEGREE = math.radians(rasters.MARS_RADIUS_M)  # At the equator.
HEIGHT, WIDTH = 80, 100
MARS = {"crs": rasters.MARS_WKT, "transform": rasters.MARS_TRANSFORM}


def ramp(dtype, height=HEIGHT, width=WIDTH, bands=1):
    """Every pixel and band its own value, as far as the dtype goes."""
    count = height * width * bands
    values = np.arange(count).reshape(height, width, bands)
    return (values % min(count, 250)).astype(dtype) + np.array(1, dtype)


FORMATS = {
    "tiled.tif": lambda p: rasters.write_gdal(
        p,
        ramp("uint16"),
        "GTiff",
        tiled=True,
        blockxsize=16,
        blockysize=32,
        compress="deflate",
        **MARS,
    ),
    "striped.tif": lambda p: rasters.write_gdal(
        p, ramp("int16", bands=2), "GTiff", blockysize=8, **MARS
    ),
    "bytes.tif": lambda p: rasters.write_gdal(
        p, ramp("uint8", bands=3), "GTiff", **MARS
    ),
    "float.tif": lambda p: rasters.write_gdal(p, ramp("float32"), "GTiff"),
    "tiled.jp2": lambda p: rasters.write_jp2(p, ramp("uint16"), 64, **MARS),
    "single.jp2": lambda p: rasters.write_jp2(p, ramp("uint16"), 128, **MARS),
    "grey.png": lambda p: rasters.write_gdal(p, ramp("uint8"), "PNG"),
    "deep.png": lambda p: rasters.write_gdal(p, ramp("uint16"), "PNG"),
    "attached.img": lambda p: rasters.write_pds3(
        p, ramp("int16", bands=2), is_projected=True
    ),
    "detached.lbl": lambda p: rasters.write_pds3(
        p, ramp("uint16"), body=p.with_suffix(".img"), is_projected=True
    ),
    "word.cub": lambda p: rasters.write_isis3(p, ramp("int16", bands=2)),
    "real.cub": lambda p: rasters.write_isis3(p, ramp("float32")),
}
EXPECTED = {  # driver, dtype, bands, georeferenced, block height
    "tiled.tif": ("GTiff", "uint16", 1, True, 32),
    "striped.tif": ("GTiff", "int16", 2, True, 8),
    "bytes.tif": ("GTiff", "uint8", 3, True, 27),
    "float.tif": ("GTiff", "float32", 1, False, 20),
    "tiled.jp2": ("JP2OpenJPEG", "uint16", 1, True, 64),
    "single.jp2": ("JP2OpenJPEG", "uint16", 1, True, 80),
    "grey.png": ("PNG", "uint8", 1, False, 1),
    "deep.png": ("PNG", "uint16", 1, False, 1),
    "attached.img": ("PDS", "int16", 2, True, 1),
    "detached.lbl": ("PDS", "uint16", 1, True, 1),
    "word.cub": ("ISIS3", "int16", 2, False, 1),
    "real.cub": ("ISIS3", "float32", 1, False, 1),
}
