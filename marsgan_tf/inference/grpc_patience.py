"""Asking a server again while it is away: more and more slowly, not forever."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
from absl import logging

from marsgan_tf import errors

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_HEED_S = 0.25  # How soon a signal is noticed while a tile is under way.

# What a server says, or gRPC of it, that restarts, is cut off or has too much
# to do.
_PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
}
TOO_LARGE = "larger than max"  # Of gRPC's words for a message.


class Patience:
    """Makes calls again that failed for a reason that may pass.

    Any number of threads may share it; each waits for its own call.

    Args:
        server: Its name, for the log.
        seconds: Of one attempt, and from the first failure of a call to the
            last attempt.
        received: Signals that ask to stop; it fills meanwhile.
    """

    def __init__(
        self, server: str, seconds: float, received: Sequence[int]
    ) -> None:
        self._server = server
        self._seconds = seconds
        self._received = received
        self._lock = threading.Lock()
        self._is_away = False

    def ask(self, method: Any, request: Any) -> Any:
        """Calls a method of a stub until it answers.

        Raises:
            grpc.RpcError: If it fails for good, or still when the patience
                is at its end.
            errors.PredictionError: If a signal asks to stop.
        """
        failed_at = None
        for pause in _pauses():
            try:
                answer = self._attempt(method, request)
            except grpc.RpcError as error:
                if not _may_pass(error):
                    raise
                now = time.monotonic()
                failed_at = now if failed_at is None else failed_at
                left = self._seconds - (now - failed_at)
                if left <= 0:
                    raise
                self._note(error)
                self._wait(min(pause, left))
            else:
                self._note(None)
                return answer

    def _attempt(self, method: Any, request: Any) -> Any:
        call = method.future(request, timeout=self._seconds)
        while True:
            try:
                return call.result(timeout=_HEED_S)
            except grpc.FutureTimeoutError:
                self._heed(call.cancel)
            except grpc.FutureCancelledError:
                raise call from None

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._heed()
            time.sleep(min(left, _HEED_S))

    def _heed(self, end: Callable[[], Any] = lambda: None) -> None:
        if self._received:
            end()
            raise errors.PredictionError(
                f"stopped while {self._server} had it in hand"
            )

    def _note(self, error: Any) -> None:
        """Tells once that the server went away, and once that it is back."""
        with self._lock:
            was_away, self._is_away = self._is_away, error is not None
        if error is not None and not was_away:
            logging.warning(
                "%s: %s; asking again, for %.0f s at most",
                self._server,
                words(error),
                self._seconds,
            )
        elif error is None and was_away:
            logging.info("%s: answers again", self._server)


def words(error: Any) -> str:
    """What a call failed with, in one line."""
    details = " ".join(str(error.details()).split())
    return f"{error.code().name}: {details[:200]}"


def _may_pass(error: Any) -> bool:
    details = str(error.details())
    if error.code() == grpc.StatusCode.INTERNAL:  # The connection broke.
        return "RST_STREAM" in details
    return error.code() in _PASSING and TOO_LARGE not in details


def _pauses() -> Iterator[float]:
    """Seconds between attempts: doubled each time, and drawn.

    So that requests that failed together do not come back together.
    """
    longest = _FIRST_PAUSE_S
    while True:
        yield longest * random.uniform(0.5, 1.0)
        longest = min(2 * longest, _LONGEST_PAUSE_S)
