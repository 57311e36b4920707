"""Runs independent units of work in local processes.

A unit is anything that can be pickled; the function must be importable.
Processes are spawned, not forked: GDAL's threads do not survive a fork.
"""

import atexit
import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from marsgan_tf import errors, signals

U = TypeVar("U")
R = TypeVar("R")


def run_units(
    units: Sequence[U],
    function: Callable[[U], R],
    workers: int,
    *,
    is_isolated: bool = False,
) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
    """Yields each unit's index and its result, as they become ready.

    An error of the user's making is yielded in place of a result, and a
    `WorkerKilledError` in the place of a unit that kills its process; the
    other units go on. Whatever else is raised, or the end of the iteration,
    stops the processes at once.

    Args:
        units: What to work on; they are started in this order.
        function: Works on one.
        workers: Processes; with 1, the work is done in this one.
        is_isolated: Whether 1 is a process of its own too, so that a unit
            that kills it ends nothing else.
    """
    workers = min(workers, len(units))
    if workers <= 1 and not is_isolated:
        for index, unit in enumerate(units):
            yield index, outcome(function, unit)
        return
    waiting = collections.deque(range(len(units)))
    while waiting:
        lost: list[int] = []
        yield from _until_killed(units, function, workers, waiting, lost)
        for index in lost:
            yield index, _alone(units[index], function)


def outcome(function: Callable[[U], R], unit: U) -> R | errors.MarsganError:
    """What a function makes of a unit, or the user's error that it raises."""
    try:
        return function(unit)
    except errors.MarsganError as error:
        return error


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Starts processes that never hear Ctrl-C, and are started whole."""
    with signals.deferred():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _until_killed(
    units: Sequence[U],
    function: Callable[[U], R],
    workers: int,
    waiting: collections.deque[int],
    lost: list[int],
) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
    """Takes units from those waiting until all are done, or a process dies.

    Args:
        units: See `run_units`.
        function: Likewise.
        workers: Likewise.
        waiting: Units to start; those started are taken from it.
        lost: Receives those under way when a process died: a broken pool does
            not tell which of them killed it.
    """
    running: dict[concurrent.futures.Future, int] = {}
    with _pool(workers) as pool:
        while (waiting and not lost) or running:
            # One more than there are processes, so that none waits for this.
            while waiting and not lost and len(running) <= workers:
                index = waiting.popleft()
                try:
                    with unheard():
                        future = pool.submit(outcome, function, units[index])
                except BrokenProcessPool:
                    lost.append(index)
                    break
                running[future] = index
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                index = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(index)
                else:
                    yield index, future.result()


def _alone(unit: U, function: Callable[[U], R]) -> R | errors.MarsganError:
    """Works on a unit in a process where no other can be to blame."""
    with _pool(1) as pool:
        try:
            with unheard():
                future = pool.submit(outcome, function, unit)
            return future.result()
        except BrokenProcessPool:
            return errors.WorkerKilledError(
                f"{unit}: its process was killed twice, most likely for want "
                "of memory: give it more, or leave it out"
            )


@contextlib.contextmanager
def _pool(
    workers: int,
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _follow_parent
    )
    with _stopped_at_exit(pool):
        yield pool


@contextlib.contextmanager
def _stopped_at_exit(
    pool: concurrent.futures.ProcessPoolExecutor,
) -> Iterator[None]:
    """Ends the pool; on an error without waiting for units under way."""
    # Else the end of this process would wait for them.
    atexit.register(_end_workers)
    try:
        yield
        pool.shutdown()
    except BaseException:
        _end_workers()
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        atexit.unregister(_end_workers)


def _end_workers() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


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
