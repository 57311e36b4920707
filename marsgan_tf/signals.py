"""SIGTERM and SIGINT: as the end of a command, or as a request that it heeds.

No handler raises. What one raises comes out of whatever line is running, where
it may be lost (Python drops it in a destructor, code in C puts an error of its
own in its place), or leave an object half made that complains when it goes:
https://docs.python.org/3/library/signal.html#note-on-signal-handlers-and-exceptions
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_SECONDS_TO_END = 20.0


@contextlib.contextmanager
def collected() -> Iterator[list[int]]:
    """Yields a list that fills with the signals received meanwhile.

    A second signal acts as if nothing were collected.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous = {number: signal.signal(number, handle) for number in _NUMBERS}
    try:
        yield received
    finally:
        restore()


def end_process(message: str) -> None:
    """Lets a signal end this process from now on, with one line on stderr.

    First is done what is registered by `atexit`, which takes back what is
    begun: unfinished files (`leftovers`), workers, clusters, bars. The status
    is 128 + n for signal n. A second signal ends the process at once.

    Args:
        message: The line, behind `error: `.
    """
    # Its number may mean something else when it comes (`native_output`).
    stderr = os.dup(sys.stderr.fileno())

    def leave(number: int) -> None:
        os.write(stderr, f"error: {message}\n".encode())
        os._exit(128 + number)

    def end(number: int, frame: FrameType | None) -> None:
        stop_listening()
        # What is registered may wait for a lock that the process holds.
        late = threading.Timer(_SECONDS_TO_END, leave, [number])
        late.daemon = True
        with contextlib.suppress(RuntimeError):  # No memory for a thread.
            late.start()
        atexit._run_exitfuncs()
        leave(number)

    for number in _NUMBERS:
        signal.signal(number, end)


def stop_listening() -> None:
    """A signal from now on ends the process, and says nothing."""
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_DFL)
