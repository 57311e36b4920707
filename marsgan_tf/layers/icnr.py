"""Initialisation of convolutions before a pixel shuffle."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="marsgan_tf")
class ICNR(keras.initializers.Initializer):
    """Kernels that give all sub-pixels of a shuffle the same start value.

    The shuffled image then starts as a nearest-neighbour enlargement, free
    of checkerboard.

    Args:
        scale: Upsampling factor of the shuffle; the output channels of the
            kernel must be a multiple of `scale**2`.
        seed: Integer; seeds the He-normal kernel of one sub-pixel.

    Reference: Aitken et al. 2017, https://arxiv.org/abs/1707.02937
    """

    def __init__(self, scale: int, seed: int = 0) -> None:
        self.scale = scale
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Returns a kernel `(height, width, in, channels * scale**2)`.

        Raises:
            ValueError: If the output channels are no multiple of `scale**2`.
        """
        subpixels = self.scale**2
        if shape[-1] % subpixels:
            raise ValueError(
                f"`shape[-1]` must be a multiple of {subpixels}. "
                f"Received: shape={shape}"
            )
        one = keras.initializers.HeNormal(seed=self.seed)(
            (*shape[:-1], shape[-1] // subpixels), dtype=dtype
        )
        # Depth to space reads channels as (sub-pixel, channel).
        return ops.tile(one, (1, 1, 1, subpixels))

    def get_config(self) -> dict[str, int]:
        """Returns the constructor's arguments."""
        return {"scale": self.scale, "seed": self.seed}
