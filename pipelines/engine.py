"""Runs independent units of work in local processes.

A unit is anything that can be pickled; the function must be importable.
Processes are spawned, not forked: GDAL's threads do not survive a fork.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import NoReturn, TypeVar

from marsgan_tf import errors

U = TypeVar("U")
R = TypeVar("R")


def run_units(
    units: Sequence[U], function: Callable[[U], R], workers: int
) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
    """Yields each unit's index and its result, as they become ready.

    An error of the user's making is yielded in place of a result, and the
    other units go on. Whatever else is raised, or the end of the iteration,
    stops the processes at once.

    Args:
        units: What to work on; they are started in this order.
        function: Works on one.
        workers: Processes; with 1, the work is done in this one.

    Raises:
        DatasetError: If a process was killed.
    """
    workers = min(workers, len(units))
    if workers <= 1:
        for index, unit in enumerate(units):
            yield index, outcome(function, unit)
        return
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _follow_parent
    )
    with _stopped_at_exit(pool):
        futures = {
            pool.submit(outcome, function, unit): index
            for index, unit in enumerate(units)
        }
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], _result(future)


def outcome(function: Callable[[U], R], unit: U) -> R | errors.MarsganError:
    """What a function makes of a unit, or the user's error that it raises."""
    try:
        return function(unit)
    except errors.Interrupted:
        raise
    except errors.MarsganError as error:
        return error


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """Turns SIGINT and SIGTERM into `errors.Interrupted`.

    Args:
        advice: The error's message.
    """

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise errors.Interrupted(advice, number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # Only the main thread may set handlers.
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _result(future: concurrent.futures.Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool:
        raise errors.DatasetError(
            "a worker process was killed, most likely for want of memory: run "
            "the command again with fewer --workers, it continues"
        ) from None


@contextlib.contextmanager
def _stopped_at_exit(
    pool: concurrent.futures.ProcessPoolExecutor,
) -> Iterator[None]:
    """Ends the pool; on an error without waiting for units under way."""
    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _follow_parent() -> None:
    """Prepares a worker: it ends with its parent, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    # Without this, a worker whose parent was killed waits for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
