"""Levels the sub-pixels of a generator on pairs of its dataset."""

import os

import numpy as np
from absl import logging

from marsgan_tf import errors
from marsgan_tf.dataset import manifest as manifests
from marsgan_tf.models import files, levelling
from marsgan_tf.training import records, validation

_BATCH = 16


def run(config):
    """Writes a generator whose answers have no pattern of sub-pixels.

    Args:
        config: A `LevelConfig`.

    Raises:
        DatasetError: If the dataset is missing.
        ModelError: If the generator cannot be read or is no MARSGAN, or the
            output exists.
    """
    if os.path.exists(config.output) and not config.overwrite:
        raise errors.ModelError(
            f"{config.output}: exists; choose another --output, or add "
            "--overwrite"
        )
    generator = files.load_generator(config.weights)
    if generator.name != "marsgan":
        raise errors.ModelError(
            f"{config.weights}: is of {generator.name}; only MARSGAN's "
            "sub-pixels can be levelled"
        )
    manifest = manifests.load(config.dataset)
    manifests.require_shards(manifest)
    before = _pattern(generator, manifest, config)
    levelling.shift_subpixels(generator, -before)
    after = _pattern(generator, manifest, config)
    logging.info(
        "pattern of sub-pixels: rms %.2e of the range before, %.2e after",
        before.std(),
        after.std(),
    )
    files.save_generator(generator, config.output)
    logging.info("written: %s", config.output)


def _pattern(generator, manifest, config):
    batches = records.training_batches(
        manifest,
        hr_size=manifest.hr_size,
        batch_size=_BATCH,
        seed=config.seed,
        augment=False,
    )
    answers = [
        validation.restore(generator, batch).numpy()
        for batch in batches.take(-(-config.pairs // _BATCH))
    ]
    return levelling.subpixel_pattern(np.concatenate(answers))
