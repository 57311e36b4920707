"""Step-exact checkpoints of everything that a training step changes."""

import contextlib
import glob
import os
import re
import shutil

import tensorflow as tf
from absl import logging

from marsgan_tf import errors
from marsgan_tf.plain_paths import PlainFolder
from marsgan_tf.training.tensorflow_errors import reason

# What TensorFlow's own list of the checkpoints of a folder says, in each line.
_LIST = "checkpoint"
_FIRST = "model_checkpoint_path: "
_LINE = re.compile(
    r'(all_)?model_checkpoint_paths?: "ckpt-\d+"|\w+_timestamps?: [-+.e\d]+'
)


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
        self._folder = os.fspath(folder)
        os.makedirs(folder, exist_ok=True)
        _drop_garbled_list(folder)
        self._plain = PlainFolder(folder)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, self._plain.path, max_to_keep=keep
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
                MemoryError,  # And for a size that is garbled.
                tf.errors.OpError,
            ) as error:
                logging.warning(
                    "%s: cannot be restored (%s)",
                    self._named(path),
                    reason(error),
                )
        if paths:
            raise errors.CheckpointError(
                f"{self._folder}: none of the checkpoints can be "
                "restored; delete the folder to start the stage again"
            )
        return 0

    def _find(self):
        """Paths without extension, the newest first.

        By the files themselves: TensorFlow's own list of them may be lost or
        garbled, and must not make a run start over.
        """
        pattern = os.path.join(self._plain.path, "ckpt-*.index")
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
            path = self._manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            unfinished = os.path.join(self._plain.path, "*_temp")
            for leftover in glob.glob(unfinished):
                shutil.rmtree(leftover, ignore_errors=True)
            raise errors.CheckpointError(
                f"{self._folder}: the checkpoint of step {step} cannot be "
                f"written ({reason(error)}); free some space or mend the "
                "permissions, and give the same command again: it goes on from "
                "the last one"
            ) from None
        return self._named(path)

    def _named(self, path):
        """A checkpoint as users know it."""
        return os.path.join(self._folder, os.path.basename(path))


def _drop_garbled_list(folder):
    """Removes TensorFlow's list of checkpoints if it is not as it writes it.

    It fails on what is no text, and once there are more than it keeps, it
    deletes what the list names, wherever that lies. It writes another list.
    """
    path = os.path.join(folder, _LIST)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        is_whole = text.startswith(_FIRST) and all(
            map(_LINE.fullmatch, text.splitlines())
        )
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        is_whole = False
    if not is_whole:
        logging.warning("%s: is damaged, and made again", path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
