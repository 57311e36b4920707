"""A folded generator as an ONNX file, for other runtimes."""

import logging

import numpy as np
import tensorflow as tf

from marsgan_tf import errors
from marsgan_tf.deployment import forward

_OPSET = 18
_ADVICE = "pip install -r requirements-onnx.txt"


def write(path, network):
    """Writes a float32 network with dynamic sides.

    Inputs are `lr` and, if conditioned, `degradation`; the output is `sr`.

    Args:
        path: The file.
        network: A `Network` of arrays.

    Raises:
        SettingsError: If `tf2onnx` is not installed.
    """
    try:
        import tf2onnx
    except ImportError:
        raise errors.SettingsError(
            f"--format=onnx needs tf2onnx, which is not installed: {_ADVICE}"
        ) from None

    def restore(lr, degradation=None):
        sr = forward.restore(network, lr, degradation)
        # The one band taken away and given back: without it tf2onnx now and
        # then, by the order of its passes, gives the answer a fifth axis.
        return tf.identity(tf.squeeze(sr, -1)[..., None], "sr")

    signature = [tf.TensorSpec((None, None, None, 1), tf.float32, name="lr")]
    if network.is_conditioned:
        signature.append(
            tf.TensorSpec((None, 2), tf.float32, name="degradation")
        )
    logging.getLogger("tf2onnx").setLevel(logging.WARNING)
    tf2onnx.convert.from_function(
        tf.function(restore, autograph=False),
        input_signature=signature,
        opset=_OPSET,
        output_path=path,
    )


def run(path, lr, degradation=None):
    """Answers of an ONNX file, by ONNX Runtime: `(batch, 4h, 4w, 1)`.

    Raises:
        SettingsError: If `onnxruntime` is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise errors.SettingsError(
            "--format=onnx checks the file by onnxruntime, which is not "
            f"installed: {_ADVICE}"
        ) from None
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    inputs = {"lr": lr}
    if degradation is not None:
        inputs["degradation"] = np.asarray(degradation, np.float32)
    return session.run(None, inputs)[0]
