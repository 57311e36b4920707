"""Takes a constant pattern of sub-pixels out of a MARSGAN generator.

Perceptual and adversarial losses leave a pattern that repeats with each pixel
of the input, nearly the same on all ground: a checkerboard in smooth dust. The
biases before the pixel shuffle can cancel it exactly.
"""

import itertools

import keras
import numpy as np


def subpixel_pattern(images: np.ndarray, scale: int = 4) -> np.ndarray:
    """How sub-pixels differ from their pixel's mean, on most ground.

    The median over all pixels: smooth ground, where the pattern shows, counts,
    and the ground's own slopes and edges cancel.

    Args:
        images: `(batch, height, width, 1)`, sides multiples of `scale`.
        scale: Sub-pixels along a pixel of the input.

    Returns:
        float64 `(scale, scale)`, with mean 0.
    """
    batch, height, width = images.shape[:3]
    cells = np.reshape(
        np.asarray(images, np.float64),
        (batch, height // scale, scale, width // scale, scale),
    )
    cells = cells - cells.mean(axis=(2, 4), keepdims=True)
    pattern = np.median(cells, axis=(0, 1, 3))
    return pattern - pattern.mean()


def shift_subpixels(generator: keras.Model, offsets: np.ndarray) -> None:
    """Adds an offset to each sub-pixel of all answers, by biases alone.

    Of all changes of the biases that do it, the smallest is made.

    Args:
        generator: From `generators.marsgan`; it is changed.
        offsets: `(scale, scale)`.
    """
    awmsr = generator.get_layer("awmsr")
    branch = awmsr.branches[0]
    kernel, _ = generator.get_layer("f_rec").get_weights()
    share = float(awmsr.branch_weights[0])
    response = share * _response(kernel[..., 0], awmsr.scale)
    change, *_ = np.linalg.lstsq(response, np.ravel(offsets))
    branch.bias.assign(np.asarray(branch.bias) + change)


def _response(kernel: np.ndarray, scale: int) -> np.ndarray:
    """What a unit of each bias adds to each sub-pixel.

    Args:
        kernel: Of the convolution after the shuffle, `(k, k, channels)`.
        scale: Of the shuffle.

    Returns:
        `(scale**2, scale**2 * channels)`; biases as the shuffle orders them.
    """
    reach, channels = kernel.shape[0] // 2, kernel.shape[2]
    response = np.zeros((scale, scale, scale, scale, channels))
    steps = range(-reach, reach + 1)
    for row, col in itertools.product(range(scale), repeat=2):
        for down, right in itertools.product(steps, repeat=2):
            seen = ((row + down) % scale, (col + right) % scale)
            response[row, col][seen] += kernel[down + reach, right + reach]
    return response.reshape(scale**2, -1)
