"""Builds a dataset: scenes to parts, parts to shards, then the manifest."""

import contextlib
import dataclasses
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import logging

from marsgan_tf import errors, progress
from marsgan_tf.dataset import manifest
from pipelines import cutting, engine, parts, patches, shards, sources
from pipelines.build_config import BuildConfig

U = TypeVar("U")
R = TypeVar("R")

# Flags that say where and how to work, and leave no trace in the records.
_NOT_RECORDED = frozenset(
    ("input", "input_list", "observation_ids", "archive_root", "output_dir")
    + ("workers", "num_shards", "shard_index", "verify")
)
# GDAL's default is 5 % of the machine's memory, in each worker.
_GDAL_CACHE_MEGABYTES = "256"
_PARTS_PREFIX = ".parts-"


def run(config: BuildConfig) -> None:
    """Builds the dataset that `config` describes, or goes on building it.

    Raises:
        MarsganError: If an input cannot be used, the output folder holds
            another dataset, or the run was interrupted.
    """
    if config.verify:
        _verify(config.output_dir)
        return
    os.environ.setdefault("GDAL_CACHEMAX", _GDAL_CACHE_MEGABYTES)
    with engine.interruptible("interrupted; the same command continues"):
        _build(config)


def _build(config: BuildConfig) -> None:
    scenes = choose_scenes(config)
    parameters = _parameters(config)
    if _is_complete(config.output_dir, parameters, scenes):
        logging.info("%s: complete, nothing to do", config.output_dir)
        return
    units = make_units(config, parameters, scenes)
    parts_dir = os.path.dirname(units[0].stem)
    os.makedirs(parts_dir, exist_ok=True)
    _warn_of_leftovers(config.output_dir, parts_dir)
    workers = config.workers or engine.core_count()
    _build_parts(units[config.shard_index :: config.num_shards], workers)
    entries = [parts.load(unit) for unit in units]
    owed = entries.count(None)
    if owed and not _is_complete(config.output_dir, parameters, scenes):
        logging.info(
            "job %d of %d is done; other jobs still owe %d of %d scenes",
            config.shard_index,
            config.num_shards,
            owed,
            len(units),
        )
        return
    found = tuple(entry for entry in entries if entry is not None)
    if not any(entry.kept for entry in found):
        shutil.rmtree(parts_dir, ignore_errors=True)
        raise errors.DatasetError(_explain_empty(found))
    try:
        _assemble(config, parameters, units, found, workers)
    except FileNotFoundError:
        # Another job found all parts complete too, and was faster.
        if not _is_complete(config.output_dir, parameters, scenes):
            raise
    shutil.rmtree(parts_dir, ignore_errors=True)


def choose_scenes(config: BuildConfig) -> list[sources.Scene]:
    """The images that the builder will use, by their headers.

    Raises:
        MarsganError: If an image is missing or cannot be used, or none is
            left.
    """
    paths = sources.find_paths(
        patterns=config.input,
        list_file=config.input_list,
        observation_ids=config.observation_ids,
        archive_root=config.archive_root,
    )
    used = sources.exclude(paths, config.exclude_ids)
    for path in sorted(set(paths) - set(used)):
        logging.info("%s: left out, as --exclude_ids says", path)
    if not used:
        raise errors.DatasetError(
            f"all {len(paths)} images are left out by --exclude_ids, by "
            "default the paper's test sites: add others, or set "
            "--exclude_ids= to use these"
        )
    return [
        sources.inspect(path, hr_size=config.hr_size, band=config.band)
        for path in used
    ]


def _parameters(config: BuildConfig) -> dict[str, Any]:
    """What the records depend on, besides the images; as JSON gives it back."""
    values = dataclasses.asdict(config)
    values["stride"] = _stride(config)
    recorded = {k: v for k, v in values.items() if k not in _NOT_RECORDED}
    return json.loads(json.dumps(recorded))


def _stride(config: BuildConfig) -> int:
    return config.stride or config.hr_size


