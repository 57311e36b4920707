"""Step-exact checkpoints of everything that a training step changes."""

import glob
import os
import shutil

import tensorflow as tf
from absl import logging

from marsgan_tf import errors
from marsgan_tf.training.tensorflow_errors import reason


class Checkpoints:
    """The newest few checkpoints of a stage, in one folder.

    Where several workers train, all restore and one saves: none of the
    variables is reduced over replicas when it is read (all are written on
    every replica), so that the others need not take part.

    Args:
        folder: Where they lie.
        state: Keras variables by name of their owner, all of them built.
        keep: How many stay.
    """

    def __init__(self, folder, state, *, keep):
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        plain = {
            name: [variable.value for variable in variables]
            for name, variables in state.items()
        }
        self._checkpoint = tf.train.Checkpoint(step=self._step, **plain)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, folder, max_to_keep=keep
        )

    def restore(self):
        """Brings back the newest checkpoint that can be read.

        A damaged one is passed over with a warning: the run then repeats
        some steps, to the same end.

        Returns:
            The steps that were done when it was written; 0 without any.

        Raises:
            CheckpointError: If there are checkpoints and none can be read.
        """
        paths = self._find()
        for path in paths:
            try:
                self._checkpoint.restore(path).assert_consumed()
                return int(self._step.numpy())
            except (
                AssertionError,
                ValueError,
                IndexError,  # TensorFlow's word for a file cut short.
                tf.errors.OpError,
            ) as error:
                logging.warning(
                    "%s: cannot be restored (%s)", path, reason(error)
                )
        if paths:
            raise errors.CheckpointError(
                f"{self._manager.directory}: none of the checkpoints can be "
                "restored; delete the folder to start the stage again"
            )
        return 0

    def _find(self):
        """Paths without extension, the newest first.

        By the files themselves: TensorFlow's own list of them may be lost or
        garbled, and must not make a run start over.
        """
        pattern = os.path.join(
            glob.escape(self._manager.directory), "ckpt-*.index"
        )
        paths = [os.path.splitext(path)[0] for path in glob.glob(pattern)]
        steps = {
            path: int(path.rpartition("-")[2])
            for path in paths
            if path.rpartition("-")[2].isdecimal()
        }
        return sorted(steps, key=steps.get, reverse=True)

    def save(self, step):
        """Writes a checkpoint; the one before stays until it is complete.

        Returns:
            Its path.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._step.assign(step)
        try:
            return self._manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            folder = self._manager.directory
            for leftover in glob.glob(
                os.path.join(glob.escape(folder), "*_temp")
            ):
                shutil.rmtree(leftover, ignore_errors=True)
            raise errors.CheckpointError(
                f"{folder}: the checkpoint of step {step} cannot be written "
                f"({reason(error)}); free some space or mend the permissions, "
                "and give the same command again: it goes on from the last one"
            ) from None
