"""Unit Gaussian noise that belongs to a place of the scene.

But for rounding, a draw depends on row, column, channel, layer and seed alone:
an ensemble is the same whatever the tiles, threads or order of work, and tiles
join without a seam.
"""

import math

import tensorflow as tf


def position_noise(origin, height, width, features, *, layer, seed):
    """Draws noise for a window of the scene.

    Args:
        origin: `(2,)` int32, row and column of the window's first pixel; it
            may lie outside the scene.
        height: Rows, an integer or a scalar tensor.
        width: Columns.
        features: Channels, a Python integer.
        layer: Python integer; layers draw independently.
        seed: int32 scalar tensor; seeds draw independently.

    Returns:
        `(1, height, width, features)` float32.

    Reference: Box and Muller 1958, https://doi.org/10.1214/aoms/1177706645;
    the mixer is MurmurHash3's finaliser (A. Appleby, public domain).
    """
    rows = _spread(origin[0] + tf.range(height))
    cols = _spread(origin[1] + tf.range(width))
    channels = _spread(tf.range((features + 1) // 2))
    stream = _mix(_mix(_spread(seed)) + _spread(layer))
    place = _mix(_mix(rows)[:, None] + cols[None, :])
    words = _mix(place[..., None] + _mix(stream + channels))
    high = tf.bitwise.right_shift(words, _bits(16))
    low = tf.bitwise.bitwise_and(words, _bits(0xFFFF))
    radius = tf.sqrt(-2.0 * tf.math.log(_fraction(high, 0.5)))
    angle = 2.0 * math.pi * _fraction(low, 0.0)
    normals = tf.concat(
        [radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1
    )
    return normals[None, ..., :features]


def _bits(value):
    return tf.constant(value, tf.uint32)


def _spread(numbers):
    """Consecutive numbers to words all over the range (golden ratio)."""
    return tf.cast(numbers, tf.uint32) * _bits(0x9E3779B9)


def _mix(words):
    """Lets every bit of a 32-bit word change every other."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        shifted = tf.bitwise.right_shift(words, _bits(shift))
        words = tf.bitwise.bitwise_xor(words, shifted) * _bits(factor)
    return words


def _fraction(halves, offset):
    """16-bit words to `[0, 1)`, or with an offset of 0.5 to `(0, 1)`."""
    return (tf.cast(halves, tf.float32) + offset) / 65536.0
