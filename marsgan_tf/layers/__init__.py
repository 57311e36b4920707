"""Keras layers of MARSGAN and ESRGAN, on `keras.ops` alone.

Importing the package registers them all, so that `keras.models.load_model`
finds what a generator file holds.
"""

from marsgan_tf.layers.adaptive_dense_block import AdaptiveDenseBlock
from marsgan_tf.layers.adaptive_noise import AdaptiveNoise
from marsgan_tf.layers.awmsr import AWMSR
from marsgan_tf.layers.awrrdb import AWRRDB
from marsgan_tf.layers.degradation_code import DegradationCode
from marsgan_tf.layers.dense_block import DenseBlock
from marsgan_tf.layers.icnr import ICNR
from marsgan_tf.layers.rrdb import RRDB

__all__ = [
    "AWMSR",
    "AWRRDB",
    "ICNR",
    "RRDB",
    "AdaptiveDenseBlock",
    "AdaptiveNoise",
    "DegradationCode",
    "DenseBlock",
]
