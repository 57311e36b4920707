"""The dense block that ESRGAN and MARSGAN share."""

from typing import Any

import keras
from keras import ops

LEAKY_SLOPE = 0.2
_CONVOLUTIONS = 5


def scaled_he_normal(
    scale: float, seed: int | None = None
) -> keras.initializers.Initializer:
    """He-normal kernels times `scale`: ESRGAN starts its blocks at 0.1.

    Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219, section 3.1
    """
    return keras.initializers.VarianceScaling(
        2.0 * scale**2, mode="fan_in", distribution="normal", seed=seed
    )


@keras.saving.register_keras_serializable(package="marsgan_tf")
def leaky_relu(x: Any) -> Any:
    """LeakyReLU of slope 0.2; its gradient reads the output alone.

    TensorFlow's own gradient reads the input, which its graph optimizer
    removes when it fuses convolution, bias and activation: it then fails, and
    logs an error.
    """
    return _leaky_relu(x)


@ops.custom_gradient
def _leaky_relu(x):
    y = ops.leaky_relu(x, LEAKY_SLOPE)

    def gradient(*upstreams, upstream=None):
        # TensorFlow and JAX pass it by position, PyTorch by name.
        (upstream,) = upstreams if upstream is None else (upstream,)
        return ops.where(y > 0, upstream, LEAKY_SLOPE * upstream)

    return y, gradient


@keras.saving.register_keras_serializable(package="marsgan_tf")
class DenseBlock(keras.layers.Layer):
    """Five 3x3 convolutions, each over all maps that came before.

    The first four give `growth` maps and pass a LeakyReLU; the fifth gives
    as many maps as the input has and passes none. This is f_DB of the paper's
    eq. 3, without any residual.

    Args:
        growth: Maps that each of the first four convolutions adds.
        seed: Integer; seeds the kernels.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Input shape: `(batch, height, width, features)`; sides may be `None`.
    Output shape: The same.

    Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219
    """

    def __init__(self, growth: int = 32, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.growth = growth
        self.seed = seed
        self.convolutions = []

    def build(self, input_shape):
        features = input_shape[-1]
        for index in range(_CONVOLUTIONS):
            is_last = index == _CONVOLUTIONS - 1
            convolution = keras.layers.Conv2D(
                features if is_last else self.growth,
                3,
                padding="same",
                kernel_initializer=scaled_he_normal(0.1, self.seed + index),
                dtype=self.dtype_policy,
                name=f"conv_{index}",
            )
            channels = features + index * self.growth
            convolution.build((*input_shape[:-1], channels))
            self.convolutions.append(convolution)

    def call(self, inputs):
        maps = inputs
        for convolution in self.convolutions[:-1]:
            new = leaky_relu(convolution(maps))
            maps = ops.concatenate([maps, new], axis=-1)
        return self.convolutions[-1](maps)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"growth": self.growth, "seed": self.seed}
        return {**super().get_config(), **config}