def _is_complete(
    output_dir: str, parameters: dict[str, Any], scenes: Sequence[sources.Scene]
) -> bool:
    """Whether the folder holds this dataset already.

    Raises:
        DatasetError: If it holds another one.
    """
    path = os.path.join(output_dir, manifest.FILE_NAME)
    if not os.path.exists(path):
        return False
    found = manifest.load(output_dir)
    names = sorted(found.parameters.keys() | parameters.keys())
    differences = [
        f"--{name}"
        for name in names
        if found.parameters.get(name) != parameters.get(name)
    ]
    if not _are_same(found.sources, scenes, os.stat(path).st_mtime_ns):
        differences.append("the images")
    if differences:
        raise errors.DatasetError(
            f"{output_dir}: holds a dataset that differs in "
            f"{', '.join(differences)}: choose another --output_dir, or "
            "delete this folder"
        )
    return True


def _are_same(
    entries: Sequence[manifest.Source],
    scenes: Sequence[sources.Scene],
    written_ns: int,
) -> bool:
    """Whether the manifest is of these images.

    By name and size, and by content where a file is newer than the manifest:
    to hash an archive takes as long as to read it.
    """
    if [(e.name, e.bytes) for e in entries] != [
        (s.name, s.bytes) for s in scenes
    ]:
        return False
    return all(
        manifest.hash_file(scene.path) == entry.sha256
        for entry, scene in zip(entries, scenes, strict=True)
        if scene.modified_ns >= written_ns
    )


def make_units(
    config: BuildConfig,
    parameters: dict[str, Any],
    scenes: Sequence[sources.Scene],
) -> list[parts.Unit]:
    """The work of making the parts, one unit a scene.

    Args:
        config: The settings.
        parameters: Those that the records depend on.
        scenes: At least one.
    """
    splits = sources.split(
        scenes,
        fraction=config.validation_fraction,
        validation_ids=config.validation_ids,
        seed=config.seed,
    )
    if config.validation_fraction > 0 and "validation" not in splits:
        logging.warning(
            "the images are one observation, or show the same ground: none is "
            "kept for validation"
        )
    recipe = cutting.Recipe(
        hr_size=config.hr_size,
        stride=_stride(config),
        min_contrast=config.min_contrast,
        blur_sigma=(config.blur_sigma[0], config.blur_sigma[-1]),
        noise_sigma=(config.noise_sigma[0], config.noise_sigma[-1]),
        variants=config.variants,
        seed=config.seed,
    )
    key = json.dumps(
        [manifest.VERSION, parameters, splits]
        + [[scene.name, scene.bytes, scene.modified_ns] for scene in scenes]
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    parts_dir = os.path.join(config.output_dir, f"{_PARTS_PREFIX}{digest}")
    return [
        parts.Unit(
            path=scene.path,
            observation_id=scene.observation_id,
            split=split,
            band=config.band,
            nodata=config.nodata,
            recipe=recipe,
            stem=os.path.join(parts_dir, f"{index:05d}-{scene.name}"),
        )
        for index, (scene, split) in enumerate(zip(scenes, splits, strict=True))
    ]


def _build_parts(units: Sequence[parts.Unit], workers: int) -> None:
    missing = [unit for unit in units if parts.load(unit) is None]
    # The largest first, so that none is left over when the others are done.
    missing.sort(key=lambda unit: os.path.getsize(unit.path), reverse=True)
    _run_all(
        missing,
        parts.build,
        workers,
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
    entries: tuple[manifest.Source, ...],
    workers: int,
) -> None:
    """Writes the shards, then the manifest."""
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
        workers,
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
        sources=entries,
    )
    manifest.write(made)
    _log_summary(made)


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
    workers: int,
    bar: progress.Progress,
) -> list[R]:
    """Results in the order of the units.

    Raises:
        MarsganError: The first unit's that failed, once all others are done.
    """
    results: dict[int, R] = {}
    failures: dict[int, errors.MarsganError] = {}
    with (
        bar,
        contextlib.closing(
            engine.run_units(units, function, workers)
        ) as outcomes,
    ):
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
    pattern = os.path.join(glob.escape(output_dir), f"{_PARTS_PREFIX}*")
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
