"""A folded network in TensorFlow operations that every engine knows.

Convolution, bias and LeakyReLU are TensorFlow's own operations, which its
graph optimizer fuses; in training they could not be (`layers.dense_block`).
"""

import tensorflow as tf

from marsgan_tf.layers.dense_block import LEAKY_SLOPE

_SCALE = 4


def restore(network, lr, degradation=None, *, dtype="float32", noise=None):
    """Super-resolves images.

    Args:
        network: A `Network` of float32 variables or constants.
        lr: `(batch, height, width, 1)` float32, stretched to [0, 1].
        degradation: `(batch, 2)` float32, blur and noise as
            `layers.DegradationCode` takes them; None unless conditioned.
        dtype: Of the trunk, "float32" or "bfloat16". What touches the image
            itself is float32: bfloat16 would round it to eight bits.
        noise: Function of an index of a dense block that returns what
            broadcasts over its output; None for no noise.

    Returns:
        `(batch, 4 * height, 4 * width, 1)` float32.
    """
    code = _code(network.code, degradation, dtype)
    first = _convolve(lr, network.first)
    x = tf.cast(first, dtype)
    index = 0
    for block in network.blocks:
        entry = x
        for dense_block in block.dense_blocks:
            drawn = noise(index) if noise is not None else None
            x = _dense_block(x, dense_block, code, drawn)
            index += 1
        x += _scaled(entry, block.identity)
    if network.trunk is not None:
        x = tf.cast(first, dtype) + _convolve(x, network.trunk)
    return _RECONSTRUCT[network.name](x, network.reconstruction)


def _dense_block(x, weights, code, drawn):
    *growing, last = weights.convolutions
    maps = x
    for convolution in growing:
        new = _leaky(_convolve(maps, convolution))
        maps = tf.concat([maps, new], axis=-1)
    y = _convolve(maps, last)
    if weights.modulation is None:
        y += _scaled(x, weights.identity)
    else:
        pair = _project(code, weights.modulation)[:, None, None, :]
        residual, identity = tf.split(pair, 2, axis=-1)
        y = residual * y + identity * x
    if drawn is not None:
        y += tf.cast(weights.noise * drawn, y.dtype)
    return y


def _reconstruct_marsgan(x, convolutions):
    (convolution,) = convolutions
    subpixels = _convolve(tf.cast(x, tf.float32), convolution)
    return tf.nn.depth_to_space(subpixels, _SCALE)


def _reconstruct_esrgan(x, convolutions):
    *enlarging, hr_conv, last = convolutions
    for convolution in enlarging:
        # Nearest x2: four copies, shuffled.
        x = tf.nn.depth_to_space(tf.concat([x] * 4, axis=-1), 2)
        x = _leaky(_convolve(x, convolution))
    x = _leaky(_convolve(x, hr_conv))
    return _convolve(tf.cast(x, tf.float32), last)


_RECONSTRUCT = {
    "marsgan": _reconstruct_marsgan,
    "esrgan": _reconstruct_esrgan,
}


def _code(layers, degradation, dtype):
    code = degradation
    for layer in layers:
        code = _leaky(_project(code, layer))
    return None if code is None else tf.cast(code, dtype)


def _project(code, dense):
    kernel, bias = (tf.cast(w, code.dtype) for w in (dense.kernel, dense.bias))
    return tf.linalg.matmul(code, kernel) + bias


def _convolve(x, convolution):
    kernel = tf.cast(convolution.kernel, x.dtype)
    bias = tf.cast(convolution.bias, x.dtype)
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def _leaky(x):
    return tf.nn.leaky_relu(x, LEAKY_SLOPE)


def _scaled(x, weight):
    return x * tf.cast(weight, x.dtype)
