"""What is damaged, and when what is read of it is right."""

import dataclasses
from collections.abc import Callable

import fuzz_dataset
import fuzz_models
import fuzz_rasters
import fuzz_texts
import fuzz_weights


@dataclasses.dataclass(frozen=True)
class Target:
    """Files of one kind.

    Attributes:
        name: Of the kind.
        weight: Its share of the cases.
        prepare: Makes whole files in a folder, and returns what `run` needs.
        run: Damages one in an empty folder and reads it. It returns if the
            result is right, and raises AssertionError if not.
        is_heavy: Whether it loads TensorFlow, which takes seconds.
    """

    name: str
    weight: int
    prepare: Callable
    run: Callable
    is_heavy: bool = False


def _rasters(name, weight, kinds):
    prepare = fuzz_rasters.preparation(kinds)
    return Target(name, weight, prepare, fuzz_rasters.read)


TARGETS = (
    _rasters("geotiff", 5, fuzz_rasters.GEOTIFFS),
    _rasters("jp2", 3, fuzz_rasters.JP2),
    Target(
        "jp2-boxes",
        2,
        fuzz_rasters.preparation(fuzz_rasters.JP2),
        fuzz_rasters.check_jp2,
    ),
    _rasters("png", 3, fuzz_rasters.PNGS),
    _rasters("jpeg", 2, fuzz_rasters.JPEGS),
    _rasters("pds3-isis3", 4, fuzz_rasters.RAW),
    Target(
        "predict",
        2,
        fuzz_rasters.preparation(fuzz_rasters.GEOTIFFS),
        fuzz_rasters.predict,
    ),
    Target("label", 2, fuzz_rasters.prepare_label, fuzz_rasters.read_label),
    Target("tfrecord", 4, fuzz_dataset.prepare_shards, fuzz_dataset.read_shard),
    Target(
        "manifest",
        3,
        fuzz_dataset.prepare_manifest,
        fuzz_dataset.read_manifest,
    ),
    Target(
        "model.json",
        3,
        fuzz_models.prepare_description,
        fuzz_models.read_description,
    ),
    Target("ledger", 3, fuzz_texts.prepare_ledger, fuzz_texts.read_ledger),
    Target("csv", 3, fuzz_texts.prepare_csv, fuzz_texts.read_csv),
    Target("sidecar", 1, fuzz_texts.prepare_csv, fuzz_texts.read_sidecar),
    Target("hirise-index", 2, fuzz_texts.prepare_index, fuzz_texts.read_index),
    Target("flagfile", 3, fuzz_texts.prepare_flags, fuzz_texts.read_flags),
    Target(
        "model-folder",
        2,
        fuzz_models.prepare_folder,
        fuzz_models.read_folder,
    ),
    Target(
        "generator.keras",
        2,
        fuzz_weights.prepare_generators,
        fuzz_weights.read_generator,
        is_heavy=True,
    ),
    Target(
        "vgg19",
        1,
        fuzz_weights.prepare_vgg,
        fuzz_weights.read_vgg,
        is_heavy=True,
    ),
    Target(
        "checkpoint",
        2,
        fuzz_weights.prepare_checkpoint,
        fuzz_weights.read_checkpoint,
        is_heavy=True,
    ),
)
