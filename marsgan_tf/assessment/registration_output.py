"""The registered raster: the image resampled once, onto the reference."""

import dataclasses
import os
from collections.abc import Iterator

import affine
import numpy as np

from marsgan_tf import progress
from marsgan_tf.assessment.registration import Registration
from marsgan_tf.assessment.registration_scenery import (
    Frame,
    Scenery,
    window_of,
)
from marsgan_tf.imaging import raster_tiles, tiling
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.raster import RasterReader
from marsgan_tf.imaging.raster_layout import RasterLayout
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.imaging.tiling import Window

_TILE_PX = 1024
_TAG_PREFIX = "MARSGAN_"

# The image's own numbers, rounded and clipped to its dtype.
_AS_IT_IS = Stretch(0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two open images, and where they lie for the registration.

    Attributes:
        reference: As it is matched.
        image: As it is matched, in a frame of the reference.
        reference_file: Of the reference.
        image_file: Of the image.
        nodata: The image's value of pixels without data, or None.
    """

    reference: Scenery
    image: Scenery
    reference_file: RasterReader
    image_file: RasterReader
    nodata: float | None

    @property
    def frame(self) -> Frame:
        """The reference's pixels."""
        return Frame(self.reference.place)


def write(
    path: str,
    pair: Pair,
    found: Registration,
    *,
    on_own_pixels: bool,
    file_format: str,
    overviews: bool,
) -> None:
    """Writes all bands of the image, in its dtype and units.

    It is resampled once, by cubic convolution. Memory does not grow with the
    rasters, but for `raster_tiles.write_tiles`.

    Args:
        path: The file; it appears whole or not at all.
        pair: The images.
        found: Where the image belongs.
        on_own_pixels: Whether pixels are of the image's size, over the
            image's ground, and not the reference's own.
        file_format: `GTiff` or `COG`.
        overviews: Whether it gets them.

    Raises:
        errors.RasterError: If it cannot be written, or an image is damaged.
    """
    factor, window = _grid(pair, found, on_own_pixels)
    layout = _layout(pair, found, factor, window)
    everything = dataclasses.replace(
        pair.image, bands=tuple(range(1, layout.bands + 1))
    )
    view = pair.frame.view(everything, factor, found.correction)
    grid = tiling.Grid(window.height, window.width, _TILE_PX, 0)
    name = os.path.basename(path)

    # The second time is to compare with the closed file.
    with progress.Progress(2 * len(grid), unit="tiles", label=name) as done:

        def tiles() -> Iterator[raster_tiles.Tile]:
            for core in grid:
                part = dataclasses.replace(
                    core, row=core.row + window.row, col=core.col + window.col
                )
                values, valid = view.read(part)
                pixels = _pixels(values, valid, layout)
                yield core.row, core.col, pixels, valid
                done.advance()

        raster_tiles.write_tiles(
            path, layout, tiles, file_format=file_format, overviews=overviews
        )


def _pixels(
    values: np.ndarray, valid: np.ndarray, layout: RasterLayout
) -> np.ndarray:
    known = np.where(valid[..., np.newaxis], values, 0.0)
    pixels = _AS_IT_IS.invert(known, layout.dtype, layout.nodata)
    pixels[~valid] = 0 if layout.nodata is None else layout.nodata
    return pixels


def _grid(
    pair: Pair, found: Registration, on_own_pixels: bool
) -> tuple[float, Window]:
    """Factor of the output's grid, and the window that is written."""
    if not on_own_pixels:
        file = pair.reference_file
        return 1.0, Window(0, 0, file.height, file.width)
    factor = found.image_pixel
    box = pair.frame.box(pair.image, found.correction)
    return factor, window_of(box, factor)


def _layout(
    pair: Pair, found: Registration, factor: float, window: Window
) -> RasterLayout:
    file = pair.image_file
    return RasterLayout(
        height=window.height,
        width=window.width,
        bands=file.band_count,
        dtype=file.dtype,
        georeference=_georeference(pair.reference_file, factor, window),
        nodata=pair.nodata,
        has_mask=pair.nodata is None,
        band_names=file.band_names,
        colour_names=file.colour_names,
        units=file.units,
        scales=file.scales,
        offsets=file.offsets,
        tags={**file.tags, **_tags(pair, found)},
    )


def _georeference(
    reference: RasterReader, factor: float, window: Window
) -> Georeference:
    ground = reference.georeference
    if factor == 1.0 and window.row == window.col == 0:
        return ground
    if not reference.is_georeferenced:
        return Georeference()
    pixels = affine.Affine.scale(factor) @ affine.Affine.translation(
        window.col, window.row
    )
    return Georeference(ground.crs_wkt, ground.transform @ pixels)


def _tags(pair: Pair, found: Registration) -> dict[str, str]:
    told = {
        "REGISTERED_TO": os.path.basename(pair.reference_file.path),
        "REGISTERED_FROM": os.path.basename(pair.image_file.path),
        "REGISTRATION_MODEL": found.solution.fit.model,
        "REGISTRATION_RMS_PX": f"{found.solution.fit.rms_px:.4g}",
    }
    return {f"{_TAG_PREFIX}{name}": value for name, value in told.items()}
