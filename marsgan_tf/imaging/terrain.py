"""Procedural ground that looks like Mars from orbit, for tests and the demo.

A seed decides the place; the sun is chosen when it is rendered, so that one
ground can be seen under several suns. Lengths are metres; images are I/F.

The ground is made on a grid twice as fine as the image, whose pixels are the
means of four points: like those of a camera, they are sharp and hardly
aliased.
"""

import affine
import numpy as np

from marsgan_tf.imaging import (
    raster_writer,
    terrain_fields,
    terrain_ground,
    terrain_light,
)
from marsgan_tf.imaging.terrain_ground import Ground, ground

__all__ = [
    "Ground",
    "georeference",
    "ground",
    "heights",
    "image",
    "render",
    "shade",
    "write_scene",
]

_MARS_RADIUS_M = 3396190.0

# dtype -> lowest and highest DN of data, and that of no data. HiRISE's 10 bits
# keep 1, 2, 1022 and 1023 for saturated pixels.
_DN_RANGES = {"uint16": (3, 1021, 0), "uint8": (1, 255, 0)}
_FLOAT_NODATA = float(np.float32(-3.4028226550889045e38))  # ISIS' null.

shade = terrain_light.shade


def heights(
    size: int | tuple[int, int], *, gsd_m: float, seed: int
) -> np.ndarray:
    """Heights of the ground that `image` shows, averaged to its pixels.

    Args:
        size: In pixels, a side or `(height, width)`.
        gsd_m: Size of a pixel on the ground.
        seed: Decides the place.

    Returns:
        Metres, float32 `(height, width)`.
    """
    place = ground(size, gsd_m=gsd_m, seed=seed)
    return terrain_fields.shrink(place.heights_m, terrain_ground.OVERSAMPLING)


def render(
    place: Ground, *, sun_azimuth_deg: float, sun_incidence_deg: float
) -> np.ndarray:
    """The image of a ground under a sun.

    Args:
        place: From `ground`.
        sun_azimuth_deg: Where the sun stands, clockwise from up.
        sun_incidence_deg: Degrees from the vertical, in [0, 90).

    Returns:
        I/F, float32 `(height, width)`: half the grid's rows and columns.
    """
    fine = shade(
        place.heights_m,
        place.albedo,
        gsd_m=place.spacing_m,
        sun_azimuth_deg=sun_azimuth_deg,
        sun_incidence_deg=sun_incidence_deg,
    )
    return terrain_fields.shrink(fine, terrain_ground.OVERSAMPLING)


def image(
    size: int | tuple[int, int],
    *,
    gsd_m: float,
    seed: int,
    sun_azimuth_deg: float = 290.0,
    sun_incidence_deg: float = 55.0,
) -> np.ndarray:
    """An image from orbit, straight down, without noise.

    Args:
        size: In pixels, a side or `(height, width)`.
        gsd_m: Size of a pixel on the ground.
        seed: Decides the place, together with `size` and `gsd_m`; the sun
            does not.
        sun_azimuth_deg: Where the sun stands, clockwise from up.
        sun_incidence_deg: Degrees from the vertical, in [0, 90).

    Returns:
        I/F, float32 `(height, width)`.
    """
    return render(
        ground(size, gsd_m=gsd_m, seed=seed),
        sun_azimuth_deg=sun_azimuth_deg,
        sun_incidence_deg=sun_incidence_deg,
    )


def write_scene(
    path: str,
    size: int | tuple[int, int],
    *,
    gsd_m: float,
    seed: int,
    sun_azimuth_deg: float = 290.0,
    sun_incidence_deg: float = 55.0,
    nodata_margin_px: int = 0,
    dtype: str = "uint16",
) -> None:
    """Writes a scene as HiRISE's map-projected RED products are.

    Equirectangular on IAU's sphere of Mars, north up, somewhere between 60
    degrees north and south that depends on the seed alone. Tags:
    SCALING_FACTOR and OFFSET, so that `I/F = DN * SCALING_FACTOR + OFFSET`;
    INCIDENCE_ANGLE and SUN_AZIMUTH in degrees; SOURCE, which says that it is
    no picture of Mars.

    Args:
        path: `.tif`, or for integers `.jp2` or `.png`.
        size: In pixels, a side or `(height, width)`.
        gsd_m: Size of a pixel on the ground.
        seed: Decides the place.
        sun_azimuth_deg: Where the sun stands, clockwise from up.
        sun_incidence_deg: Degrees from the vertical, in [0, 90).
        nodata_margin_px: How far the strip's slanted sides move along the
            longer side of the image; below half the shorter.
        dtype: `uint16` (10 bits, DN 3 to 1021, no data 0), `uint8` (1 to
            255, no data 0) or `float32` (I/F).

    Raises:
        ValueError: If an argument is out of its range.
        errors.RasterError: If the file cannot be written.
    """
    if dtype not in (*_DN_RANGES, "float32"):
        raise ValueError(
            f"`dtype` must be uint16, uint8 or float32. Received: dtype={dtype}"
        )
    reflectance = image(
        size,
        gsd_m=gsd_m,
        seed=seed,
        sun_azimuth_deg=sun_azimuth_deg,
        sun_incidence_deg=sun_incidence_deg,
    )
    valid = _strip_mask(reflectance.shape, nodata_margin_px)
    pixels, nodata, scaling, offset = _to_dn(reflectance, valid, dtype)
    wkt, transform = georeference(gsd_m, seed)
    raster_writer.write_raster(
        path,
        pixels,
        crs_wkt=wkt,
        transform=transform,
        nodata=nodata,
        band_names=("RED",),
        tags={
            "SCALING_FACTOR": repr(scaling),
            "OFFSET": repr(offset),
            "INCIDENCE_ANGLE": repr(float(sun_incidence_deg)),
            "SUN_AZIMUTH": repr(float(sun_azimuth_deg)),
            "SOURCE": f"procedural terrain, seed {seed}",
        },
    )


