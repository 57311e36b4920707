"""What becomes of a drawn scene, from file to file by a stand-in."""

import dataclasses
import pathlib
import tempfile

import fuzz_models
import numpy as np
import rasters
import stand_ins

from marsgan_tf.inference.settings import Targets
from marsgan_tf.inference.super_resolve import super_resolve


def write(scene, path):
    """Writes a scene as a GeoTIFF."""
    pixels, options = scene.pixels, {}
    if scene.mark == "alpha":
        opaque = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
        opacity = np.where(scene.valid[..., :1], opaque, 0)
        pixels = np.concatenate([pixels, opacity.astype(pixels.dtype)], axis=-1)
        options["ALPHA"] = "YES"
    is_masked = scene.mark == "mask"
    return rasters.write_geotiff(
        pathlib.Path(path),
        pixels,
        valid=scene.valid[..., 0] if is_masked else None,
        tags={"AREA_OR_POINT": "Point"} if scene.is_point else {},
        nodata=scene.nodata if scene.mark == "value" else None,
        crs=scene.crs,
        transform=scene.transform,
        photometric="RGB" if scene.pixels.shape[-1] == 3 else "MINISBLACK",
        **options,
    )


@dataclasses.dataclass(frozen=True)
class Result:
    """What is found of a raster, by rasterio alone.

    Attributes:
        pixels: `(height, width, bands)`.
        valid: Of the same shape, by GDAL's masks and what is a number.
        profile: Its `dtype`, `nodata`, `crs`, `transform`.
    """

    pixels: np.ndarray
    valid: np.ndarray
    profile: dict


def read(path):
    with rasters.open_gdal(path) as dataset:
        pixels = np.moveaxis(dataset.read(), 0, -1)
        masks = np.moveaxis(dataset.read_masks(), 0, -1) != 0
        return Result(pixels, masks & np.isfinite(pixels), dataset.profile)


def super_resolved(scene, *, engine=None, **options):
    """The input and the output, as rasterio reads them."""
    model = fuzz_models.stand_in()
    if engine is not None:
        model = dataclasses.replace(model, engine=engine)
    told = {"color": scene.color, "tile": scene.tile, "halo": scene.halo}
    told["nodata"] = scene.nodata if scene.mark == "told" else None
    chosen = dataclasses.replace(stand_ins.OPTIONS, **{**told, **options})
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/in.tif", f"{folder}/out.tif"
        write(scene, source)
        super_resolve(source, Targets(target), model, chosen, [])
        return read(source), read(target)
