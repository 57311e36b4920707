"""Panels of before and after, for the eye."""

import numpy as np
from PIL import Image

from marsgan_tf import staging
from marsgan_tf.training import validation

_GAP_PX = 4
_WHITE = 255
_TAIL = 0.01
_LEAST = 1e-6  # Of a constant image's range.


def panels(generator, batch):
    """Draws each pair as one row: nearest, bicubic, generator, reference.

    All four share one contrast, which takes all but a hundredth of the
    reference's pixels at either end from black to white.

    Args:
        generator: The generator.
        batch: A batch of `records.validation_batches`.

    Returns:
        `(rows, height, width)` uint8.
    """
    lr = batch["lr"]
    scale = batch["hr"].shape[1] // lr.shape[1]
    nearest = np.repeat(np.repeat(lr, scale, axis=1), scale, axis=2)
    columns = [
        nearest,
        validation.enlarge(lr, scale),
        validation.restore(generator, batch),
        batch["hr"],
    ]
    low, high = np.quantile(
        batch["hr"], (_TAIL, 1 - _TAIL), axis=(1, 2, 3), keepdims=True
    )
    pixels = [
        _to_grey((np.asarray(column) - low) / np.maximum(high - low, _LEAST))
        for column in columns
    ]
    gap = np.full((*pixels[0].shape[:2], _GAP_PX), _WHITE)
    parts = [part for column in pixels for part in (gap, column)][1:]
    return np.concatenate(parts, axis=2).astype(np.uint8)


def write_png(rows, path):
    """Writes panels below each other as one PNG; whole or not at all."""
    gap = np.full((_GAP_PX, rows.shape[2]), _WHITE, np.uint8)
    parts = [part for row in rows for part in (gap, row)][1:]
    with staging.staged(path) as temporary:
        Image.fromarray(np.concatenate(parts)).save(temporary)


def _to_grey(images):
    """[0, 1] to 0 to 255, without the band axis."""
    return np.rint(np.clip(images[..., 0], 0, 1) * _WHITE)
