"""Files that appear under their name whole, or not at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def staged(path: str) -> Iterator[str]:
    """Yields a name beside `path`; what is written there is renamed to it.

    The bytes are on the disk before the name is. If the block raises, `path`
    stays as it was; if the process is killed, a `.partial` file stays behind.
    Processes of several machines may write the same file at once: the last
    one wins.

    Raises:
        OSError: If the file cannot be written.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.partial")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
