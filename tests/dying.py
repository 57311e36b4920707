"""Units of work that end their process; workers import them from here."""

import os
import signal
import sys

from marsgan_tf import errors
from pipelines import parts

_build_part = parts.build  # A test puts `build` in its place.

# Environment variable: a file that is made when a process has died.
MARKER = "MARSGAN_TEST_MARKER"


def halve(number):
    """Fails, in the user's way, on odd numbers."""
    if number % 2:
        raise errors.DatasetError(f"{number} is odd")
    return number // 2


def divide(number):
    return 1 // number


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_three(number):
    if number == 3:
        die()
    return number


def die_once(folder_and_number):
    """Dies at the first 3 that is met in a folder."""
    folder, number = folder_and_number
    if number == 3 and first(os.path.join(folder, "died")):
        die()
    return number


def first(path):
    """Whether nobody asked before."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def build(unit):
    """The builder's unit, whose first worker dies once it is made."""
    made = _build_part(unit)
    if first(os.environ[MARKER]):
        die()
    if {"tensorflow", "keras"} & set(sys.modules):
        raise RuntimeError("a worker of the builder has loaded TensorFlow")
    return made
