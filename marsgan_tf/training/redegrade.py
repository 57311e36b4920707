"""Degrades batches of high-resolution patches, each by amounts of its own."""

import numpy as np
import tensorflow as tf

from marsgan_tf.imaging import degrade
from marsgan_tf.training import records

# Between the blurs that are drawn, px: finer than any estimate.
_BLUR_STEP = 0.05
# Of the draws, as the dataset builder has it: that many are clean, the others
# lean to it with the square.
_CLEAN_SHARE = 0.25


class Redegrade:
    """From high resolution to low, as matrix products.

    A degradation along one axis, borders included, is a matrix; a table of
    them holds all blurs.

    Args:
        hr_size: Sides of the patches, px.
        blur_sigma: Largest blur, px; drawn evenly from 0 on.
        noise_sigma: Largest white noise, in stretched units.
        pattern_sigma: Largest offsets of rows and of columns.
    """

    def __init__(self, *, hr_size, blur_sigma, noise_sigma, pattern_sigma):
        self.sigmas = np.arange(0.0, blur_sigma + _BLUR_STEP / 2, _BLUR_STEP)
        self.matrices = np.stack([matrix(hr_size, s) for s in self.sigmas])
        self.noise_sigma = noise_sigma
        self.pattern_sigma = pattern_sigma

    def __call__(self, hr, seed):
        """Degrades a batch.

        Args:
            hr: `(batch, hr_size, hr_size, 1)` float32, stretched.
            seed: `(2,)` int64; equal seeds give equal draws.

        Returns:
            `lr` `(batch, hr_size / 4, hr_size / 4, 1)` and `degradation`
            `(batch, 2)`: blur in px, white noise in stretched units.
        """
        batch = tf.shape(hr)[0]
        seeds = tf.random.split(seed, 6)
        chosen = tf.random.stateless_uniform(
            [batch], seeds[0], 0, len(self.sigmas), tf.int32
        )
        rows = tf.gather(tf.constant(self.matrices, tf.float32), chosen)
        lr = tf.einsum("bij,bjk,blk->bil", rows, hr[..., 0], rows)
        white = _draw(seeds[1], [batch, 1, 1], self.noise_sigma)
        pattern = _draw(seeds[2], [2, batch, 1, 1], self.pattern_sigma)
        side = tf.shape(lr)[1]
        lr += white * tf.random.stateless_normal([batch, side, side], seeds[3])
        lr += pattern[0] * tf.random.stateless_normal(
            [batch, side, 1], seeds[4]
        )
        lr += pattern[1] * tf.random.stateless_normal(
            [batch, 1, side], seeds[5]
        )
        blur = tf.gather(tf.constant(self.sigmas, tf.float32), chosen)
        return {
            "lr": lr[..., tf.newaxis],
            "degradation": tf.stack([blur, white[:, 0, 0]], axis=-1),
        }


def matrix(size, blur_sigma):
    """The degradation along one axis: `(size / 4, size)` float32."""
    columns = [
        degrade.degrade(
            np.repeat(unit[:, np.newaxis], records.SCALE, axis=1), blur_sigma
        )
        for unit in np.eye(size, dtype=np.float32)
    ]
    return np.concatenate(columns, axis=1)


def _draw(seed, shape, largest):
    draws = tf.random.stateless_uniform([2, *shape], seed)
    is_noisy = tf.cast(draws[0] > _CLEAN_SHARE, tf.float32)
    return largest * is_noisy * tf.square(draws[1])
