"""A dense block whose residual, identity and noise are weighted."""

from typing import Any

import keras
from keras import ops

from marsgan_tf.layers.adaptive_noise import AdaptiveNoise
from marsgan_tf.layers.dense_block import DenseBlock


@keras.saving.register_keras_serializable(package="marsgan_tf")
class AdaptiveDenseBlock(keras.layers.Layer):
    """One line of eq. 3: `λr * DB(x) + λx * x + λn * G`, all λ learned.

    Args:
        growth: Maps that each convolution of the dense block adds.
        noise_weight: Start value of λn; λr starts at 0.2 and λx at 1.
        per_channel: One λ for each channel instead of one in all.
        conditioned: Whether a code of the image's degradation shifts λr and
            λx, per channel, through a dense layer that starts at zero.
        seed: Integer; seeds the kernels and the noise.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Call arguments:
        inputs: `(batch, height, width, features)`; sides may be `None`.
        code: `(batch, width of the code)`, if `conditioned`.
        training: Whether the noise is drawn.

    Output shape: That of `inputs`.

    Reference: Tao et al. 2021, eq. 3. The conditioning is not the paper's.
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
        self.dense_block = DenseBlock(
            growth, seed=seed, dtype=self.dtype_policy, name="dense_block"
        )
        self.noise = AdaptiveNoise(
            noise_weight,
            per_channel,
            seed=seed,
            dtype=self.dtype_policy,
            name="noise",
        )

    def build(self, inputs_shape, code_shape=None):
        features = inputs_shape[-1]
        shape = (features,) if self.per_channel else ()
        self.residual_weight = self.add_weight(
            name="residual_weight",
            shape=shape,
            initializer=keras.initializers.Constant(0.2),
        )
        self.identity_weight = self.add_weight(
            name="identity_weight", shape=shape, initializer="ones"
        )
        self.dense_block.build(inputs_shape)
        self.noise.build(inputs_shape)
        if self.conditioned:
            self.shifts = keras.layers.Dense(
                2 * features,
                kernel_initializer="zeros",
                dtype=self.dtype_policy,
                name="shifts",
            )
            self.shifts.build(code_shape)

    def call(self, inputs, code=None, training=False):
        residual_weight, identity_weight = self._weights(code)
        weighted = (
            residual_weight * self.dense_block(inputs)
            + identity_weight * inputs
        )
        return self.noise(weighted, training=training)

    def _weights(self, code):
        weights = (self.residual_weight, self.identity_weight)
        if not self.conditioned:
            return weights
        shifts = ops.split(self.shifts(code)[:, None, None, :], 2, axis=-1)
        return [w + shift for w, shift in zip(weights, shifts, strict=True)]

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