def _strip_mask(shape: tuple[int, int], margin_px: int) -> np.ndarray:
    """Where a slanted strip, upright but for the slant, has data.

    The strip is a rectangle, turned a little, that touches all four sides.
    """
    height, width = shape
    if not 0 <= margin_px < max(min(shape) / 2.0, 1.0):
        raise ValueError(
            "`nodata_margin_px` must be from 0 to below half the shorter "
            f"side. Received: nodata_margin_px={margin_px}, size={shape}"
        )
    slope = margin_px / max(shape)
    # Where the turned rectangle touches the first row.
    corner = slope * (height - slope * width) / (1.0 - slope**2)
    rows = np.arange(height)[:, np.newaxis] + 0.5
    columns = np.arange(width) + 0.5
    left = columns - corner + slope * rows >= 0.0
    top = rows - slope * (columns - corner) >= 0.0
    right = (width - columns) - corner + slope * (height - rows) >= 0.0
    bottom = (height - rows) - slope * ((width - columns) - corner) >= 0.0
    return left & top & right & bottom


def _to_dn(
    reflectance: np.ndarray, valid: np.ndarray, dtype: str
) -> tuple[np.ndarray, float, float, float]:
    """`(pixels, nodata, scaling, offset)` of an I/F image."""
    if dtype == "float32":
        filled = np.where(valid, reflectance, np.float32(_FLOAT_NODATA))
        return filled, _FLOAT_NODATA, 1.0, 0.0
    lowest, highest, nodata = _DN_RANGES[dtype]
    low = float(reflectance[valid].min())
    high = float(reflectance[valid].max())
    scaling = max(high - low, 1e-6) / (highest - lowest)
    offset = low - lowest * scaling
    dn = np.rint((reflectance - offset) / scaling).clip(lowest, highest)
    return np.where(valid, dn, nodata).astype(dtype), nodata, scaling, offset


def georeference(gsd_m: float, seed: int) -> tuple[str, affine.Affine]:
    """WKT and transform of a place that depends on the seed alone.

    Args:
        gsd_m: Size of a pixel on the ground.
        seed: Decides the place.
    """
    rng = np.random.default_rng([seed, 1])
    longitude, latitude = rng.uniform(-180.0, 180.0), rng.uniform(-60.0, 60.0)
    # HiRISE takes the nearest multiple of 5 degrees towards the equator.
    parallel = float(np.trunc(latitude / 5.0) * 5.0)
    metres = np.radians((longitude, latitude)) * _MARS_RADIUS_M
    x = round(metres[0] * np.cos(np.radians(parallel)) / gsd_m) * gsd_m
    y = round(metres[1] / gsd_m) * gsd_m
    wkt = (
        f'PROJCS["Equirectangular Mars",GEOGCS["Mars (2015) - Sphere",'
        f'DATUM["Mars (2015) - Sphere",SPHEROID["Mars (2015) - Sphere",'
        f'{_MARS_RADIUS_M},0]],PRIMEM["Reference Meridian",0],'
        f'UNIT["degree",0.0174532925199433]],PROJECTION["Equirectangular"],'
        f'PARAMETER["standard_parallel_1",{parallel}],'
        f'PARAMETER["central_meridian",0],PARAMETER["false_easting",0],'
        f'PARAMETER["false_northing",0],UNIT["metre",1],'
        f'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    )
    return wkt, affine.Affine(gsd_m, 0.0, x, 0.0, -gsd_m, y)
