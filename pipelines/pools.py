"""Where units of work run: local processes, or a Dask cluster."""

import contextlib
import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, TypeVar

from marsgan_tf import errors
from pipelines import engine
from pipelines.pool_config import PoolConfig

U = TypeVar("U")
R = TypeVar("R")


class Run(Protocol):
    """`engine.run_units`, whose pool is chosen."""

    def __call__(
        self, units: Sequence[U], function: Callable[[U], R]
    ) -> Generator[tuple[int, R | errors.MarsganError], None, None]:
        """Yields each unit's index and its result, as they become ready."""


@contextlib.contextmanager
def opened(
    config: PoolConfig,
    workers: int,
    *,
    is_threaded: bool = False,
    is_isolated: bool = False,
    needs_gpu: bool = False,
) -> Iterator[Run]:
    """Opens the pool that a config names; yields what runs units on it.

    Args:
        config: The user's settings.
        workers: Local processes, or SLURM jobs.
        is_threaded: Whether a unit keeps all cores of a job busy, so that a
            job works on one; otherwise it works on one a core.
        is_isolated: Whether one local worker is a process of its own, which a
            unit can kill without ending the rest. Those of Dask are.
        needs_gpu: Whether units wait for Dask workers that offer the resource
            GPU.

    Raises:
        errors.SettingsError: If Dask is asked for and not installed.
        errors.ClusterError: If no scheduler answers.
    """
    if config.pool == "local":
        yield functools.partial(
            engine.run_units, workers=workers, is_isolated=is_isolated
        )
        return
    try:
        from pipelines import dask_engine
    except ImportError:
        raise errors.SettingsError(
            f"--pool={config.pool}: Dask is not installed: pip install -r "
            "requirements-cluster.txt"
        ) from None
    with dask_engine.opened(
        config, workers, is_threaded=is_threaded, needs_gpu=needs_gpu
    ) as run:
        yield run
