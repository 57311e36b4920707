import concurrent.futures
import itertools
import threading
import time

import pytest

from marsgan_tf.inference.overlap import overlapped

TIMEOUT_S = 20.0


def same(value):
    return value


def own_threads():
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith(("read", "compute"))
    ]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_order_is_kept(workers):
    """Though early items take longest."""

    def compute(number):
        time.sleep((20 - number) * 5e-4)
        return number**2

    found = list(
        overlapped(range(20), lambda i: i + 1, compute, workers=workers)
    )
    assert found == [(i, (i + 1) ** 2) for i in range(20)]
    assert not own_threads()


def test_nothing_to_do():
    assert list(overlapped([], same, same, workers=3)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_read_ahead_is_bounded(workers):
    most = 2 * workers + 1  # One in hand and one waiting, and the caller's.
    reads = itertools.count(1)
    done = 0

    def read(item):
        assert next(reads) <= done + most
        return item

    for _ in overlapped(range(50), read, same, workers=workers):
        time.sleep(2e-3)  # The readers would be far ahead by now.
        done += 1
    assert next(reads) == 51


def test_one_item_is_read_at_a_time():
    lock = threading.Lock()

    def read(item):
        assert lock.acquire(blocking=False)
        time.sleep(1e-3)
        lock.release()
        return threading.current_thread().name

    found = {out for _, out in overlapped(range(20), read, same, workers=4)}
    assert found == {"read_0"}


def test_reading_computing_and_writing_overlap():
    """Each of the three waits, at the same moment, for the other two."""
    meeting = threading.Barrier(3)

    def read(item):
        if item == 2:
            meeting.wait(TIMEOUT_S)
        return item

    def compute(item):
        if item == 1:
            meeting.wait(TIMEOUT_S)
        return item

    for item, _ in overlapped(range(5), read, compute, workers=1):
        if item == 0:
            meeting.wait(TIMEOUT_S)


def test_workers_compute_at_the_same_time():
    meeting = threading.Barrier(3)

    def compute(item):
        meeting.wait(TIMEOUT_S)
        return item

    found = list(overlapped(range(6), same, compute, workers=3))
    assert [item for item, _ in found] == list(range(6))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("where", ["read", "compute"])
def test_errors_end_everything(workers, where):
    begun = []

    def fail_at_5(item):
        begun.append(item)
        if item == 5:
            raise OSError("item 5")
        return item

    steps = {"read": same, "compute": same, where: fail_at_5}
    taken = []
    with pytest.raises(OSError, match="item 5"):
        for item, _ in overlapped(range(1000), **steps, workers=workers):
            taken.append(item)
    assert taken == [0, 1, 2, 3, 4]
    assert max(begun) <= 5 + 2 * workers + 1
    assert not own_threads()


def test_an_error_of_the_caller_ends_everything():
    begun = []

    def consume():
        for item, _ in overlapped(range(1000), begun.append, same, workers=2):
            if item == 3:
                raise ValueError("the caller's")

    with pytest.raises(ValueError, match="the caller's"):
        consume()
    assert len(begun) <= 3 + 2 * 2 + 1
    assert not own_threads()


def test_what_waits_is_not_begun_once_the_caller_stops(monkeypatch):
    in_hand, held = threading.Event(), threading.Event()
    computed = []

    def compute(item):
        if item > 0:
            in_hand.set()
            held.wait(TIMEOUT_S)
        computed.append(item)

    results = overlapped(range(100), same, compute, workers=1)
    assert next(results) == (0, None)
    assert in_hand.wait(TIMEOUT_S)
    with monkeypatch.context() as patch:
        pool = concurrent.futures.ThreadPoolExecutor
        shutdown = pool.shutdown

        def release_and_wait(self):
            held.set()
            shutdown(self)

        patch.setattr(pool, "shutdown", release_and_wait)
        results.close()
    assert computed == [0, 1]
    assert not own_threads()


def test_an_error_of_the_items_ends_everything():
    def items():
        yield from range(4)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(overlapped(items(), same, same, workers=1))
    assert not own_threads()
