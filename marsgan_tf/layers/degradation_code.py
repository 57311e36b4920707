"""What a conditioned generator is told of its input's degradation."""

from typing import Any

import keras

from marsgan_tf.layers.dense_block import leaky_relu

BLUR_SIGMA_RANGE = 3.0
NOISE_SIGMA_RANGE = 0.05


@keras.saving.register_keras_serializable(package="marsgan_tf")
class DegradationCode(keras.layers.Layer):
    """Blur and noise, scaled to [0, 1], through two small dense layers.

    Args:
        width: Length of the code.
        seed: Integer; seeds the kernels.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Input shape: `(batch, 2)`: the standard deviation of the blur in pixels
        of the output (0 to 3), and that of the noise in units of the
        stretched image (0 to 0.05).
    Output shape: `(batch, width)`.

    This layer is not the paper's: an instrument's blur and noise are not
    known beforehand, and a network that is told them restores every image
    about as well as one trained for it alone.
    """

    def __init__(self, width: int = 64, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.seed = seed
        self.dense_layers = [
            keras.layers.Dense(
                width,
                kernel_initializer=keras.initializers.HeNormal(seed + index),
                dtype=self.dtype_policy,
                name=f"dense_{index}",
            )
            for index in range(2)
        ]

    def build(self, input_shape):
        first, second = self.dense_layers
        first.build(input_shape)
        second.build((*input_shape[:-1], self.width))

    def call(self, inputs):
        ranges = keras.ops.cast(
            [BLUR_SIGMA_RANGE, NOISE_SIGMA_RANGE], inputs.dtype
        )
        code = inputs / ranges
        for dense in self.dense_layers:
            code = leaky_relu(dense(code))
        return code

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)

    def get_config(self):
        config = {"width": self.width, "seed": self.seed}
        return {**super().get_config(), **config}
