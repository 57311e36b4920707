"""A folded generator as a TensorFlow SavedModel.

Signatures, all to `sr`; images are float32 `(batch, height, width, 1)` in
[0, 1] to `scale` times the sides:

- `serving_default`: `lr`; the precision and the degradation chosen at export.
- `float32`, `bfloat16`: `lr`, and `degradation` `(batch, 2)` float32 if
  conditioned; by the precision of the dense blocks.
- `restore`, if conditioned: the one of the precision chosen at export.
- `sample`, if any noise weight is other than 0: a draw of the noise ensemble,
  in float32, from `lr`, `degradation` if conditioned, `origin` `(2,)` int32,
  the place of the first pixel in its scene, and `seed`, int32. All images of
  a batch get the same draw.
"""

import os

import tensorflow as tf

from marsgan_tf.config import PRECISIONS
from marsgan_tf.deployment import forward, warm_up
from marsgan_tf.deployment.network import leaves, replaced
from marsgan_tf.deployment.position_noise import position_noise

_WARM_UP_SIDES = (64, 256)  # px; the second is about a tile's.

_LR = tf.TensorSpec((None, None, None, 1), tf.float32, name="lr")
_DEGRADATION = tf.TensorSpec((None, 2), tf.float32, name="degradation")
_ORIGIN = tf.TensorSpec((2,), tf.int32, name="origin")
_SEED = tf.TensorSpec((), tf.int32, name="seed")

# The networks are written out by plain loops, which need no rewriting.
_compiled = tf.function(autograph=False)


class Restorer(tf.Module):
    """A folded network whose weights are variables.

    Args:
        network: A `Network` of arrays.
        degradation: `(blur_sigma, noise_sigma)` that `serving_default`
            assumes, if the network is conditioned.
    """

    def __init__(self, network, degradation):
        super().__init__()
        self._network = replaced(
            network, lambda array: tf.Variable(array, trainable=False)
        )
        self._degradation = degradation
        self.weights = list(leaves(self._network))  # What TensorFlow saves.

    def signatures(self, precision):
        """Concrete functions by name; `precision` is `serving_default`'s."""
        told = [_DEGRADATION] if self._network.is_conditioned else []
        found = {
            name: self._restoring(name).get_concrete_function(_LR, *told)
            for name in PRECISIONS
        }
        if told:
            found["restore"] = found[precision]
        found["serving_default"] = self._serving(found[precision])
        if self._network.has_noise:
            found["sample"] = self._sampling(*told)
        return found

    def _restoring(self, dtype):
        @_compiled
        def restore(lr, degradation=None):
            sr = forward.restore(self._network, lr, degradation, dtype=dtype)
            return {"sr": sr}

        return restore

    def _serving(self, restore):
        @_compiled
        def serve(lr):
            if not self._network.is_conditioned:
                return restore(lr=lr)
            assumed = tf.constant([self._degradation], tf.float32)
            # Once for each image: a plain constant would be folded away, and
            # OpenVINO could not tell the network another degradation.
            told = tf.repeat(assumed, tf.shape(lr)[0], axis=0)
            return restore(lr=lr, degradation=told)

        return serve.get_concrete_function(_LR)

    def _sampling(self, *told):
        features = self._network.first.bias.shape[0]

        @_compiled
        def sample(lr, origin, seed, degradation=None):
            height, width = tf.shape(lr)[1], tf.shape(lr)[2]

            def draw(layer):
                return position_noise(
                    origin, height, width, features, layer=layer, seed=seed
                )

            sr = forward.restore(self._network, lr, degradation, noise=draw)
            return {"sr": sr}

        return sample.get_concrete_function(_LR, _ORIGIN, _SEED, *told)


def write(folder, network, *, degradation, precision):
    """Writes a SavedModel with its warm-up requests.

    Args:
        folder: To be made.
        network: A `Network` of arrays.
        degradation: `(blur_sigma, noise_sigma)` of `serving_default`.
        precision: Its, "float32" or "bfloat16".

    Raises:
        tf.errors.OpError: If it cannot be written.
    """
    restorer = Restorer(network, degradation)
    tf.saved_model.save(
        restorer, folder, signatures=restorer.signatures(precision)
    )
    warm_up.write(os.path.join(folder, "assets.extra"), _WARM_UP_SIDES)
