"""When a server is asked again, on calls and a clock without a server."""

import itertools

import grpc
import pytest

from marsgan_tf import errors
from marsgan_tf.inference import grpc_patience
from marsgan_tf.inference.grpc_patience import Patience

Code = grpc.StatusCode


class Failure(grpc.RpcError):
    def __init__(self, code, details=""):
        super().__init__()
        self.code = lambda: code
        self.details = lambda: details


class Method:
    """A stub's method: fails with each failure given, then answers.

    Args:
        clock: A `Clock`.
        failures: The last one for ever, if `lasts`.
        lasts: See above.
        takes_s: Of each attempt.
    """

    def __init__(self, clock, failures, *, lasts=False, takes_s=0.0):
        self._clock = clock
        self._failures = iter(
            itertools.chain(failures, itertools.repeat(failures[-1]))
            if lasts
            else failures
        )
        self._takes_s = takes_s
        self.times, self.deadlines = [], []

    def future(self, request, timeout):
        self.times.append(self._clock.now)
        self.deadlines.append(timeout)
        self._request = request
        return self

    def result(self, timeout):
        self._clock.now += self._takes_s
        for failure in self._failures:
            raise failure
        return f"answer to {self._request}"


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """Time passes by sleeping alone."""
    clock = Clock()
    monkeypatch.setattr(grpc_patience, "time", clock)
    return clock


@pytest.mark.parametrize(
    "failure",
    [
        Failure(Code.UNAVAILABLE, "Socket closed"),
        Failure(Code.DEADLINE_EXCEEDED),
        Failure(Code.RESOURCE_EXHAUSTED, "OOM when allocating"),
        Failure(Code.CANCELLED),
        Failure(Code.ABORTED),
        Failure(Code.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_what_may_pass_is_asked_again_with_growing_pauses(clock, failure):
    method = Method(clock, [failure] * 8)
    assert Patience("s", 60.0, []).ask(method, "it") == "answer to it"
    assert method.deadlines == [60.0] * 9
    pauses = [b - a for a, b in itertools.pairwise(method.times)]
    longest = [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    for pause, limit in zip(pauses, longest, strict=True):
        assert limit / 2 - 1e-6 <= pause <= limit + 1e-6


@pytest.mark.parametrize(
    "failure",
    [
        Failure(Code.NOT_FOUND),
        Failure(Code.INVALID_ARGUMENT),
        Failure(Code.FAILED_PRECONDITION),
        Failure(Code.UNIMPLEMENTED),
        Failure(Code.INTERNAL, "a defect"),
        Failure(Code.RESOURCE_EXHAUSTED, "Received message larger than max"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(clock, failure):
    method = Method(clock, [failure])
    with pytest.raises(Failure) as caught:
        Patience("s", 60.0, []).ask(method, "it")
    assert caught.value is failure
    assert method.times == [0.0]


def test_patience_ends_so_long_after_the_first_failure(clock):
    """Not after the call began: one that takes long is asked again too."""
    failure = Failure(Code.DEADLINE_EXCEEDED)
    method = Method(clock, [failure], lasts=True, takes_s=30.0)
    with pytest.raises(Failure):
        Patience("s", 40.0, []).ask(method, "it")
    # Fails at 30, at 60 and something; from 70 on there is no other attempt.
    assert len(method.times) == 3 and 90.0 < clock.now < 101.0


def test_a_signal_ends_the_waiting(clock):
    received = []
    method = Method(clock, [Failure(Code.UNAVAILABLE)], lasts=True)
    future = method.future

    def signalled(request, timeout):
        if len(method.times) == 3:
            received.append(15)
        return future(request, timeout)

    method.future = signalled
    with pytest.raises(errors.PredictionError, match="stopped while s had"):
        Patience("s", 1e6, received).ask(method, "it")
    assert len(method.times) == 4


def test_going_away_and_coming_back_are_told_once(clock, caplog):
    patience = Patience("gpu1", 60.0, [])
    with caplog.at_level("INFO", logger="absl"):
        patience.ask(Method(clock, [Failure(Code.UNAVAILABLE, "a\nb")] * 5), 1)
        patience.ask(Method(clock, []), 1)
    assert caplog.messages == [
        "gpu1: UNAVAILABLE: a b; asking again, for 60 s at most",
        "gpu1: answers again",
    ]
