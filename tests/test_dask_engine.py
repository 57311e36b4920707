import os
import socket

import dask
import distributed
import dying
import pytest

from marsgan_tf import errors
from pipelines import dask_engine, pools, slurm
from pipelines.build_config import BuildConfig
from pipelines.pool_config import PoolConfig


@pytest.fixture(scope="module")
def run():
    """Runs units on two workers, which may die once of each unit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_engine, "ALLOWED_FAILURES", 1)
        with pools.opened(PoolConfig(pool="dask"), 2, needs_gpu=True) as found:
            yield found


def offered(number):
    """What the worker offers, and its threads."""
    worker = distributed.get_worker()
    return worker.state.total_resources, worker.state.nthreads


def test_errors_do_not_stop_the_others(run):
    outcomes = dict(run(range(7), dying.halve))
    assert [outcomes[i] for i in (0, 2, 4, 6)] == [0, 1, 2, 3]
    assert [str(outcomes[i]) for i in (1, 3, 5)] == [
        "1 is odd",
        "3 is odd",
        "5 is odd",
    ]
    assert isinstance(outcomes[1], errors.DatasetError)


def test_other_errors_stop_at_once(run):
    with pytest.raises(ZeroDivisionError):
        list(run([1, 0, 1], dying.divide))


def test_nothing_to_do(run):
    assert list(run([], dying.halve)) == []


def test_workers_offer_what_is_asked_for(run):
    assert [found for _, found in run([0], offered)] == [({"GPU": 1}, 1)]


def test_a_worker_that_dies_loses_nothing(run, tmp_path):
    units = [(str(tmp_path), number) for number in range(6)]
    outcomes = dict(run(units, dying.die_once))
    assert os.listdir(tmp_path) == ["died"]
    assert outcomes == {number: number for number in range(6)}


def test_a_unit_that_kills_every_worker_is_named(run):
    outcomes = dict(run(range(6), dying.die_at_three))
    killed = outcomes.pop(3)
    assert outcomes == {number: number for number in (0, 1, 2, 4, 5)}
    assert isinstance(killed, errors.WorkerKilledError)
    assert str(killed).startswith("3: 2 workers died over it")


def test_no_scheduler_is_told(monkeypatch):
    monkeypatch.setattr(dask_engine, "_SECONDS_TO_CONNECT", 1)
    with socket.socket() as bound:  # Nobody listens there.
        bound.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{bound.getsockname()[1]}"
        config = PoolConfig(pool="dask", dask_scheduler=address)
        with pytest.raises(errors.ClusterError, match=f"{address}: no Dask"):
            with pools.opened(config, 1):
                pass


@pytest.mark.slow
def test_a_lost_scheduler_is_told():
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
    ):
        config = PoolConfig(
            pool="dask", dask_scheduler=cluster.scheduler_address
        )
        with pools.opened(config, 1) as run:
            outcomes = run([2, 4, 6], dying.halve)
            assert next(outcomes) == (0, 1)
            cluster.close()
            with pytest.raises(errors.ClusterError, match="lost.*continues"):
                list(outcomes)


SLURM = {
    "pool": "slurm",
    "slurm_partition": "gpu-long",
    "slurm_cores": 8,
    "slurm_memory": "32GB",
    "slurm_walltime": "1-06:30:00",
}


def job_script(**options):
    with slurm.cluster(PoolConfig(**SLURM), **options) as cluster:
        return cluster.job_script().splitlines()


@pytest.mark.filterwarnings("ignore:Couldn't detect:RuntimeWarning")  # Offline.
def test_job_of_one_unit_a_core(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = job_script(is_threaded=False, needs_gpu=False)
    assert {
        "#SBATCH -p gpu-long",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=30G",
        "#SBATCH -t 1-06:30:00",
    } <= set(lines)
    command = lines[-1]
    assert "distributed.cli.dask_worker tcp://" in command
    assert "--nthreads 1 " in command
    assert "--nworkers 8 " in command
    assert "GPU" not in "".join(lines)


@pytest.mark.filterwarnings("ignore:Couldn't detect:RuntimeWarning")  # Offline.
def test_job_of_one_unit_and_a_gpu(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = job_script(is_threaded=True, needs_gpu=True)
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --cpus-per-task=8"} <= set(lines)
    assert "--nthreads 1 " in lines[-1]
    assert "--nworkers" not in lines[-1]
    assert lines[-1].endswith("--resources GPU=1")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pool": "ray"}, "`pool` must be one of local, dask, slurm"),
        ({"dask_scheduler": "tcp://a:1"}, "`dask_scheduler`.*--pool=dask"),
        ({"pool": "slurm"}, "`slurm_memory`.*needs it"),
        ({"slurm_memory": "much"}, "`slurm_memory` must be a size"),
        ({"slurm_cores": 0}, "`slurm_cores` must be at least 1"),
        ({"slurm_walltime": "long"}, "`slurm_walltime` must be like"),
    ],
)
def test_wrong_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        PoolConfig(**options)
    with pytest.raises(ValueError, match=message):
        BuildConfig(input=("a.tif",), output_dir="out", **options)
