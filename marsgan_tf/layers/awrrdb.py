"""MARSGAN's adaptive weighted residual-in-residual dense block."""

from typing import Any

import keras

from marsgan_tf.layers.adaptive_dense_block import AdaptiveDenseBlock
from marsgan_tf.layers.rrdb import DENSE_BLOCKS, SEEDS_PER_DENSE_BLOCK


@keras.saving.register_keras_serializable(package="marsgan_tf")
class AWRRDB(keras.layers.Layer):
    """Three adaptive dense blocks, then `λb * x3 + λa * input`.

    Eleven learned scalars: λr, λx and λn of each dense block, λb and λa. With
    the start values and no noise this is ESRGAN's RRDB.

    Args:
        growth: Maps that each convolution of a dense block adds.
        noise_weight: Start value of the three λn.
        per_channel: One λ for each channel instead of one in all.
        conditioned: Whether a code of the degradation shifts λr and λx.
        seed: Integer; seeds the kernels and the noise.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Call arguments:
        inputs: `(batch, height, width, features)`; sides may be `None`.
        code: `(batch, width of the code)`, if `conditioned`.
        training: Whether the noise is drawn.

    Output shape: That of `inputs`.

    Reference: Tao et al. 2021, eq. 2-3
    """

    def __init__(
        self,
        growth: int = 32,
        noise_weight: float = 0.0,
        per_channel: bool = False,
        conditioned: bool = False,
        *,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.growth = growth
        self.noise_weight = noise_weight
        self.per_channel = per_channel
        self.conditioned = conditioned
        self.seed = seed
        self.dense_blocks = [
            AdaptiveDenseBlock(
                growth,
                noise_weight,
                per_channel,
                conditioned,
                seed=seed + index * SEEDS_PER_DENSE_BLOCK,
                dtype=self.dtype_policy,
                name=f"adaptive_dense_block_{index}",
            )
            for index in range(DENSE_BLOCKS)
        ]

    def build(self, inputs_shape, code_shape=None):
        shape = (inputs_shape[-1],) if self.per_channel else ()
        self.residual_weight = self.add_weight(
            name="residual_weight",
            shape=shape,
            initializer=keras.initializers.Constant(0.2),
        )
        self.identity_weight = self.add_weight(
            name="identity_weight", shape=shape, initializer="ones"
        )
        for block in self.dense_blocks:
            block.build(inputs_shape, code_shape)

    def call(self, inputs, code=None, training=False):
        x = inputs
        for block in self.dense_blocks:
            x = block(x, code=code, training=training)
        return self.residual_weight * x + self.identity_weight * inputs

    def compute_output_shape(self, inputs_shape, code_shape=None):
        return inputs_shape

    def get_config(self):
        config = {
            "growth": self.growth,
            "noise_weight": self.noise_weight,
            "per_channel": self.per_channel,
            "conditioned": self.conditioned,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}
