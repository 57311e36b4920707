"""Image files that appear with their sidecars, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from marsgan_tf import leftovers


@contextlib.contextmanager
def staged(path: str, folder_name: str = "") -> Iterator[str]:
    """A name to write under; files go to their final name if all is well.

    The name lies in a folder of its own beside `path`, where drivers may put
    what else they need. GDAL's sidecar `<path>.aux.xml` follows its image,
    and one that told of the image replaced here is removed.

    Args:
        path: The final name.
        folder_name: Of the folder beside `path`; by default a new one. If it
            exists, it counts as left behind by a process that was killed, and
            is emptied.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if folder_name:
        staging = os.path.join(folder, folder_name)
        shutil.rmtree(staging, ignore_errors=True)
        os.mkdir(staging)
    else:
        staging = leftovers.temporary_name(os.path.join(folder, name))
        os.mkdir(staging)
    try:
        staged_path = os.path.join(staging, name)
        yield staged_path
        sidecar = f"{path}.aux.xml"
        if os.path.exists(f"{staged_path}.aux.xml"):
            _publish(f"{staged_path}.aux.xml", sidecar)
        elif os.path.exists(sidecar):
            os.remove(sidecar)
        _publish(staged_path, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staged_path: str, path: str) -> None:
    with open(staged_path, "rb") as file:
        os.fsync(file.fileno())
    os.replace(staged_path, path)
