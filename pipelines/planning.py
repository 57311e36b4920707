"""What a build has to do: which scenes, which settings, which units of work.

Nothing here decodes a pixel or writes a file.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from absl import logging

from marsgan_tf import errors
from marsgan_tf.dataset import manifest
from pipelines import cutting, hirise, parts, sources
from pipelines.build_config import BuildConfig
from pipelines.pool_config import PoolConfig

PARTS_PREFIX = ".parts-"

# Flags that say where and how to work, and leave no trace in the records.
_NOT_RECORDED = frozenset(
    ("input", "input_list", "observation_ids", "observation_list")
    + ("archive_root", "output_dir")
    + ("workers", "num_shards", "shard_index", "verify")
    + tuple(field.name for field in dataclasses.fields(PoolConfig))
)


def choose_scenes(config: BuildConfig) -> list[sources.Scene]:
    """The images that the builder will use, by their headers.

    Raises:
        MarsganError: If an image is missing or cannot be used, or none is
            left.
    """
    listed = (
        hirise.read_ids(config.observation_list)
        if config.observation_list
        else []
    )
    paths = sources.find_paths(
        patterns=config.input,
        list_file=config.input_list,
        observation_ids=(*config.observation_ids, *listed),
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


def parameters(config: BuildConfig) -> dict[str, Any]:
    """What the records depend on, besides the images; as JSON gives it back."""
    values = dataclasses.asdict(config)
    values["stride"] = _stride(config)
    recorded = {k: v for k, v in values.items() if k not in _NOT_RECORDED}
    return json.loads(json.dumps(recorded))


def _stride(config: BuildConfig) -> int:
    return config.stride or config.hr_size


def is_complete(
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
        pattern_sigma=(config.pattern_sigma[0], config.pattern_sigma[-1]),
        defect_rate=(config.defect_rate[0], config.defect_rate[-1]),
        variants=config.variants,
        least_pairs=config.least_pairs,
        seed=config.seed,
    )
    key = json.dumps(
        [manifest.VERSION, parameters, splits]
        + [[scene.name, scene.bytes, scene.modified_ns] for scene in scenes]
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    parts_dir = os.path.join(config.output_dir, f"{PARTS_PREFIX}{digest}")
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
