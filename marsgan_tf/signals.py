"""SIGTERM and SIGINT: as the end of a command, or as a request that it heeds.

No handler raises. What one raises comes out of whatever line is running, where
it may be lost (Python drops it in a destructor, code in C puts an error of its
own in its place), or leave an object half made that complains when it goes:
https://docs.python.org/3/library/signal.html#note-on-signal-handlers-and-exceptions
"""

import atexit
import contextlib
import os
import select
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
def deferred() -> Iterator[None]:
    """Lets a signal wait for the end of a block that must not end midway.

    So is what a library would take back itself, and what takes two steps.
    """
    received: list[int] = []
    try:
        with collected() as received:
            yield
    finally:
        if received:
            signal.raise_signal(received[0])


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
    if threading.current_thread() is not threading.main_thread():
        return  # No other may, and none hears them.
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
    stderr = os.dup(sys.stderr.fileno()) if sys.stderr else None

    def leave(number: int) -> None:
        try:
            if stderr is not None and _is_read(stderr):
                os.write(stderr, f"error: {message}\n".encode())
        finally:
            os._exit(128 + number)

    def end(number: int, frame: FrameType | None) -> None:
        try:
            stop_listening()
            # What is registered may wait for a lock that the process holds.
            late = threading.Timer(_SECONDS_TO_END, leave, [number])
            late.daemon = True
            late.start()
            atexit._run_exitfuncs()
        finally:
            leave(number)

    _set(dict.fromkeys(_NUMBERS, end))


def _is_read(pipe: int) -> bool:
    """Whether what is written there soon goes somewhere."""
    if sys.platform == "win32":
        return True  # It cannot be asked there.
    return bool(select.select([], [pipe], [], 1.0)[1])


def stop_listening() -> None:
    """A signal from now on ends the process, and says nothing."""
    _set(dict.fromkeys(_NUMBERS, signal.SIG_DFL))
