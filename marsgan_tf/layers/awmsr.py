"""MARSGAN's adaptive weighted multi-scale reconstruction."""

from typing import Any

import keras
from keras import ops

from marsgan_tf.layers.icnr import ICNR

KERNEL_SIZES = (3, 5, 7, 9)


@keras.saving.register_keras_serializable(package="marsgan_tf")
class AWMSR(keras.layers.Layer):
    """Four convolutions of growing size, weighted, summed, pixel-shuffled.

    The sum comes before the one shuffle: shuffling each branch would give
    the same, since a shuffle only permutes, at four times the cost.

    Args:
        channels: Maps at high resolution.
        scale: Upsampling factor.
        seed: Integer; seeds the kernels.
        **kwargs: `keras.layers.Layer` arguments (`name`, `dtype`, ...).

    Input shape: `(batch, height, width, features)`; sides may be `None`.
    Output shape: `(batch, height * scale, width * scale, channels)`.

    Reference: Tao et al. 2021, eq. 5, the sum with α; Wang et al. 2019,
    https://arxiv.org/abs/1904.02358
    """

    def __init__(
        self,
        channels: int = 16,
        scale: int = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.scale = scale
        self.seed = seed
        self.branches = [
            keras.layers.Conv2D(
                channels * scale**2,
                size,
                padding="same",
                kernel_initializer=ICNR(scale, seed=seed + index),
                dtype=self.dtype_policy,
                name=f"conv_{size}x{size}",
            )
            for index, size in enumerate(KERNEL_SIZES)
        ]

    def build(self, input_shape):
        self.branch_weights = self.add_weight(
            name="branch_weights",
            shape=(len(KERNEL_SIZES),),
            initializer=keras.initializers.Constant(1 / len(KERNEL_SIZES)),
        )
        for branch in self.branches:
            branch.build(input_shape)

    def call(self, inputs):
        total = sum(
            self.branch_weights[index] * branch(inputs)
            for index, branch in enumerate(self.branches)
        )
        return ops.depth_to_space(total, self.scale)

    def compute_output_shape(self, input_shape):
        sides = [side and side * self.scale for side in input_shape[1:3]]
        return (input_shape[0], *sides, self.channels)

    def get_config(self):
        config = {
            "channels": self.channels,
            "scale": self.scale,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}
