"""Builds a dataset: scenes to parts, parts to shards, then the manifest."""

import contextlib
import functools
import glob
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import logging

from marsgan_tf import errors, progress
from marsgan_tf.dataset import manifest
from pipelines import engine, parts, patches, planning, pools, shards
from pipelines.build_config import BuildConfig

U = TypeVar("U")
R = TypeVar("R")

# GDAL's default is 5 % of the machine's memory, in each worker.
_GDAL_CACHE_MEGABYTES = "256"


def run(config: BuildConfig) -> None:
    """Builds the dataset that `config` describes, or goes on building it.

    Raises:
        MarsganError: If an input cannot be used, or the output folder holds
            another dataset.
    """
    if config.verify:
        _verify(config.output_dir)
        return
    os.environ.setdefault("GDAL_CACHEMAX", _GDAL_CACHE_MEGABYTES)
    scenes = planning.choose_scenes(config)
    parameters = planning.parameters(config)
    is_complete = functools.partial(
        planning.is_complete, config.output_dir, parameters, scenes
    )
    units = planning.make_units(config, parameters, scenes)
    parts_dir = _parts_dir(units)
    if is_complete():
        # A run that was ended while it removed them left some.
        shutil.rmtree(parts_dir, ignore_errors=True)
        logging.info("%s: complete, nothing to do", config.output_dir)
        return
    os.makedirs(parts_dir, exist_ok=True)
    _warn_of_leftovers(config.output_dir, parts_dir)
    workers = config.workers or engine.core_count()
    with pools.opened(config, workers) as run_units:
        _build_on(run_units, config, parameters, units, is_complete)


def _build_on(
    run_units: pools.Run,
    config: BuildConfig,
    parameters: dict[str, Any],
    units: Sequence[parts.Unit],
    is_complete: Callable[[], bool],
) -> None:
    """Makes this job's parts, and the dataset if no other job owes any."""
    _build_parts(units[config.shard_index :: config.num_shards], run_units)
    entries = [entry for entry in map(parts.load, units) if entry is not None]
    # Of several jobs that find all parts complete, one may have written the
    # dataset and deleted the parts already.
    if len(entries) < len(units) and not is_complete():
        _log_owed(config, len(units) - len(entries), len(units))
        return
    try:
        if not is_complete():
            _assemble(config, parameters, units, entries, run_units)
    except FileNotFoundError:
        if not is_complete():
            raise
    shutil.rmtree(_parts_dir(units), ignore_errors=True)


def _parts_dir(units: Sequence[parts.Unit]) -> str:
    return os.path.dirname(units[0].stem)


def _build_parts(units: Sequence[parts.Unit], run_units: pools.Run) -> None:
    missing = [unit for unit in units if parts.load(unit) is None]
    # The largest first, so that none is left over when the others are done.
    missing.sort(key=lambda unit: os.path.getsize(unit.path), reverse=True)
    _run_all(
        missing,
        parts.build,
        run_units,
        progress.Progress(
            len(units),
            unit="scenes",
            label="cutting",
            done=len(units) - len(missing),
        ),
    )


def _assemble(
    config: BuildConfig,
    parameters: dict[str, Any],
    units: Sequence[parts.Unit],
    entries: Sequence[manifest.Source],
    run_units: pools.Run,
) -> None:
    """Writes the shards, then the manifest.

    Raises:
        DatasetError: If no scene has a pair.
    """
    if not any(entry.kept for entry in entries):
        shutil.rmtree(os.path.dirname(units[0].stem), ignore_errors=True)
        raise errors.DatasetError(_explain_empty(entries))
    plans = {
        split: shards.plan(
            units,
            split=split,
            output_dir=config.output_dir,
            seed=config.seed,
            shard_bytes=config.shard_megabytes * 1_000_000,
            compression=config.compression,
        )
        for split in manifest.SPLITS
    }
    planned = [unit for split in manifest.SPLITS for unit in plans[split]]
    written = _run_all(
        planned,
        shards.write,
        run_units,
        progress.Progress(len(planned), unit="shards", label="shuffling"),
    )
    train_count = len(plans["train"])
    made = manifest.Manifest(
        directory=config.output_dir,
        hr_size=config.hr_size,
        scale=patches.SCALE,
        compression=config.compression,
        parameters=parameters,
        train=tuple(written[:train_count]),
        validation=tuple(written[train_count:]),
        sources=tuple(entries),
    )
    manifest.write(made)
    _log_summary(made)


def _log_owed(config: BuildConfig, owed: int, total: int) -> None:
    logging.info(
        "job %d of %d is done; other jobs still owe %d of %d scenes",
        config.shard_index,
        config.num_shards,
        owed,
        total,
    )


def _explain_empty(entries: Sequence[manifest.Source]) -> str:
    return (
        "no window of the images is kept: "
        f"{sum(entry.rejected_no_data for entry in entries)} touch pixels "
        "without data, "
        f"{sum(entry.rejected_contrast for entry in entries)} have low "
        "contrast; lower --min_contrast or --hr_size, or add images"
    )


def _log_summary(made: manifest.Manifest) -> None:
    for split in manifest.SPLITS:
        logging.info(
            "%s: %d pairs in %d shards, from %d images",
            split,
            made.record_count(split),
            len(made.shards(split)),
            sum(source.split == split for source in made.sources),
        )
    logging.info(
        "left out: %d windows with pixels without data, %d of low contrast",
        sum(source.rejected_no_data for source in made.sources),
        sum(source.rejected_contrast for source in made.sources),
    )


def _run_all(
    units: Sequence[U],
    function: Callable[[U], R],
    run_units: pools.Run,
    bar: progress.Progress,
) -> list[R]:
    """Results in the order of the units.

    Raises:
        MarsganError: The first unit's that failed, once all others are done.
    """
    results: dict[int, R] = {}
    failures: dict[int, errors.MarsganError] = {}
    with bar, contextlib.closing(run_units(units, function)) as outcomes:
        for index, outcome in outcomes:
            if isinstance(outcome, errors.MarsganError):
                failures[index] = outcome
                logging.error("%s", outcome)
            else:
                results[index] = outcome
            bar.advance()
    if failures:
        raise failures[min(failures)]
    return [results[index] for index in range(len(units))]


def _warn_of_leftovers(output_dir: str, parts_dir: str) -> None:
    pattern = os.path.join(glob.escape(output_dir), f"{planning.PARTS_PREFIX}*")
    for path in sorted(set(glob.glob(pattern)) - {parts_dir}):
        logging.warning(
            "%s: left by a build with other settings that was not finished; "
            "delete it, unless that build is to go on",
            path,
        )


def _verify(output_dir: str) -> None:
    found = manifest.load(output_dir)
    total = sum(len(found.shards(split)) for split in manifest.SPLITS)
    with progress.Progress(total, unit="shards", label="verifying") as bar:
        manifest.verify(output_dir, lambda shard: bar.advance())
    logging.info(
        "%s: all %d shards are as their manifest says", output_dir, total
    )
