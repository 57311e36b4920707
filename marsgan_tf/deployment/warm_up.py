"""Warm-up requests: TensorFlow Serving runs them before it takes others.

The records are `tensorflow.serving.PredictionLog` messages. Their package
wants a TensorFlow of its own, so the few fields that matter are written by
hand, by the published message definitions. The model is not named: TensorFlow
Serving runs them on the model beside them, whatever its name.

Reference: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

import os

import numpy as np
import tensorflow as tf

_FILE_NAME = "tf_serving_warmup_requests"


def write(folder, sides):
    """Writes one request for each side of a square image.

    Args:
        folder: `assets.extra` of a SavedModel; it is made.
        sides: In low-resolution px.

    Raises:
        tf.errors.OpError: If the file cannot be written.
    """
    os.makedirs(folder)
    path = os.path.join(folder, _FILE_NAME)
    with tf.io.TFRecordWriter(path) as writer:
        for side in sides:
            writer.write(_prediction_log(side))


def _prediction_log(side):
    image = np.full((1, side, side, 1), 0.5, np.float32)
    tensor = tf.make_tensor_proto(image).SerializeToString()
    model_spec = _field(3, b"serving_default")  # signature_name
    entry = _field(1, b"lr") + _field(2, tensor)  # key, value
    request = _field(1, model_spec) + _field(2, entry)  # model_spec, inputs
    predict_log = _field(1, request)  # request
    return _field(6, predict_log)  # predict_log


def _field(number, content):
    """A length-delimited field of the protocol buffers' wire format."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])
