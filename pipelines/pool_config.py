"""Settings of where units of work run; importing them loads nothing heavy."""

import dataclasses
import re

from marsgan_tf.config import option, require

POOLS = ("local", "dask", "slurm")
_MEMORY = re.compile(r"\d+ ?[kMGT]i?B")
_WALLTIME = re.compile(r"(\d+-)?\d+:\d\d(:\d\d)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """What all commands that share their work among processes can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    pool: str = option(
        "local",
        "local: --workers processes of this machine; dask: a Dask cluster; "
        "slurm: a Dask cluster of --workers SLURM jobs.",
    )
    dask_scheduler: str = option(
        "",
        "With --pool=dask: address of a scheduler, tcp://HOST:PORT; by itself "
        "a local cluster of --workers processes.",
    )
    slurm_partition: str = option("", "Of the jobs; empty for the default.")
    slurm_cores: int = option(1, "Of each job.")
    slurm_memory: str = option("", "Of each job, such as 16GB.")
    slurm_walltime: str = option("04:00:00", "Of each job.")

    def __post_init__(self) -> None:
        require(
            "pool",
            self.pool,
            self.pool in POOLS,
            f"one of {', '.join(POOLS)}",
        )
        require(
            "dask_scheduler",
            self.dask_scheduler,
            not self.dask_scheduler or self.pool == "dask",
            "empty, or with --pool=dask",
        )
        cores = self.slurm_cores
        require("slurm_cores", cores, cores >= 1, "at least 1")
        is_size = bool(_MEMORY.fullmatch(self.slurm_memory))
        require(
            "slurm_memory",
            self.slurm_memory,
            is_size or not (self.slurm_memory or self.pool == "slurm"),
            "a size such as 16GB; --pool=slurm needs it",
        )
        is_time = bool(_WALLTIME.fullmatch(self.slurm_walltime))
        require("slurm_walltime", self.slurm_walltime, is_time, "like 04:00:00")
