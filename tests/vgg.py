"""VGG19 weight files with random values, in Keras' HDF5 layout."""

import h5py
import numpy as np

WIDTHS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
DEPTHS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}


def write_weights(path, *, blocks=3, seed=0):
    """Writes the convolutions of the first blocks; returns them by name."""
    generator = np.random.default_rng(seed)
    weights = {}
    channels = 3
    with h5py.File(path, "w") as file:
        for block in range(1, blocks + 1):
            for index in range(1, DEPTHS[block] + 1):
                name = f"block{block}_conv{index}"
                width = WIDTHS[block]
                kernel = generator.normal(
                    0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, width)
                ).astype(np.float32)
                bias = generator.normal(0, 0.1, width).astype(np.float32)
                file[f"{name}/{name}_W_1:0"] = kernel
                file[f"{name}/{name}_b_1:0"] = bias
                weights[name] = (kernel, bias)
                channels = width
    return weights
