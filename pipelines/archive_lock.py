"""One archive run at a time in a folder.

Both locks are the kernel's: they end with the process that has them, however
it ends, so none is ever left behind.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator

from absl import logging

from marsgan_tf import errors
from marsgan_tf.inference import spool_files

_RUN, _SCENES = ".archive.lock", ".archive.scenes.lock"
_SECONDS_BETWEEN_LOOKS = 0.1


@contextlib.contextmanager
def owned(folder: str) -> Iterator[None]:
    """Keeps other runs out of a folder, and waits for scenes of a dead one.

    Raises:
        errors.SettingsError: If another run works there; it is named.
    """
    with spool_files.opened(os.path.join(folder, _RUN)) as file:
        if not file.lock():
            raise errors.SettingsError(
                f"{folder}: {_owner(file)} works there; wait until it ends, "
                "or choose another folder"
            )
        owner = {"host": socket.gethostname(), "process": os.getpid()}
        file.truncate(0)
        file.write(memoryview(json.dumps(owner).encode()), 0)
        _wait_for_scenes(folder)
        yield


@contextlib.contextmanager
def at_work(folder: str) -> Iterator[None]:
    """Tells a later run, should this one be killed, that a scene goes on."""
    with spool_files.opened(os.path.join(folder, _SCENES)) as file:
        while not file.lock(shared=True):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield


def _owner(file: spool_files.File) -> str:
    try:
        owner = json.loads(file.read_all())
        return (
            f"another archive run, process {owner['process']} on "
            f"{owner['host']},"
        )
    except (ValueError, KeyError, TypeError):  # It is about to be written.
        return "another archive run"


def _wait_for_scenes(folder: str) -> None:
    """Waits for workers that outlive a killed run, on this machine or others.

    They would else be found at a scene that this run begins.
    """
    with spool_files.opened(os.path.join(folder, _SCENES)) as file:
        is_told = False
        while not file.lock():
            if not is_told:
                logging.info("%s: waiting for scenes of a dead run", folder)
            is_told = True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
