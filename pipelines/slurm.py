"""A Dask cluster whose workers are SLURM jobs."""

from marsgan_tf import signals
from pipelines.pool_config import PoolConfig

# It has Ctrl-C end in `sys.exit()`.
with signals.deferred(), signals.kept():
    import dask_jobqueue

_LOGS = "slurm-logs"


def cluster(
    config: PoolConfig, *, is_threaded: bool, needs_gpu: bool
) -> dask_jobqueue.SLURMCluster:
    """A cluster that has no job yet.

    Args:
        config: What a job asks for.
        is_threaded: Whether a job works on one unit, with all its cores, or
            on one a core.
        needs_gpu: Whether a job asks for a GPU, and offers it.
    """
    extra = ["--resources", "GPU=1"] if needs_gpu else []
    return dask_jobqueue.SLURMCluster(
        queue=config.slurm_partition or None,
        walltime=config.slurm_walltime,
        memory=config.slurm_memory,
        job_cpu=config.slurm_cores,
        # Dask's cores are threads that run units.
        cores=1 if is_threaded else config.slurm_cores,
        processes=1 if is_threaded else config.slurm_cores,
        job_extra_directives=["--gres=gpu:1"] if needs_gpu else [],
        worker_extra_args=extra,
        log_directory=_LOGS,
        scheduler_options={"dashboard_address": ":0"},
    )
