"""Trains the estimator of blur and noise.

The pairs' high resolution is degraded anew in each step: with the few
degradations that a dataset has of each scene, the network would learn the
scenes by heart.
"""

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from keras import ops

from marsgan_tf import errors, staging
from marsgan_tf.dataset import manifest as manifests
from marsgan_tf.imaging import degradation_estimator as estimator
from marsgan_tf.models.degradation_estimator import (
    STRIDES,
    degradation_estimator,
)
from marsgan_tf.training import records, redegrade


def run(config):
    """Trains and writes an estimator; logs how far it is off.

    Args:
        config: An `EstimatorConfig`.

    Raises:
        DatasetError: If the dataset is missing, has one degradation only, or
            patches of another size.
        OSError: If the output cannot be written.
    """
    manifest = manifests.load(config.dataset)
    manifests.require_shards(manifest)
    largest = [
        max(manifest.parameters.get(name, [0.0]))
        for name in ("blur_sigma", "noise_sigma")
    ]
    if not all(largest):
        raise errors.DatasetError(
            f"{config.dataset}: has no range of blur and noise to learn from; "
            "build it with --blur_sigma=LOW,HIGH --noise_sigma=LOW,HIGH"
        )
    patch_px = manifest.hr_size // records.SCALE
    if patch_px != estimator.PATCH_PX:
        raise errors.DatasetError(
            f"{config.dataset}: its low-resolution patches have {patch_px} px, "
            f"not {estimator.PATCH_PX}; build it with --hr_size="
            f"{estimator.PATCH_PX * records.SCALE}"
        )
    tf.random.set_seed(records.GLOBAL_SEED)
    network = degradation_estimator(patch_px=patch_px, seed=config.seed)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, config.steps
    )
    network.compile(keras.optimizers.Adam(schedule), loss=likelihood)
    batches = records.training_batches(
        manifest,
        hr_size=manifest.hr_size,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    degrade = redegrade.Redegrade(
        hr_size=manifest.hr_size,
        blur_sigma=largest[0],
        noise_sigma=largest[1],
        pattern_sigma=max(manifest.parameters.get("pattern_sigma", [0.0])),
    )
    seeds = tf.data.Dataset.random(config.seed).batch(2)
    network.fit(
        tf.data.Dataset.zip(batches, seeds)
        .map(lambda batch, seed: _example(degrade(batch["hr"], seed)))
        .prefetch(tf.data.AUTOTUNE),
        epochs=1,
        steps_per_epoch=config.steps,
        verbose="auto",
    )
    _write(config.output, network, largest)
    _report(manifest, config)
    logging.info("written: %s", config.output)


def likelihood(target, answer):
    """Negative logarithm of a normal distribution's density, but a constant.

    Args:
        target: `(batch, 2)`.
        answer: `(batch, 4)`: means, then logarithms of variances.
    """
    mean, log_variance = ops.split(answer, 2, axis=-1)
    log_variance = ops.clip(log_variance, *estimator.LOG_VARIANCE_LIMITS)
    error = ops.square(target - mean) * ops.exp(-log_variance)
    return 0.5 * ops.mean(log_variance + error, axis=-1)


def _example(batch):
    patches = batch["lr"]
    mean = ops.mean(patches, axis=(1, 2), keepdims=True)
    std = ops.std(patches, axis=(1, 2), keepdims=True)
    std = std + estimator.CONTRAST_FLOOR
    inputs = {
        "patch": (patches - mean) / std,
        "log_std": ops.log(std[:, 0, 0]),
    }
    blur, noise = ops.split(batch["degradation"], 2, axis=-1)
    target = [blur, ops.log(noise + estimator.NOISE_FLOOR)]
    return inputs, ops.concatenate(target, axis=-1)


def _write(path, network, largest):
    layers = [layer for layer in network.layers if layer.weights]
    arrays = {"layers": len(layers), "strides": STRIDES}
    for index, layer in enumerate(layers):
        kernel, bias = layer.get_weights()
        arrays |= {f"kernel_{index}": kernel, f"bias_{index}": bias}
    with staging.staged(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, largest=np.float64(largest), **arrays)


def _report(manifest, config):
    """Errors on the validation split, over each observation's variants."""
    if not manifest.record_count("validation"):
        return
    found = {}
    for batch in records.validation_batches(
        manifest,
        hr_size=manifest.hr_size,
        batch_size=config.batch_size,
        pairs=config.validation_pairs,
    ):
        for patch, told in zip(
            batch["lr"].numpy()[..., 0],
            batch["degradation"].numpy().tolist(),
            strict=True,
        ):
            found.setdefault(tuple(told), []).append(patch)
    network = estimator.load(config.output)
    errors_px = []
    for (blur, noise), patches in sorted(found.items()):
        ((blur_told, noise_told),) = network.estimate([np.stack(patches)])
        errors_px.append(blur_told - blur)
        logging.info(
            "blur %.2f told %.2f, noise %.4f told %.4f (%d patches)",
            blur,
            blur_told,
            noise,
            noise_told,
            len(patches),
        )
    logging.info(
        "blur: mean error %+.2f px, mean of its size %.2f px",
        np.mean(errors_px),
        np.mean(np.abs(errors_px)),
    )
