"""From finished tiles to files: rasters, and a sidecar that tells of them."""

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from marsgan_tf import __version__, staging
from marsgan_tf.imaging import enlarge, raster_tiles
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.raster_layout import RasterLayout
from marsgan_tf.imaging.tiling import Grid, Window
from marsgan_tf.inference.scene import Scene
from marsgan_tf.inference.spool import Spool

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
) -> None:
    """Writes a raster from the spool; it appears whole or not at all.

    Raises:
        errors.RasterError: If it cannot be written.
    """

    def tiles() -> Iterator[raster_tiles.Tile]:
        for index, core in enumerate(grid):
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
    )


def write_sidecar(
    path: str, facts: dict[str, Any], spool: Spool, grid: Grid
) -> None:
    """Writes `<path>.json`: how a raster was made, and the tiles' ledger."""
    ledger = [
        {**dataclasses.asdict(core), "crc32": f"{checksum:08x}"}
        for core, checksum in zip(grid, spool.checksums(), strict=True)
    ]
    body = {"marsgan_tf": __version__, **facts, "tiles": ledger}
    with (
        staging.staged(sidecar_path(path)) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        json.dump(body, file, indent=1)
        file.write("\n")


def sidecar_path(path: str) -> str:
    """Where the sidecar of a raster lies."""
    return f"{path}.json"


def residual_rms(spool: Spool, grid: Grid) -> float:
    """Root mean square of the residual layer, in the image's numbers."""
    total, count = 0.0, 0
    for index in range(len(grid)):
        residual = spool.read(index, "residual").astype(np.float64)
        total += float(np.nansum(residual**2))
        count += int(np.isfinite(residual).sum())
    return math.sqrt(total / max(count, 1))
