"""SIGTERM and SIGINT as a request, so that a run can save before it ends."""

import contextlib
import signal


@contextlib.contextmanager
def collected():
    """Yields a list that fills with the signals received meanwhile.

    A second signal ends the program at once, as if nothing were collected.
    """
    received = []

    def handle(number, frame):
        if received:
            raise KeyboardInterrupt(number)
        received.append(number)

    previous = {
        number: signal.signal(number, handle)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
