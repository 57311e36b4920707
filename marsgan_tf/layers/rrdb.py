"""ESRGAN's residual-in-residual dense block."""

from typing import Any

import keras

from marsgan_tf.layers.dense_block import DenseBlock

DENSE_BLOCKS = 3
SEEDS_PER_DENSE_BLOCK = 8  # Room between the seeds of two dense blocks.


@keras.saving.register_keras_serializable(package="marsgan_tf")
class RRDB(keras.layers.Layer):
    """Three dense blocks with residuals, and one residual around them.

    `x <- x + scale * DB(x)` three times, then `input + scale * x`.

    Args:
        growth: Maps that each convolution of a dense block adds.
        residual_scale: Factor of every residual, 0.2 in ESRGAN.
        seed: Integer; seeds the kernels.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Input shape: `(batch, height, width, features)`; sides may be `None`.
    Output shape: The same.

    Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219
    """

    def __init__(
        self,
        growth: int = 32,
        residual_scale: float = 0.2,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.growth = growth
        self.residual_scale = residual_scale
        self.seed = seed
        self.dense_blocks = [
            DenseBlock(
                growth,
                seed=seed + index * SEEDS_PER_DENSE_BLOCK,
                dtype=self.dtype_policy,
                name="dense_block",
            )
            for index in range(DENSE_BLOCKS)
        ]

    def build(self, input_shape):
        for block in self.dense_blocks:
            block.build(input_shape)

    def call(self, inputs):
        x = inputs
        for block in self.dense_blocks:
            x = x + self.residual_scale * block(x)
        return inputs + self.residual_scale * x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {
            "growth": self.growth,
            "residual_scale": self.residual_scale,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}
