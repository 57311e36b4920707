"""Files and folders that appear under their name whole, or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from marsgan_tf import leftovers


@contextlib.contextmanager
def staged(path: str, folder: str | None = None) -> Iterator[str]:
    """Yields another name; what is written there is renamed to `path`.

    It has the same extension. The bytes are on the disk before the name is.
    If the block raises, `path` stays as it was; if the process is killed, a
    `.partial.*` file stays behind, until another process of the machine writes
    in that folder. Processes of several machines may write the same file at
    once: the last one wins.

    Args:
        path: The final name.
        folder: Of the other name, on the same file system; by default the
            folder of `path`.

    Raises:
        OSError: If the file cannot be written; it names `path`.
    """
    beside, name = os.path.split(path)
    temporary = leftovers.temporary_name(
        os.path.join(beside if folder is None else folder, name)
    )
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # A failed write names no file; an error of our own has its words.
        if error.errno and error.filename in (None, temporary):
            error.filename, error.filename2 = path, None
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


@contextlib.contextmanager
def staged_folder(path: str) -> Iterator[str]:
    """Yields a new folder; what is written in it is renamed to `path`.

    If the block raises, nothing is left of it; if the process is killed, a
    `.partial.*` folder stays behind, as a file of `staged` does.

    Args:
        path: The final name, which must not exist or be an empty folder. The
            folders above it are made if need be, and stay.

    Raises:
        OSError: If it cannot be written; it names `path`.
    """
    temporary = leftovers.temporary_name(os.path.abspath(path))
    try:
        os.makedirs(temporary)
        yield temporary
        _flush(temporary)
        os.rename(temporary, path)
    except OSError as error:
        # A failed write names no file; an error of our own has its words.
        named = str(error.filename or temporary)
        if error.errno and named.startswith(temporary):
            error.filename, error.filename2 = path, None
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush(folder: str) -> None:
    """Waits until the files of a folder are on the disk."""
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                os.fsync(file.fileno())
