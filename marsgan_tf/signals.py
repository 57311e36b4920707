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
from typing import Any

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_SECONDS_TO_END = 20.0


@contextlib.contextmanager
def collected() -> Iterator[list[int]]:
    """Yields a list that fills with the signals received meanwhile.

    A second signal acts as if nothing were collected.
    """
    received: list[int] = []
    previous = _handlers()

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        _set(previous)

    _set(dict.fromkeys(_NUMBERS, handle))
    try:
        yield received
    finally:
        _set(previous)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keeps what is done at a signal, whatever the block sets."""
    previous = _handlers()
    try:
        yield
    finally:
        _set(previous)


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _NUMBERS}


def _set(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


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

    _set(dict.fromkeys(_NUMBERS, end))


def stop_listening() -> None:
    """A signal from now on ends the process, and says nothing."""
    _set(dict.fromkeys(_NUMBERS, signal.SIG_DFL))
