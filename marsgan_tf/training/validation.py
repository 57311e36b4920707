"""PSNR and SSIM on held-out pairs while training, beside bicubic."""

import keras
import numpy as np
import tensorflow as tf

from marsgan_tf.models.generators import generator_inputs

_DATA_RANGE = 1.0  # Images are stretched to [0, 1].


def evaluate(generator, batches):
    """Scores a generator and bicubic enlargement on the same pairs.

    Args:
        generator: The generator.
        batches: Batches of `records.validation_batches`.

    Returns:
        `psnr` (dB), `ssim`, and the same of bicubic enlargement as
        `psnr_bicubic` and `ssim_bicubic`: means over the pairs, data range 1.
    """
    scores = {}
    for batch in batches:
        for name, value in _scores(generator, batch).items():
            scores.setdefault(name, []).append(value.numpy())
    return {
        name: float(np.mean(np.concatenate(values)))
        for name, values in scores.items()
    }


def restore(generator, batch):
    """Super-resolves a batch of pairs, without noise.

    Returns:
        `(batch, height, width, 1)` float32.
    """
    return _restore(generator, generator_inputs(generator, batch))


def enlarge(lr, scale=4):
    """Bicubic enlargement (Keys, a = -0.5) of `(batch, h, w, 1)` images."""
    height, width = lr.shape[1:3]
    return keras.ops.image.resize(
        lr, (height * scale, width * scale), interpolation="bicubic"
    )


@tf.function(reduce_retracing=True)
def _restore(generator, inputs):
    return generator(inputs, training=False)


def _scores(generator, batch):
    estimates = {
        "": restore(generator, batch),
        "_bicubic": enlarge(batch["lr"]),
    }
    scores = {}
    for suffix, estimate in estimates.items():
        pair = (batch["hr"], estimate)
        scores[f"psnr{suffix}"] = tf.image.psnr(*pair, _DATA_RANGE)
        scores[f"ssim{suffix}"] = tf.image.ssim(*pair, _DATA_RANGE)
    return scores
