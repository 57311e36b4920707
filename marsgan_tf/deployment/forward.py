"""A folded network in TensorFlow operations that every engine knows.

Convolution, bias and LeakyReLU are TensorFlow's own operations, which its
graph optimizer fuses; in training they could not be (`layers.dense_block`).
"""

import tensorflow as tf

from marsgan_tf.layers.dense_block import LEAKY_SLOPE


def restore(network, lr, degradation=None, *, dtype="float32", noise=None):
    """Super-resolves images.

    Args:
        network: A `Network` of float32 variables or constants.
        lr: `(batch, height, width, 1)` float32, stretched to [0, 1].
        degradation: `(batch, 2)`, or `(1, 2)` for all, float32, blur and noise
            as `layers.DegradationCode` takes them; None unless conditioned.
        dtype: Of the dense blocks, "float32" or "bfloat16". What carries the
            image from end to end stays float32 and costs little: rounded to
            bfloat16's eight bits a hundred times, it would lose 16-bit
            radiometry.
        noise: Function of an index of a dense block that returns what
            broadcasts over its output; None for no noise.

    Returns:
        `(batch, scale * height, scale * width, 1)` float32.
    """
    code = _code(network.code, degradation)
    x = first = _convolve(lr, network.first)
    index = 0
    for block in network.blocks:
        entry = x
        for dense_block in block.dense_blocks:
            drawn = noise(index) if noise is not None else None
            x = _dense_block(x, dense_block, code, drawn, dtype)
            index += 1
        x += block.identity * entry
    if network.trunk is not None:
        x = first + _convolve(x, network.trunk)
    return _RECONSTRUCT[network.name](x, network)


def _dense_block(x, weights, code, drawn, dtype):
    *growing, last = weights.convolutions
    maps = tf.cast(x, dtype)
    for convolution in growing:
        new = _leaky(_convolve(maps, convolution))
        maps = tf.concat([maps, new], axis=-1)
    y = tf.cast(_convolve(maps, last), tf.float32)
    if weights.modulation is None:
        y += weights.identity * x
    else:
        pair = _project(code, weights.modulation)[:, None, None, :]
        residual, identity = tf.split(pair, 2, axis=-1)
        y = residual * y + identity * x
    if drawn is not None:
        y += weights.noise * drawn
    return y


def _reconstruct_marsgan(x, network):
    (convolution,) = network.reconstruction
    return tf.nn.depth_to_space(_convolve(x, convolution), network.scale)


def _reconstruct_esrgan(x, network):
    *enlarging, hr_conv, last = network.reconstruction
    for convolution in enlarging:
        # Nearest x2: four copies, shuffled.
        x = tf.nn.depth_to_space(tf.concat([x] * 4, axis=-1), 2)
        x = _leaky(_convolve(x, convolution))
    x = _leaky(_convolve(x, hr_conv))
    return _convolve(x, last)


_RECONSTRUCT = {
    "marsgan": _reconstruct_marsgan,
    "esrgan": _reconstruct_esrgan,
}


def _code(layers, degradation):
    code = degradation
    for layer in layers:
        code = _leaky(_project(code, layer))
    return code


def _project(code, dense):
    return tf.linalg.matmul(code, dense.kernel) + dense.bias


def _convolve(x, convolution):
    kernel = tf.cast(convolution.kernel, x.dtype)
    bias = tf.cast(convolution.bias, x.dtype)
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def _leaky(x):
    return tf.nn.leaky_relu(x, LEAKY_SLOPE)
