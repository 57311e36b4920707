"""The processes that train together, and what they agree on."""

import contextlib
import json
import os

import tensorflow as tf
from absl import logging

from marsgan_tf import errors, signals
from marsgan_tf.training import cluster
from marsgan_tf.training.tensorflow_errors import reason

# TensorFlow's words, of any error class, once a collective has been given up.
_ABORTED = "Collective ops is aborted"
# For `require_same`, behind a path.
NOT_SHARED = ": --workdir must lie on a file system that they share"


class Workers:
    """One process of a run, or of the several that take every step together.

    All of them call the same methods in the same order; each call waits for
    the others.

    Args:
        strategy: The `tf.distribute.Strategy`.
        index: This process's place.
        count: How many there are.
    """

    def __init__(self, strategy, index=0, count=1):
        self.strategy = strategy
        self.count = count
        self.index = index
        self._sum = tf.function(
            lambda values: strategy.reduce(
                tf.distribute.ReduceOp.SUM, values, None
            )
        )

    @property
    def is_chief(self):
        """Whether this one validates, and writes the files of the run."""
        return self.index == 0

    def gather(self, value):
        """The integers that the workers pass, in their order; 32 bits."""
        if self.count == 1:
            return [int(value)]
        replicas = self.strategy.num_replicas_in_sync

        def place(context):
            replica = context.replica_id_in_sync_group
            return tf.one_hot(replica, replicas, int(value), 0, dtype=tf.int32)

        places = self.strategy.experimental_distribute_values_from_function(
            place
        )
        # Every replica of a worker has its value: one of them is enough.
        return self._sum(places).numpy()[:: replicas // self.count].tolist()

    def wait(self):
        """Returns once all workers are here."""
        self.gather(0)

    def agreed_signal(self, received):
        """The signal that any worker has received, or 0; equal on all.

        Args:
            received: The list of `signals.collected`.
        """
        return max(self.gather(received[0] if received else 0))

    def require_same(self, value, what):
        """Checks that all workers see the same.

        Args:
            value: An integer of 32 bits.
            what: Its name in the message, with what to do.

        Raises:
            SettingsError: If they differ; on all workers.
        """
        values = self.gather(value)
        if len(set(values)) > 1:
            raise errors.SettingsError(f"the workers differ in {what}")

    @contextlib.contextmanager
    def watched(self):
        """Turns what TensorFlow says of a lost worker into one line.

        Raises:
            ClusterError: If another worker ended, or cannot be reached.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self.count == 1 or not _is_lost(error):
                raise
            raise errors.ClusterError(
                f"worker {self.index} of {self.count} lost another "
                f"({reason(error)}); see what that one says, and start the "
                "same command again on all workers: it goes on from the last "
                "checkpoint"
            ) from None


def join():
    """Joins the cluster that the environment describes; waits for the others.

    To be called before TensorFlow computes anything. All but the chief keep
    silent from here on but for warnings.

    Returns:
        The `Workers`, with a `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        SettingsError: If no cluster is described.
        ClusterError: If it cannot be joined.
    """
    description = cluster.describe(os.environ)
    addresses = cluster.addresses(description)
    index = cluster.index(description)
    logging.info(
        "worker %d of %d, at %s: waiting for all of them",
        index,
        len(addresses),
        addresses[index],
    )
    os.environ[cluster.TF_CONFIG] = json.dumps(description)
    try:
        # It waits in C++, where Python hears nothing: Ctrl-C may end it, since
        # nothing is begun. TensorFlow takes SIGTERM for itself there.
        with signals.kept():
            signals.stop_listening()
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise errors.ClusterError(
            f"worker {index} of {len(addresses)} cannot join at "
            f"{addresses[index]} ({reason(error)}); check that its port is "
            "free and that all workers were started"
        ) from None
    if index:
        logging.set_verbosity(logging.WARNING)
    return Workers(strategy, index, len(addresses))


def _is_lost(error):
    lost = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )
    return isinstance(error, lost) or _ABORTED in str(error)
