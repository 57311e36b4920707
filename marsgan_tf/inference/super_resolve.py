"""One scene from file to file: tiles through the network, kept as they come."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import logging

from marsgan_tf import errors
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.imaging.tiling import Grid, Window, read_with_halo
from marsgan_tf.inference import (
    calibration,
    estimation,
    results,
    scan,
    scene,
    settings,
    sidecar,
    spool,
    spool_settings,
)
from marsgan_tf.inference.consistency import Projection
from marsgan_tf.inference.grid_choice import choose_grid
from marsgan_tf.inference.overlap import overlapped
from marsgan_tf.inference.settings import Model, Options, Targets
from marsgan_tf.inference.tile_restorer import (
    SCALE,
    LoadedTile,
    TileRestorer,
)
from marsgan_tf.progress import Progress


def super_resolve(
    source: str,
    targets: Targets,
    model: Model,
    options: Options,
    received: list[int],
) -> None:
    """Super-resolves a scene.

    Args:
        source: The image.
        targets: Where the results go.
        model: What restores.
        options: How.
        received: Signals that ask to stop; it fills meanwhile.

    Raises:
        errors.RasterError: If the image cannot be read or a result written.
        errors.SettingsError: If a result exists, the leftovers of another run
            are in the way, or the disk is too small.
        errors.PredictionError: If a tile cannot be restored.
        errors.Interrupted: On a signal; finished tiles are kept.
    """
    settings.check_targets(source, targets, options)
    with scene.open_scene(
        source, bands=options.bands, nodata=options.nodata
    ) as opened:
        _warn(opened)
        reader = opened.reader
        with scene.rows_cached(opened, scan.WINDOW_PX):
            survey = scan.survey(
                opened,
                color=options.color,
                pan_band=options.pan_band,
                given=_given_stretch(options.stretch, reader.dtype),
                heed=functools.partial(
                    _heed,
                    received,
                    lambda: (
                        f"{source}: stopped before its first tile; the same "
                        "command starts again"
                    ),
                ),
            )
        degradations = _degradations(opened, survey, model, options)
        engines = _engines(opened.path, survey, model, degradations)
        projection = None
        if options.project or targets.residual:
            projection = Projection(degradations[0].blur_sigma, SCALE)
        halo = options.halo + (projection.reach_px if projection else 0)
        restorer = TileRestorer(
            engines=engines,
            survey=survey,
            grid=choose_grid(
                reader.height,
                reader.width,
                halo,
                tile=options.tile,
                concurrency=engines[0].concurrency,
            ),
            dtype=reader.dtype,
            nodata=opened.nodata,
            projection=projection,
            project=options.project,
            samples=options.samples,
            seed=options.seed,
        )
        facts = sidecar.facts(opened, restorer, degradations, model, options)
        _predict(opened, restorer, targets, facts, options, received)


def _degradations(
    opened: scene.Scene, survey: scan.Survey, model: Model, options: Options
) -> tuple[Degradation, ...]:
    """What is assumed of each plane: read from the image where wanted."""
    wanted = (options.blur_sigma, options.noise_sigma)
    if not model.description.conditioned or None not in wanted:
        return (model.degradation,) * survey.planes.count
    found = estimation.read(survey, model.degradation)
    names = ("blur_sigma", "noise_sigma")
    given = {n: w for n, w in zip(names, wanted, strict=True) if w is not None}
    degradations = tuple(dataclasses.replace(f, **given) for f in found)
    logging.info(
        "%s: taken for blurred by %.2f px of the output, with noise of %s of "
        "its range",
        opened.path,
        degradations[0].blur_sigma,
        ", ".join(f"{told.noise_sigma:.4f}" for told in degradations),
    )
    return degradations


def _engines(
    path: str,
    survey: scan.Survey,
    model: Model,
    degradations: Sequence[Degradation],
) -> tuple[Any, ...]:
    """One for each plane; those that are told the same are the same."""
    first = model.engine
    if first.precision == "int8":
        first = first.calibrated(calibration.images(path, survey))
    engines = {model.degradation: first}
    for told in degradations:
        if told not in engines:
            engines[told] = first.told(told)
    return tuple(engines[told] for told in degradations)


def _predict(
    opened: scene.Scene,
    restorer: TileRestorer,
    targets: Targets,
    facts: dict[str, Any],
    options: Options,
    received: list[int],
) -> None:
    told = {
        **facts,
        "format": options.file_format,
        "overviews": options.overviews,
    }
    outputs, layers = results.plan(opened, restorer, targets, facts)
    folder, name = os.path.split(targets.image)
    partial = os.path.join(folder, f".{name}.partial")
    grid = restorer.grid
    cores = list(grid)
    is_finished = (
        options.resume
        and not spool_settings.exist(partial)
        and sidecar.is_finished(targets, told, overwrite=options.overwrite)
    )
    if not is_finished:
        settings.require_space(
            partial, sum(layer.byte_count(c) for layer in layers for c in cores)
        )
    with spool.open_spool(
        partial,
        cores,
        layers,
        facts,
        resume=options.resume,
        discard=options.overwrite,
    ) as tiles:
        if not is_finished:
            heed = functools.partial(
                _heed,
                received,
                lambda: (
                    f"{opened.path}: stopped, {tiles.done} of {len(cores)} "
                    f"tiles are kept in {partial}; the same command with "
                    "--resume goes on"
                ),
            )
            with scene.rows_cached(opened, grid.tile + 2 * grid.halo):
                _restore_all(opened, restorer, tiles, heed)
            _write_all(outputs, restorer, tiles, told, options, heed)
            sidecar.write(targets.image, told, tiles, grid, partial)
        # Also what a process left that was killed over it.
        tiles.remove()
    note = "finished before, left as it is" if is_finished else "done"
    logging.info("%s: %s", targets.image, note)


def _heed(received: list[int], message: Callable[[], str]) -> None:
    if received:
        raise errors.Interrupted(message(), received[0])


def _restore_all(
    opened: scene.Scene,
    restorer: TileRestorer,
    tiles: spool.Spool,
    heed: Callable[[], None],
) -> None:
    """Restores the tiles that the spool does not have."""
    cores = list(restorer.grid)
    missing = [index for index in range(len(cores)) if index not in tiles]

    def read(index: int) -> LoadedTile:
        return _load(opened, cores[index], restorer.grid)

    with Progress(
        len(cores),
        unit="tiles",
        label=os.path.basename(opened.path),
        done=len(cores) - len(missing),
    ) as progress:
        work = _named(opened.path, restorer)
        restored = overlapped(
            missing, read, work, workers=restorer.engines[0].concurrency
        )
        try:
            for index, arrays in restored:
                tiles.write(index, {n: arrays[n] for n in tiles.layer_names})
                progress.advance()
                heed()
        except errors.PredictionError:
            heed()  # A tile that waits for a server gives up on a signal.
            raise


def _write_all(
    outputs: list[results.Output],
    restorer: TileRestorer,
    tiles: spool.Spool,
    told: dict[str, Any],
    options: Options,
    heed: Callable[[], None],
) -> None:
    """Writes the rasters; `told` learns how well they agree with the input."""
    if restorer.projection is not None:
        rms = results.residual_rms(tiles, restorer.grid)
        told["residual_rms"] = rms
        logging.info("residual of the degraded output: rms %.3g", rms)
    sidecar.remove(outputs[0].path)  # It would tell of another image.
    for output in outputs:
        results.write(
            output,
            tiles,
            restorer.grid,
            file_format=options.file_format,
            overviews=options.overviews,
            heed=heed,
        )


def _named(path: str, restorer: TileRestorer) -> Any:
    """Restoration whose errors tell the tile."""

    def restore(tile: LoadedTile) -> dict[str, np.ndarray]:
        try:
            return restorer.restore(tile)
        except (errors.MarsganError, RuntimeError, MemoryError) as error:
            core = tile.core
            kind = type(error)
            if not isinstance(error, errors.MarsganError):
                kind = errors.PredictionError
            raise kind(
                f"{path}: the tile of rows {core.row} to "
                f"{core.row + core.height - 1}, columns {core.col} to "
                f"{core.col + core.width - 1} failed: {error}"
            ) from error

    return restore


def _load(opened: scene.Scene, core: Window, grid: Grid) -> LoadedTile:
    def both(window: Window) -> np.ndarray:
        pixels, valid = opened.read(window)
        pair = np.empty(pixels.shape, _pair_dtype(pixels.dtype))
        pair["pixels"], pair["valid"] = pixels, valid
        return pair

    pair = read_with_halo(both, core, grid)
    return LoadedTile(core, pair["pixels"], pair["valid"])


def _pair_dtype(dtype: np.dtype) -> np.dtype:
    return np.dtype([("pixels", dtype), ("valid", bool)])


def _given_stretch(
    chosen: Stretch | str | None, dtype: np.dtype
) -> Stretch | None:
    if chosen != "none":
        return chosen if isinstance(chosen, Stretch) else None
    if dtype.kind == "f":
        return Stretch(0.0, 1.0)
    limits = np.iinfo(dtype)
    return Stretch(float(limits.min), float(limits.max))


def _warn(opened: scene.Scene) -> None:
    if opened.reader.georeference == Georeference():
        logging.warning(
            "%s: has no georeferencing, and neither will the output",
            opened.path,
        )
