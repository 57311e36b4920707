import numpy as np
import tensorflow as tf

from marsgan_tf.training import gradients


def test_parts_average_to_the_whole():
    weight = tf.Variable([1.5, -2.0])
    batch = {"x": tf.constant(np.random.default_rng(0).normal(size=(12, 2)))}

    def function(part):
        with tf.GradientTape() as tape:
            x = tf.cast(part["x"], tf.float32)
            loss = tf.reduce_mean(tf.square(x @ weight[:, None] - 1.0))
        return {"loss": loss}, [tape.gradient(loss, weight)]

    whole = tf.nest.flatten(function(batch))
    for parts in (1, 2, 3, 12):
        averaged = tf.function(gradients.accumulate)(function, batch, parts)
        for one, other in zip(tf.nest.flatten(averaged), whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)
