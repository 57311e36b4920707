"""The registration command: two images in, one on the other's pixels out."""

import contextlib
import math
import os
from collections.abc import Iterator

import affine
from absl import logging

from marsgan_tf import errors
from marsgan_tf.assessment import (
    registration,
    registration_figure,
    registration_output,
    registration_report,
)
from marsgan_tf.assessment.registration import Options
from marsgan_tf.assessment.registration_output import Pair
from marsgan_tf.assessment.registration_scenery import Scenery
from marsgan_tf.config import CoregisterConfig
from marsgan_tf.imaging import gdal, raster, raster_layout
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.pixel_source import PixelSource, WithNodata
from marsgan_tf.imaging.raster import RasterReader

# Decoded blocks that GDAL keeps; more where one block is the whole image.
_CACHE_BYTES = 2**28


def coregister(config: CoregisterConfig) -> None:
    """Registers what a config names.

    Raises:
        errors.RegistrationError: If the images do not fit together.
        MarsganError: If an image cannot be read, or an output may not be
            written.
        OSError: If an output cannot be written.
    """
    _check_outputs(config)
    with _open(config) as (pair, options):
        try:
            found = registration.register(pair.reference, pair.image, options)
        except errors.RegistrationError as error:
            raise errors.RegistrationError(
                f"{config.input} on {config.reference}: {error}"
            ) from error
        logging.info("%s", registration_report.summary(found))
        if found.solution.disagreement_px is None:
            logging.warning(
                "%s: edges alone tell where it belongs, and shadows move "
                "them: under another sun, the map may be off by a few px",
                config.input,
            )
        _write(config, pair, found)
    logging.info("written: %s", config.output)


def _write(
    config: CoregisterConfig, pair: Pair, found: registration.Registration
) -> None:
    for path in (_map_path(config), _figure_path(config)):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)  # It tells of the raster that is replaced here.
    registration_output.write(
        config.output,
        pair,
        found,
        on_own_pixels=config.grid == "input",
        file_format=config.format,
        overviews=config.overviews,
    )
    settings = {
        "grid": config.grid,
        "scale": config.scale,
        "max_rotation": config.max_rotation,
        "model": config.model,
        "tolerance": config.tolerance,
        "band": config.band,
        "reference_band": config.reference_band,
        "nodata": [repr(value) for value in config.nodata],
        "reference_nodata": [repr(value) for value in config.reference_nodata],
    }
    registration_report.write(_map_path(config), pair, found, settings)
    registration_figure.write(_figure_path(config), pair, found)


def _map_path(config: CoregisterConfig) -> str:
    return f"{config.output}.json"


def _figure_path(config: CoregisterConfig) -> str:
    return f"{config.output}.png"


def _check_outputs(config: CoregisterConfig) -> None:
    inputs = {
        os.path.realpath(path) for path in (config.input, config.reference)
    }
    for path in (config.output, _map_path(config), _figure_path(config)):
        if os.path.realpath(path) in inputs:
            raise errors.SettingsError(
                f"{path}: is an image to read; choose another name"
            )
        if os.path.lexists(path) and not config.overwrite:
            raise errors.SettingsError(
                f"{path}: exists; choose another name, or --overwrite"
            )
    folder = os.path.dirname(os.path.abspath(config.output))
    if not os.path.isdir(folder):
        raise errors.SettingsError(f"{folder}: is no folder; make it first")


@contextlib.contextmanager
def _open(config: CoregisterConfig) -> Iterator[tuple[Pair, Options]]:
    """Both images, and what is known of their places."""
    with (
        raster.open_raster(
            config.reference, heeds_nodata=not config.reference_nodata
        ) as reference,
        raster.open_raster(
            config.input, heeds_nodata=not config.nodata
        ) as image,
        gdal.block_cache(_cache_bytes(reference, image)),
    ):
        is_placed = (
            config.scale == 0.0
            and reference.is_georeferenced
            and image.is_georeferenced
        )
        places = _places(reference, image, config.scale, is_placed)
        pair = Pair(
            _scenery(
                reference,
                places[0],
                config.reference_band,
                config.reference_nodata,
                "reference_",
            ),
            _scenery(image, places[1], config.band, config.nodata, ""),
            reference,
            image,
            config.nodata[0] if config.nodata else image.nodata,
        )
        yield (
            pair,
            Options(
                model=config.model,
                tolerance_px=config.tolerance,
                max_rotation_deg=config.max_rotation,
                is_placed=is_placed,
                is_scale_known=is_placed or config.scale > 0.0,
            ),
        )


def _places(
    reference: RasterReader, image: RasterReader, scale: float, is_placed: bool
) -> tuple[Georeference, Georeference]:
    """Transform and CRS of both, or without any, of a plane of pixels."""
    if is_placed:
        return reference.georeference, image.georeference
    for reader in (reference, image):
        if scale == 0.0 and not reader.is_georeferenced:
            logging.warning(
                "%s: has no georeferencing: the scale is estimated; --scale "
                "tells it",
                reader.path,
            )
    across = affine.Affine.scale(scale or 1.0)
    return Georeference(), Georeference(transform=across)


def _scenery(
    reader: RasterReader,
    place: Georeference,
    band: int,
    nodata: tuple[float, ...],
    prefix: str,
) -> Scenery:
    if band > reader.band_count:
        raise errors.RasterError(
            f"{reader.path}: has {reader.band_count} band(s), "
            f"--{prefix}band={band} asks for another"
        )
    source: PixelSource = reader
    if nodata:
        if not raster_layout.holds(reader.dtype, nodata[0]):
            raise errors.RasterError(
                f"{reader.path}: its pixels are {reader.dtype} and never "
                f"--{prefix}nodata={nodata[0]:g}; give a value they can have"
            )
        source = WithNodata(reader, nodata[0])
    bands = (band,) if band else tuple(range(1, reader.band_count + 1))
    return Scenery(source, place, bands)


def _cache_bytes(*readers: RasterReader) -> int:
    whole = sum(
        math.prod((reader.height, reader.width, reader.band_count))
        * reader.dtype.itemsize
        for reader in readers
        if reader.decodes_whole
    )
    return _CACHE_BYTES + whole
