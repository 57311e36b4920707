"""The discriminator of SRGAN, which ESRGAN and MARSGAN keep."""

import keras

from marsgan_tf.layers.dense_block import LEAKY_SLOPE

_BATCH_NORM_MOMENTUM = 0.9
_HALVINGS = 4


def discriminator(
    size: int,
    *,
    filters: int = 64,
    units: int = 1024,
    synchronized: bool = False,
    seed: int = 0,
) -> keras.Model:
    """Builds the discriminator.

    Eight 3x3 convolutions of 1, 1, 2, 2, 4, 4, 8 and 8 times `filters`, every
    second one with stride 2, all but the first batch-normalised, LeakyReLU;
    then two dense layers. The sigmoid is in the loss.

    Args:
        size: Sides of the images in pixels, a multiple of 16.
        filters: Maps of the first convolution.
        units: Width of the hidden dense layer.
        synchronized: Whether batch statistics span all replicas.
        seed: Integer; seeds the kernels.

    Returns:
        A `keras.Model` from `(batch, size, size, 1)` in [0, 1] to logits
        `(batch, 1)`, float32.

    Raises:
        ValueError: If `size` is no multiple of 16.

    Reference: Ledig et al. 2017, https://arxiv.org/abs/1609.04802, Figure 4;
    Tao et al. 2021, section 2.1
    """
    if size <= 0 or size % 2**_HALVINGS:
        raise ValueError(
            f"`size` must be a multiple of {2**_HALVINGS}. "
            f"Received: size={size}"
        )
    x = image = keras.Input((size, size, 1), name="image")
    for index in range(2 * _HALVINGS):
        x = keras.layers.Conv2D(
            filters * 2 ** (index // 2),
            3,
            strides=1 + index % 2,
            padding="same",
            use_bias=index == 0,  # Batch normalisation brings its own.
            kernel_initializer=keras.initializers.HeNormal(seed + index),
            # As in the generators: bfloat16 would round the image.
            dtype=None if index else "float32",
            name=f"conv_{index}",
        )(x)
        if index:
            x = keras.layers.BatchNormalization(
                momentum=_BATCH_NORM_MOMENTUM,
                synchronized=synchronized,
                name=f"norm_{index}",
            )(x)
        x = keras.layers.LeakyReLU(LEAKY_SLOPE)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.HeNormal(seed + 8),
        name="dense",
    )(x)
    x = keras.layers.LeakyReLU(LEAKY_SLOPE)(x)
    logits = keras.layers.Dense(
        1,
        kernel_initializer=keras.initializers.LecunNormal(seed + 9),
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(image, logits, name="discriminator")
