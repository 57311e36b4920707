"""Files that are read and written at offsets, by one process at a time."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

import numpy as np

# Some network file systems have no locks; there the user must take care.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)


class File:
    """An open file; `opened` makes it and closes it.

    All threads may use it at once. Whatever fails is an `OSError` that names
    the file.

    Attributes:
        path: As it was opened.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, data: memoryview, offset: int) -> None:
        """Writes bytes, all of them; what lies between is sparse."""
        done = 0
        with self._named():
            while done < data.nbytes:
                done += os.pwrite(self._descriptor, data[done:], offset + done)

    def read(self, size: int, offset: int) -> np.ndarray:
        """Reads bytes: `(size,)` uint8, or fewer where the file ends."""
        data, done, count = np.empty(size, np.uint8), 0, 1
        with self._named():
            while done < size and count:
                rest = data[done:].data
                count = os.preadv(self._descriptor, [rest], offset + done)
                done += count
        return data[:done]

    def read_all(self) -> bytes:
        """All the bytes that there are."""
        with self._named():
            size = os.fstat(self._descriptor).st_size
        return self.read(size, 0).tobytes()

    def truncate(self, size: int) -> None:
        """Cuts the file off after `size` bytes."""
        with self._named():
            os.ftruncate(self._descriptor, size)

    def lock(self, *, shared: bool = False) -> bool:
        """Locks the file until it is closed, also against this process.

        Args:
            shared: Whether others may have it too, shared likewise.

        Returns:
            Whether it could be locked, or the file system has no locks.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            with self._named():
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            # Its owner may have removed it after it was opened here.
            return os.path.samestat(
                os.fstat(self._descriptor), os.stat(self.path)
            )
        except (BlockingIOError, FileNotFoundError):
            return False
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return True
            raise

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = self.path
            raise


@contextlib.contextmanager
def opened(path: str) -> Iterator[File]:
    """Opens a file to read and write, which is made if missing.

    Raises:
        OSError: If it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield File(path, descriptor)
    finally:
        os.close(descriptor)
