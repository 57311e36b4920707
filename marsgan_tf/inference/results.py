"""From finished tiles to rasters."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from marsgan_tf.imaging import enlarge, raster_tiles
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.raster_layout import RasterLayout
from marsgan_tf.imaging.tiling import Grid, Window
from marsgan_tf.inference.scene import Scene
from marsgan_tf.inference.settings import Targets
from marsgan_tf.inference.spool import Layer, Spool
from marsgan_tf.inference.tile_restorer import SCALE, TileRestorer

_TAG_PREFIX = "MARSGAN_"


@dataclasses.dataclass(frozen=True)
class Output:
    """A raster that is made of one layer of the spool.

    Attributes:
        path: The file.
        layer: The layer's name.
        layout: What the raster is.
        scale: Its sides over the input's.
    """

    path: str
    layer: str
    layout: RasterLayout
    scale: int


def plan(
    scene: Scene,
    restorer: TileRestorer,
    targets: Targets,
    facts: dict[str, Any],
) -> tuple[list[Output], list[Layer]]:
    """The rasters to write, and the layers of a tile that they need.

    Args:
        scene: The input.
        restorer: Makes the layers.
        targets: Where the rasters go.
        facts: How they are made, as `sidecar.facts` tells it.
    """
    dtype, planes = restorer.dtype, restorer.survey.planes.count
    has_mask = (
        restorer.survey.has_invalid
        and scene.nodata is None
        and dtype.kind != "f"
    )
    told = (
        "model",
        "weights_sha256",
        "interpolated",
        "engine",
        "precision",
        "degradation",
        "stretch",
    )
    layout = image_layout(
        scene,
        scale=SCALE,
        has_mask=has_mask,
        tags={name: facts[name] for name in told},
    )
    outputs = [Output(targets.image, "pixels", layout, SCALE)]
    layers = [Layer("pixels", dtype.name, layout.bands, SCALE)]
    if has_mask:
        layers.append(Layer("valid", "uint8", 1, 1))
    if restorer.projection is not None:
        layers.append(Layer("residual", "float32", planes, 1))
    if targets.deviation:
        layers.append(Layer("deviation", "float32", planes, SCALE))
    wanted = {"deviation": targets.deviation, "residual": targets.residual}
    for layer in layers:
        path = wanted.get(layer.name)
        if path:
            layout = plane_layout(
                scene, scale=layer.scale, planes=planes, meaning=layer.name
            )
            outputs.append(Output(path, layer.name, layout, layer.scale))
    return outputs, layers


def image_layout(
    scene: Scene, *, scale: int, has_mask: bool, tags: dict[str, Any]
) -> RasterLayout:
    """The super-resolved raster: the input's, at `scale` times the sides.

    Args:
        scene: The input.
        scale: High over low resolution.
        has_mask: Whether pixels without data are told by a mask band.
        tags: Of our own, besides the input's.
    """
    reader = scene.reader
    chosen = [band - 1 for band in scene.bands]

    def of_bands(values: tuple) -> tuple:
        return tuple(values[index] for index in chosen) if values else ()

    own = {f"{_TAG_PREFIX}{k.upper()}": str(v) for k, v in tags.items()}
    return RasterLayout(
        height=reader.height * scale,
        width=reader.width * scale,
        bands=len(chosen),
        dtype=reader.dtype,
        georeference=reader.georeference.scaled(scale),
        nodata=scene.nodata,
        has_mask=has_mask,
        band_names=of_bands(reader.band_names),
        colour_names=of_bands(reader.colour_names),
        units=of_bands(reader.units),
        scales=of_bands(reader.scales),
        offsets=of_bands(reader.offsets),
        tags={**reader.tags, **own},
    )


def plane_layout(
    scene: Scene, *, scale: int, planes: int, meaning: str
) -> RasterLayout:
    """A float32 raster of planes in the image's numbers, NaN for no data."""
    reader = scene.reader
    georeference: Georeference = reader.georeference.scaled(scale)
    return RasterLayout(
        height=reader.height * scale,
        width=reader.width * scale,
        bands=planes,
        dtype=np.dtype("float32"),
        georeference=georeference,
        nodata=math.nan,
        band_names=(meaning,) * planes,
    )


def write(
    output: Output,
    spool: Spool,
    grid: Grid,
    *,
    file_format: str,
    overviews: bool,
    heed: Callable[[], None],
) -> None:
    """Writes a raster from the spool; it appears whole or not at all.

    No other process may write the same raster meanwhile.

    Args:
        output: The raster.
        spool: Its tiles.
        grid: Where they lie.
        file_format: "GTiff" or "COG".
        overviews: Whether it gets them.
        heed: Called between tiles; what it raises ends the writing.

    Raises:
        errors.RasterError: If it cannot be written.
    """

    def tiles() -> Iterator[raster_tiles.Tile]:
        for index, core in enumerate(grid):
            heed()
            window: Window = core.scaled(output.scale)
            valid = None
            if output.layout.has_mask:
                mask = spool.read(index, "valid")[..., 0] != 0
                valid = enlarge.repeat(mask, output.scale)
            pixels = spool.read(index, output.layer)
            yield window.row, window.col, pixels, valid

    raster_tiles.write_tiles(
        output.path,
        output.layout,
        tiles,
        file_format=file_format,
        overviews=overviews,
        staging_name=f".{os.path.basename(output.path)}.writing",
    )


def residual_rms(spool: Spool, grid: Grid) -> float:
    """Root mean square of the residual layer, in the image's numbers."""
    total, count = 0.0, 0
    for index in range(len(grid)):
        residual = spool.read(index, "residual").astype(np.float64)
        total += float(np.nansum(residual**2))
        count += int(np.isfinite(residual).sum())
    return math.sqrt(total / max(count, 1))
