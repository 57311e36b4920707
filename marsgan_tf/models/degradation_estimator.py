"""The network that reads blur and noise from a patch, to train it.

`imaging.degradation_estimator` runs it, in NumPy, and says what it tells.
"""

import keras

# Filters and strides of the 3x3 convolutions.
_LAYERS = ((24, 1), (24, 1), (32, 2), (32, 1), (48, 2))
_UNITS = 64
STRIDES = tuple(stride for _, stride in _LAYERS)


def degradation_estimator(*, patch_px: int, seed: int = 0) -> keras.Model:
    """Builds the network.

    Args:
        patch_px: Sides of the patches.
        seed: Integer; seeds the kernels.

    Returns:
        A `keras.Model` from `patch` `(batch, patch_px, patch_px, 1)`, of mean
        0 and deviation 1, and `log_std` `(batch, 1)`, to `(batch, 4)`: blur,
        logarithm of the noise, and the logarithms of their variances.
    """
    patch = keras.Input((patch_px, patch_px, 1), name="patch")
    log_std = keras.Input((1,), name="log_std")
    maps = patch
    for index, (filters, stride) in enumerate(_LAYERS):
        maps = keras.layers.Conv2D(
            filters,
            3,
            stride,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed + index),
            name=f"conv_{index}",
        )(maps)
    pooled = keras.layers.Concatenate()(
        [
            keras.layers.GlobalAveragePooling2D()(maps),
            keras.layers.GlobalMaxPooling2D()(maps),
            log_std,
        ]
    )
    hidden = keras.layers.Dense(
        _UNITS,
        activation="relu",
        kernel_initializer=keras.initializers.HeNormal(seed + len(_LAYERS)),
        name="dense_0",
    )(pooled)
    answer = keras.layers.Dense(
        4,
        kernel_initializer=keras.initializers.HeNormal(seed + len(_LAYERS) + 1),
        name="dense_1",
    )(hidden)
    return keras.Model([patch, log_std], answer, name="degradation_estimator")
