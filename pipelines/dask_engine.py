"""Runs independent units of work on a Dask cluster.

What `engine.run_units` promises holds here too, and more: a unit whose worker
dies is given to another one, and one whose workers all die is an error in the
place of its result.
"""

import collections
import contextlib
import logging as standard_logging
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar

import distributed
from absl import logging

from marsgan_tf import errors
from pipelines import engine, pools
from pipelines.pool_config import PoolConfig

U = TypeVar("U")
R = TypeVar("R")

# Workers that a unit may lose before it is taken for the cause.
ALLOWED_FAILURES = 3
_SECONDS_TO_CONNECT = 30
_SECONDS_BETWEEN_LOOKS = 5.0  # For workers that have joined.
_GPU = {"GPU": 1}


@contextlib.contextmanager
def opened(
    config: PoolConfig, workers: int, *, is_threaded: bool, needs_gpu: bool
) -> Iterator[pools.Run]:
    """Connects to a cluster, or starts one; yields what runs units on it.

    See `pools.opened` for the arguments.

    Raises:
        errors.SettingsError: If dask-jobqueue is needed and not installed.
        errors.ClusterError: If no scheduler answers.
    """
    # Its notes of every connection would bury the command's own lines.
    standard_logging.getLogger("distributed").setLevel(standard_logging.WARNING)
    with contextlib.ExitStack() as stack:
        target: Any = config.dask_scheduler
        if config.pool == "slurm":
            target = stack.enter_context(
                _slurm_cluster(config, is_threaded, needs_gpu)
            )
            # Unlike `scale`, this replaces jobs that end.
            target.adapt(minimum_jobs=workers, maximum_jobs=workers)
        elif not target:
            with engine.unheard():
                cluster = _local_cluster(workers, needs_gpu)
            target = stack.enter_context(cluster)
        client = stack.enter_context(_connected(target))
        logging.info("Dask dashboard: %s", client.dashboard_link)
        resources = _GPU if needs_gpu else {}

        def run(
            units: Sequence[U], function: Callable[[U], R]
        ) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
            return run_units(units, function, client, resources)

        yield run


def run_units(
    units: Sequence[U],
    function: Callable[[U], R],
    client: distributed.Client,
    resources: dict[str, int],
) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
    """Yields each unit's index and its result, as they become ready.

    An error of the user's making is yielded in place of a result, and a
    `WorkerKilledError` in the place of a unit that kills its workers; the
    other units go on. Whatever else is raised ends all.

    Args:
        units: What to work on; they are started in this order.
        function: Works on one; workers must be able to import it.
        client: Of the cluster.
        resources: That a worker must offer for a unit.

    Raises:
        errors.ClusterError: If the scheduler is lost.
    """
    waiting = collections.deque(range(len(units)))
    suspects: collections.deque[int] = collections.deque()
    running: dict[distributed.Future, tuple[int, bool]] = {}
    try:
        while waiting or suspects or running:
            with _in_reach():
                free = _slots(client, resources) - len(running)
            for index, is_suspect in _taken(waiting, suspects, running, free):
                future = client.submit(
                    engine.outcome,
                    function,
                    units[index],
                    pure=False,
                    resources=resources,
                )
                running[future] = index, is_suspect
            with _in_reach():
                finished = _finished(running)
            for future in finished:
                index, is_suspect = running.pop(future)
                result = _result(future, units[index])
                if isinstance(result, errors.WorkerKilledError) and (
                    not is_suspect
                ):
                    suspects.append(index)
                    continue
                yield index, result
    finally:
        with contextlib.suppress(OSError, distributed.CancelledError):
            client.cancel(list(running))


def _taken(
    waiting: collections.deque[int],
    suspects: collections.deque[int],
    running: dict[distributed.Future, tuple[int, bool]],
    free: int,
) -> Iterator[tuple[int, bool]]:
    """Takes units to start: index, and whether it may have killed workers.

    Dask blames a death on all units that were given to the worker. So a unit
    that is blamed is tried once more, at the end and with no other beside it.
    """
    if not waiting and not running and suspects:
        yield suspects.popleft(), True
        return
    for _ in range(min(free, len(waiting))):
        yield waiting.popleft(), False


def _slots(client: distributed.Client, resources: dict[str, int]) -> int:
    """Units that the cluster can work on at once, as far as it is known.

    No more are handed out: those that wait at a worker would be lost and
    blamed with it. The least is 1, which waits for the first worker.
    """
    threads = client.nthreads()
    if not resources:
        return max(1, sum(threads.values()))
    workers = client.scheduler_info()["workers"].values()
    offered = (
        min(
            worker["resources"].get(name, 0) // n
            for name, n in resources.items()
        )
        for worker in workers
    )
    return max(1, int(sum(offered)))


def _finished(
    running: dict[distributed.Future, tuple[int, bool]],
) -> list[distributed.Future]:
    """Waits for some; none after a while, in which workers may have joined."""
    try:
        return list(
            distributed.wait(
                list(running),
                timeout=_SECONDS_BETWEEN_LOOKS,
                return_when="FIRST_COMPLETED",
            ).done
        )
    except TimeoutError:
        return []


def _result(future: distributed.Future, unit: Any) -> Any:
    try:
        return future.result()
    except distributed.CancelledError:
        raise _lost() from None
    except distributed.KilledWorker as error:
        return errors.WorkerKilledError(
            f"{unit}: {error.allowed_failures + 1} workers died over it, most "
            "likely for want of memory: give them more, or leave it out"
        )


@contextlib.contextmanager
def _connected(target: Any) -> Iterator[distributed.Client]:
    try:
        client = distributed.Client(target, timeout=_SECONDS_TO_CONNECT)
    except (OSError, ValueError) as error:
        raise errors.ClusterError(
            f"{target}: no Dask scheduler answers there ({error}); start one "
            "by `dask scheduler`, or leave --dask_scheduler out"
        ) from None
    with client:
        yield client


def _local_cluster(workers: int, needs_gpu: bool) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        # As in the local pool, nobody is ended for his share of the memory.
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"allowed_failures": ALLOWED_FAILURES},
        resources=_GPU if needs_gpu else {},
    )


def _slurm_cluster(
    config: PoolConfig, is_threaded: bool, needs_gpu: bool
) -> Any:
    try:
        from pipelines import slurm
    except ImportError:
        raise errors.SettingsError(
            "--pool=slurm: dask-jobqueue is not installed: pip install -r "
            "requirements-cluster.txt"
        ) from None
    return slurm.cluster(config, is_threaded=is_threaded, needs_gpu=needs_gpu)


@contextlib.contextmanager
def _in_reach() -> Iterator[None]:
    try:
        yield
    except (OSError, distributed.CancelledError):
        raise _lost() from None


def _lost() -> errors.ClusterError:
    return errors.ClusterError(
        "the Dask scheduler was lost: the same command continues"
    )
