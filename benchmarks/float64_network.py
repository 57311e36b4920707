"""A folded network in NumPy and float64, as plainly as it can be written."""

import numpy as np

from marsgan_tf.layers.dense_block import LEAKY_SLOPE


def restore(network, lr, degradation=None):
    """Super-resolves one image by MARSGAN.

    Args:
        network: A `Network` of arrays.
        lr: `(height, width)`, stretched to [0, 1].
        degradation: `(2,)`, blur and noise; None unless it is conditioned.

    Returns:
        float64 `(scale * height, scale * width)`.
    """
    code = None if degradation is None else np.float64(degradation)
    for layer in network.code:
        code = _leaky(code @ np.float64(layer.kernel) + layer.bias)
    x = _convolve(np.float64(lr)[..., np.newaxis], network.first)
    for block in network.blocks:
        entry = x
        for dense_block in block.dense_blocks:
            x = _dense_block(x, dense_block, code)
        x = x + np.float64(block.identity) * entry
    (reconstruction,) = network.reconstruction
    return _shuffle(_convolve(x, reconstruction), network.scale)


def _dense_block(x, weights, code):
    *growing, last = weights.convolutions
    maps = x
    for convolution in growing:
        new = _leaky(_convolve(maps, convolution))
        maps = np.concatenate([maps, new], axis=-1)
    y = _convolve(maps, last)
    if weights.modulation is None:
        return y + np.float64(weights.identity) * x
    modulation = weights.modulation
    both = code @ np.float64(modulation.kernel) + modulation.bias
    residual, identity = np.split(both, 2)
    return residual * y + identity * x


def _convolve(x, convolution):
    kernel = np.float64(convolution.kernel)
    margin = kernel.shape[0] // 2
    padded = np.pad(x, ((margin, margin), (margin, margin), (0, 0)))
    total = np.zeros((*x.shape[:2], kernel.shape[-1])) + convolution.bias
    for row in range(kernel.shape[0]):
        for col in range(kernel.shape[1]):
            seen = padded[row : row + x.shape[0], col : col + x.shape[1]]
            total += seen @ kernel[row, col]
    return total


def _shuffle(x, scale):
    height, width, _ = x.shape
    blocks = x.reshape(height, width, scale, scale)
    return blocks.transpose(0, 2, 1, 3).reshape(scale * height, scale * width)


def _leaky(x):
    return np.where(x > 0, x, LEAKY_SLOPE * x)
