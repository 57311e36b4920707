"""Folders under names that TensorFlow can read from.

It takes the path of a checkpoint or SavedModel for a pattern, by which it
finds nothing where a folder has a bracket in its name.
"""

import os
import shutil
import tempfile
import weakref

_PATTERN_LETTERS = frozenset("*?[\\")


class PlainFolder:
    """A folder under a name without letters that patterns have.

    Args:
        folder: That exists.

    Attributes:
        path: The name, for as long as this object lives.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = os.fspath(folder)
        if _PATTERN_LETTERS & set(self.path):
            links = tempfile.mkdtemp(prefix="marsgan_")
            weakref.finalize(self, shutil.rmtree, links, ignore_errors=True)
            self.path = os.path.join(links, "folder")
            os.symlink(os.path.abspath(folder), self.path)
