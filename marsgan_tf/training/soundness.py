"""Whether a generator still gives numbers."""

import numpy as np
import tensorflow as tf

from marsgan_tf import errors
from marsgan_tf.models.generators import generator_inputs

_SIDE_PX = 16


def require_sound(stage, *, name, step):
    """Checks what a step has made, which its own loss cannot show.

    The loss of step n is that of the weights before it; what is saved are
    the weights after it.

    Args:
        stage: Has `generator` and `state`.
        name: The stage's name, for the message.
        step: The step just taken.

    Raises:
        NonFiniteLossError: If a weight, or the generator's answer to a plain
            image, is NaN or infinite.
    """
    weights = [
        variable.value
        for variables in stage.state().values()
        for variable in variables
        if variable.dtype == "float32"
    ]
    answer = stage.generator(_plain_batch(stage.generator), training=False)
    sound = [tf.reduce_all(tf.math.is_finite(x)) for x in [*weights, answer]]
    if not np.all(sound):
        raise errors.NonFiniteLossError(
            f"{name}: step {step} made weights that are not finite, or give "
            "no finite image; they were not saved, the last checkpoint is "
            "good: lower --learning_rate"
        )


def _plain_batch(generator):
    return generator_inputs(
        generator,
        {
            "lr": np.full((1, _SIDE_PX, _SIDE_PX, 1), 0.5, np.float32),
            "degradation": np.zeros((1, 2), np.float32),
        },
    )
