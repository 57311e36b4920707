"""Generators: low-resolution image in, image with `scale` times the sides out.

Images are `(batch, height, width, 1)`, stretched to [0, 1] but not clipped;
sides are free. Trunks compute in the current dtype policy, the first and the
last convolution in float32: bfloat16 would round the image to eight bits.
"""

from collections.abc import Mapping
from typing import Any

import keras

from marsgan_tf.layers.awmsr import AWMSR
from marsgan_tf.layers.awrrdb import AWRRDB
from marsgan_tf.layers.degradation_code import DegradationCode
from marsgan_tf.layers.dense_block import leaky_relu
from marsgan_tf.layers.rrdb import RRDB

_SEEDS_PER_BLOCK = 32  # Room between the seeds of two blocks.


def marsgan(
    *,
    blocks: int = 23,
    features: int = 64,
    growth: int = 32,
    reconstruction_channels: int = 16,
    noise_weight: float = 0.0,
    per_channel: bool = False,
    trunk_skip: bool = False,
    conditioned: bool = False,
    scale: int = 4,
    seed: int = 0,
) -> keras.Model:
    """Builds the MARSGAN generator.

    Args:
        blocks: Number of AWRRDB.
        features: Maps of the trunk.
        growth: Maps that each convolution of a dense block adds.
        reconstruction_channels: Maps at high resolution, mixed by the last
            convolution; 1 is AWSRN's own form.
        noise_weight: Start value of every λn.
        per_channel: One λ for each channel, as ported ESRGAN weights need.
        trunk_skip: Whether a convolution and a skip close the trunk, as in
            ESRGAN; off in the paper's Figure 3.
        conditioned: Whether a second input tells the blur and the noise.
        scale: Upsampling factor.
        seed: Integer; seeds kernels and noise.

    Returns:
        A `keras.Model` with the input `lr` `(batch, h, w, 1)`, and, if
        conditioned, `degradation` `(batch, 2)` (see `DegradationCode`).

    Reference: Tao et al. 2021, eq. 1-5 and Figure 3
    """
    inputs = lr = keras.Input((None, None, 1), name="lr")
    code = None
    if conditioned:
        degradation = keras.Input((2,), name="degradation")
        inputs = [lr, degradation]
        code = DegradationCode(seed=seed, name="degradation_code")(degradation)
    first = _convolution(features, seed + 1, "f_ext", dtype="float32")(lr)
    x = first
    for index in range(blocks):
        block = AWRRDB(
            growth,
            noise_weight,
            per_channel,
            conditioned,
            seed=seed + (index + 1) * _SEEDS_PER_BLOCK,
            name=f"awrrdb_{index}",
        )
        x = block(x, code=code) if conditioned else block(x)
    if trunk_skip:
        x = first + _convolution(features, seed + 2, "trunk")(x)
    x = AWMSR(reconstruction_channels, scale, seed=seed + 3, name="awmsr")(x)
    sr = _last_convolution(seed + 7, "f_rec")(x)
    return keras.Model(inputs, sr, name="marsgan")


def esrgan(
    *, blocks: int = 23, features: int = 64, growth: int = 32, seed: int = 0
) -> keras.Model:
    """Builds the ESRGAN generator of Experiment 1, for a scale of 4.

    Args:
        blocks: Number of RRDB.
        features: Maps of the trunk.
        growth: Maps that each convolution of a dense block adds.
        seed: Integer; seeds the kernels.

    Returns:
        A `keras.Model` with the input `lr` `(batch, h, w, 1)`.

    Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219
    """
    lr = keras.Input((None, None, 1), name="lr")
    first = _convolution(features, seed + 1, "conv_first", dtype="float32")(lr)
    x = first
    for index in range(blocks):
        x = RRDB(
            growth,
            seed=seed + (index + 1) * _SEEDS_PER_BLOCK,
            name=f"rrdb_{index}",
        )(x)
    x = first + _convolution(features, seed + 2, "trunk")(x)
    for index in range(2):
        x = keras.layers.UpSampling2D(2, name=f"nearest_{index}")(x)
        x = _convolution(features, seed + 3 + index, f"upconv_{index}")(x)
        x = keras.layers.Activation(leaky_relu, name=f"relu_{index}")(x)
    x = _convolution(features, seed + 5, "hr_conv")(x)
    x = keras.layers.Activation(leaky_relu, name="hr_relu")(x)
    sr = _last_convolution(seed + 6, "conv_last")(x)
    return keras.Model(lr, sr, name="esrgan")


def generator_inputs(generator: keras.Model, batch: Mapping[str, Any]) -> Any:
    """Picks what a generator takes from a batch of named arrays.

    Args:
        generator: A model built here, or loaded from its file.
        batch: Mapping that has `lr`, and `degradation` for a conditioned
            generator; other names are left.

    Returns:
        One array, or a list of them, to call the generator with.
    """
    arrays = [batch[tensor.name] for tensor in generator.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def same_architecture(first: keras.Model, second: keras.Model) -> bool:
    """Whether the weights of one generator fit the other."""
    shapes = [[w.shape for w in model.weights] for model in (first, second)]
    return first.name == second.name and shapes[0] == shapes[1]


def _convolution(
    filters: int, seed: int, name: str, dtype: str | None = None
) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        kernel_initializer=keras.initializers.HeNormal(seed),
        dtype=dtype,
        name=name,
    )


def _last_convolution(seed: int, name: str) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        1,
        3,
        padding="same",
        kernel_initializer=keras.initializers.LecunNormal(seed),
        dtype="float32",
        name=name,
    )
