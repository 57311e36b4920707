"""Silence for the notes that native libraries print when they load."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

from marsgan_tf import signals


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds back what is written to stderr, unless the block fails.

    TensorFlow's libraries print several lines about the processor while they
    are imported, before any of its log levels counts. If the import fails,
    they are shown, since they may say why.
    """
    sys.stderr.flush()
    stderr = sys.stderr.fileno()
    visible = os.dup(stderr)
    # A library that is interrupted as it loads may leave a lock behind.
    with signals.deferred(), tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), stderr)
        try:
            yield
        except BaseException:
            os.dup2(visible, stderr)
            held.seek(0)
            shutil.copyfileobj(held, sys.stderr.buffer)
            raise
        finally:
            os.dup2(visible, stderr)
            os.close(visible)
