"""A generated colour strip, and what a coarser camera sees of it.

The bands are CaSSIS' NIR, PAN and BLU: dust is bright and red, rock dark and
blue, so that colour follows the ground and not the light.
"""

import affine
import numpy as np

from marsgan_tf.imaging import (
    degrade,
    raster_writer,
    terrain,
    terrain_fields,
    terrain_ground,
)

SCALE = 4
BANDS = ("NIR", "PAN", "BLU")

# Reflectance of rock and of dust in each band, over that of the terrain.
_ROCK = np.array([0.95, 0.9, 0.62], np.float32)
_DUST = np.array([1.25, 1.05, 0.4], np.float32)

# Of the coarser camera: what `predict` has to find out.
BLUR_SIGMA = 1.4
NOISE_SIGMA = 0.004


def colour_image(
    size: tuple[int, int], *, gsd_m: float, seed: int
) -> np.ndarray:
    """A colour image of generated ground.

    Args:
        size: `(height, width)`, px.
        gsd_m: Size of a pixel on the ground.
        seed: Decides the place.

    Returns:
        I/F, float32 `(height, width, 3)`: NIR, PAN and BLU.
    """
    place = terrain.ground(size, gsd_m=gsd_m, seed=seed)
    grey = terrain.render(place, sun_azimuth_deg=290.0, sun_incidence_deg=55.0)
    albedo = terrain_fields.shrink(place.albedo, terrain_ground.OVERSAMPLING)
    low, high = np.percentile(albedo, (2.0, 98.0))
    dust = np.clip((albedo - low) / (high - low), 0.0, 1.0)[..., np.newaxis]
    return grey[..., np.newaxis] * (_ROCK + dust * (_DUST - _ROCK))


def write(
    fine: str, coarse: str, *, size: tuple[int, int], gsd_m: float, seed: int
) -> None:
    """Writes the truth, and the strip that is to be super-resolved.

    Both are float32 I/F on IAU's sphere of Mars.

    Args:
        fine: GeoTIFF of the truth.
        coarse: GeoTIFF at four times the pixel size, blurred and noisy.
        size: Of the truth, `(height, width)`, multiples of 4.
        gsd_m: Size of its pixels.
        seed: Decides the place and the noise.

    Raises:
        errors.RasterError: If a file cannot be written.
    """
    truth = colour_image(size, gsd_m=gsd_m, seed=seed)
    bands = [
        degrade.degrade(band, BLUR_SIGMA, scale=SCALE)
        for band in np.moveaxis(truth, -1, 0)
    ]
    seen = np.stack(bands, axis=-1)
    rng = np.random.default_rng(seed)
    widths = np.ptp(seen, axis=(0, 1))
    seen = seen + rng.normal(0.0, NOISE_SIGMA, seen.shape) * widths
    wkt, transform = terrain.georeference(gsd_m, seed)
    tags = {"SOURCE": f"procedural terrain, seed {seed}"}
    for path, pixels, scale in ((fine, truth, 1), (coarse, seen, SCALE)):
        raster_writer.write_raster(
            path,
            pixels.astype(np.float32),
            crs_wkt=wkt,
            transform=transform @ affine.Affine.scale(scale),
            band_names=BANDS,
            tags=tags,
        )
