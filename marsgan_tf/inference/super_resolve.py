"""One scene from file to file: tiles through the network, kept as they come."""

import dataclasses
import hashlib
import os
from typing import Any

import numpy as np
from absl import logging

from marsgan_tf import errors
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.imaging.tiling import Grid, Window, read_with_halo
from marsgan_tf.inference import results, scan, scene, settings, spool
from marsgan_tf.inference.consistency import Projection
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
    projection = None
    if options.project or targets.residual:
        projection = Projection(model.degradation.blur_sigma, SCALE)
    halo = options.halo + (projection.reach_px if projection else 0)
    with scene.open_scene(
        source,
        bands=options.bands,
        nodata=options.nodata,
        rows=options.tile + 2 * halo,
    ) as opened:
        _warn(opened)
        survey = scan.survey(
            opened,
            color=options.color,
            pan_band=options.pan_band,
            given=_given_stretch(options.stretch, opened.reader.dtype),
        )
        reader = opened.reader
        restorer = TileRestorer(
            engine=model.engine,
            survey=survey,
            grid=Grid(reader.height, reader.width, options.tile, halo),
            dtype=reader.dtype,
            nodata=opened.nodata,
            projection=projection,
            project=options.project,
            samples=options.samples,
            seed=options.seed,
        )
        _predict(opened, restorer, targets, model, options, received)


def _predict(
    opened: scene.Scene,
    restorer: TileRestorer,
    targets: Targets,
    model: Model,
    options: Options,
    received: list[int],
) -> None:
    facts = _facts(opened, restorer, model, options)
    outputs, layers = _plan(opened, restorer, targets, facts)
    folder, name = os.path.split(targets.image)
    partial = os.path.join(folder, f".{name}.partial")
    cores = list(restorer.grid)
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
        _restore_all(opened, restorer, tiles, received, partial)
        if restorer.projection is not None:
            rms = results.residual_rms(tiles, restorer.grid)
            facts["residual_rms"] = rms
            logging.info("residual of the degraded output: rms %.3g", rms)
        for output in outputs:
            results.write(
                output,
                tiles,
                restorer.grid,
                file_format=options.file_format,
                overviews=options.overviews,
            )
        results.write_sidecar(targets.image, facts, tiles, restorer.grid)
        tiles.remove()
    logging.info("%s: done", targets.image)


def _restore_all(
    opened: scene.Scene,
    restorer: TileRestorer,
    tiles: spool.Spool,
    received: list[int],
    partial: str,
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
        for index, arrays in overlapped(
            missing, read, work, workers=restorer.engine.concurrency
        ):
            tiles.write(index, {n: arrays[n] for n in tiles.layer_names})
            progress.advance()
            if received:
                raise errors.Interrupted(
                    f"{opened.path}: stopped, {tiles.done} of {len(cores)} "
                    f"tiles are kept in {partial}; the same command with "
                    "--resume goes on",
                    received[0],
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
    if not opened.reader.is_georeferenced:
        logging.warning(
            "%s: has no georeferencing, and neither will the output",
            opened.path,
        )


def _facts(
    opened: scene.Scene,
    restorer: TileRestorer,
    model: Model,
    options: Options,
) -> dict[str, Any]:
    """All that the pixels depend on, for the sidecar and for resuming."""
    survey = restorer.survey
    return {
        "input": os.path.basename(opened.path),
        "input_sha256": _hash(opened.path),
        "input_size": [opened.reader.height, opened.reader.width],
        "bands": list(opened.bands),
        "nodata": None if opened.nodata is None else repr(opened.nodata),
        "valid_share": survey.valid_share,
        "model": f"{model.description.name}/{model.description.version}",
        "weights_sha256": model.description.weights_sha256,
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "degradation": dataclasses.asdict(model.degradation),
        "color": {
            "mode": survey.planes.mode,
            **dataclasses.asdict(survey.planes),
        },
        "stretch": [[s.low, s.high] for s in survey.stretches],
        "scale": SCALE,
        "tile": options.tile,
        "halo": restorer.grid.halo,
        "consistency": "project" if options.project else "none",
        "samples": options.samples,
        "seed": options.seed,
    }


def _plan(
    opened: scene.Scene,
    restorer: TileRestorer,
    targets: Targets,
    facts: dict[str, Any],
) -> tuple[list[results.Output], list[spool.Layer]]:
    """The rasters to write, and the layers of a tile that they need."""
    dtype, planes = restorer.dtype, restorer.survey.planes.count
    has_mask = (
        restorer.survey.has_invalid
        and opened.nodata is None
        and dtype.kind != "f"
    )
    told = ("model", "weights_sha256", "engine", "precision", "stretch")
    layout = results.image_layout(
        opened,
        scale=SCALE,
        has_mask=has_mask,
        tags={name: facts[name] for name in told},
    )
    outputs = [results.Output(targets.image, "pixels", layout, SCALE)]
    layers = [spool.Layer("pixels", dtype.name, layout.bands, SCALE)]
    if has_mask:
        layers.append(spool.Layer("valid", "uint8", 1, 1))
    if restorer.projection is not None:
        layers.append(spool.Layer("residual", "float32", planes, 1))
    if restorer.samples:
        layers.append(spool.Layer("deviation", "float32", planes, SCALE))
    wanted = {"deviation": targets.deviation, "residual": targets.residual}
    for layer in layers:
        if wanted.get(layer.name):
            plane_layout = results.plane_layout(
                opened, scale=layer.scale, planes=planes, meaning=layer.name
            )
            outputs.append(
                results.Output(
                    wanted[layer.name], layer.name, plane_layout, layer.scale
                )
            )
    return outputs, layers


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
