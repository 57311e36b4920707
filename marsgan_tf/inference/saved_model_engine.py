"""Prediction by TensorFlow in this process, on its GPU where it has one."""

import numpy as np
import tensorflow as tf

from marsgan_tf import errors
from marsgan_tf.inference.conditioned import Conditioned
from marsgan_tf.plain_paths import PlainFolder


class SavedModelEngine(Conditioned):
    """An exported model, run by TensorFlow.

    Attributes:
        name: "saved_model".
        precision: Of the dense blocks, "float32" or "bfloat16".
        concurrency: Calls that may run at once: one, on all threads.

    Args:
        folder: Of a model's version.
        description: Its `Description`.
        blended: A `Blend`, what is mixed into the model, if anything.
        precision: Of the dense blocks.
        degradation: What a conditioned model is told.
        threads: Processor threads to use; 0 for all.

    Raises:
        ModelError: If TensorFlow cannot load the model.
    """

    name = "saved_model"
    concurrency = 1

    def __init__(
        self,
        folder,
        description,
        *,
        blended=None,
        precision,
        degradation,
        threads,
    ):
        super().__init__(description, degradation)
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._loaded, self._restore = _load(folder, precision)
        if blended is not None:
            _mix_in(blended, self._restore, precision)
        self._sample = self._loaded.signatures.get("sample")
        self.precision = precision

    def restore(self, lr):
        """Super-resolves `(batch, h, w, 1)` float32."""
        return self._run(self._restore, lr)

    def sample(self, lr, *, row, col, seed):
        """One draw of the noise ensemble, a function of place and seed.

        Args:
            lr: `(batch, h, w, 1)` float32.
            row: Of the first pixel in its scene, which may be negative.
            col: Likewise.
            seed: Integer of 31 bits.
        """
        if self._sample is None:  # All noise weights are zero.
            return self.restore(lr)
        return self._run(
            self._sample,
            lr,
            origin=tf.constant([row, col], tf.int32),
            seed=tf.constant(seed, tf.int32),
        )

    def _run(self, function, lr, **inputs):
        try:
            told = {n: tf.constant(a) for n, a in self.told_inputs.items()}
            answer = function(lr=tf.constant(lr, tf.float32), **inputs, **told)
            return np.asarray(answer["sr"])
        except tf.errors.ResourceExhaustedError:
            raise errors.OutOfMemoryError(
                "the memory does not suffice: set a smaller --tile"
            ) from None


def _load(folder, precision):
    """A model and its signature of a precision."""
    plain = PlainFolder(folder)
    try:
        loaded = tf.saved_model.load(plain.path)
        return loaded, loaded.signatures[precision]
    except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
        raise errors.ModelError(
            f"{folder}: TensorFlow cannot load it "
            f"({' '.join(str(error).split())[:200]}); export it again"
        ) from None


def _mix_in(blended, signature, precision):
    """Changes the variables of a model, which its signatures share."""
    _, other = _load(blended.folder, precision)
    for mine, others in zip(signature.variables, other.variables, strict=True):
        mine.assign(blended.mix(mine.numpy(), others.numpy()))


def supports_bfloat16():
    """Whether a GPU here computes in bfloat16; None without a GPU."""
    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(d) for d in devices]
    capabilities = [d.get("compute_capability", (0, 0)) for d in details]
    return min(capabilities) >= (8, 0) if capabilities else None
