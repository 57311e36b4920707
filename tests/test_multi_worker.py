"""Several processes on this machine, each a worker, against one."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys

import datasets
import numpy as np
import pytest
import tiny_runs
import vgg

from marsgan_tf import config as configs

ROOT = pathlib.Path(__file__).parent.parent
GAN_STEPS = 50
TINY = {
    **tiny_runs.SETTINGS,
    "psnr_steps": 4,
    "gan_steps": GAN_STEPS,
    "batch_size": 6,
    "learning_rate": 1e-4,
    "halve_at": (30,),
    "checkpoint_every": 10,
    "log_every": 10,
    "validate_every": 20,
    "ema_decay": 0.9,
    "deterministic": True,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A dataset and VGG weights, once for all tests."""
    folder = tmp_path_factory.mktemp("shared")
    datasets.write_dataset(folder / "pairs", train=(7, 6, 5))
    vgg.write_weights(folder / "vgg.h5", blocks=2)
    return {
        "dataset": str(folder / "pairs"),
        "vgg_weights": str(folder / "vgg.h5"),
    }


def as_flags(options):
    config = configs.TrainConfig(**options)
    for name, value in dataclasses.asdict(config).items():
        if isinstance(value, tuple):
            value = ",".join(str(element) for element in value)
        yield f"--{name}={value}"


def free_addresses(count):
    """Below the ports that systems give away, until the workers take them."""
    ports = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("localhost", port))
            ports.add(port)
    return [f"localhost:{port}" for port in ports]


def train(folder, shared, count, *, signals=None, options=None):
    """Trains with `count` workers; with one, without a cluster.

    Args:
        folder: Of the run, and of what each worker comes to.
        shared: Settings of the dataset.
        count: Workers.
        signals: `{worker: "NUMBER:STEP"}`.
        options: Settings that differ from `TINY`, for all or for each.

    Returns:
        Exit status and stderr of each.
    """
    options = options or {}
    each = options if isinstance(options, list) else [options] * count
    addresses = free_addresses(count)
    processes = []
    folder.mkdir(exist_ok=True)
    for index in range(count):
        strategy = "multi_worker" if count > 1 else "one"
        settings = {"workdir": str(folder), "strategy": strategy}
        settings = {**TINY, **shared, **settings, **each[index]}
        cluster = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": index},
        }
        environ = {
            "PYTHONPATH": str(ROOT),
            "KEEP_IN": str(folder),
            "SIGNAL_AT": (signals or {}).get(index, "0:0"),
        }
        if count > 1:
            environ["TF_CONFIG"] = json.dumps(cluster)
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    ROOT / "tests/training_worker.py",
                    *as_flags(settings),
                ],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environ},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        texts = [p.communicate(timeout=600)[1] for p in processes]
    finally:
        for process in processes:
            process.kill()  # If they wait for each other for ever.
    return [
        (process.returncode, text)
        for process, text in zip(processes, texts, strict=True)
    ]


def require_success(ends):
    assert [status for status, _ in ends] == [0] * len(ends), ends


def kept(folder, stage, worker):
    with np.load(folder / f"{stage}-{worker}.npz") as file:
        return dict(file)


def assert_bit_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def is_compared(name):
    """Weights of the networks, but for one that nothing depends on.

    The last bias of the discriminator cancels in the relativistic losses: its
    gradient is rounding alone, which Adam scales up to whole steps.
    """
    owner = name.partition("/")[0]
    return not owner.endswith("optimizer") and not name.endswith("logits/bias")


@pytest.fixture(scope="module")
def alone(shared, tmp_path_factory):
    """What one process comes to with the same global batch."""
    folder = tmp_path_factory.mktemp("alone")
    require_success(train(folder, shared, 1))
    return kept(folder, "gan", 0)


@pytest.fixture(scope="module")
def undisturbed(shared, tmp_path_factory):
    """A run of two workers."""
    folder = tmp_path_factory.mktemp("two")
    require_success(train(folder, shared, 2))
    return folder


def check_against_one(folder, workers, alone):
    chief = kept(folder, "gan", 0)
    for worker in range(1, workers):
        assert_bit_equal(chief, kept(folder, "gan", worker))
    assert chief.keys() == alone.keys()
    for name in filter(is_compared, chief):
        np.testing.assert_allclose(
            chief[name], alone[name], rtol=0, atol=1e-5, err_msg=name
        )


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one_process(undisturbed, alone):
    check_against_one(undisturbed, 2, alone)
    for stage in ("psnr", "gan"):
        # The chief alone writes them.
        assert len(list(undisturbed.glob(f"{stage}/logs/events.*"))) == 1
    assert (undisturbed / "gan/validation.json").is_file()
    assert not list(undisturbed.glob("**/.partial.*"))


@pytest.mark.slow
def test_three_workers_take_the_steps_of_one_process(shared, tmp_path, alone):
    require_success(train(tmp_path, shared, 3))
    check_against_one(tmp_path, 3, alone)


def check_it_goes_on(folder, shared, step, undisturbed):
    ends = train(folder, shared, 2)
    require_success(ends)
    assert f"gan: resumed at step {step}" in ends[0][1]
    for worker in range(2):
        assert_bit_equal(
            kept(folder, "gan", worker), kept(undisturbed, "gan", worker)
        )


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_killed_worker_ends_all_and_the_next_run_goes_on(
    shared, tmp_path, undisturbed, victim
):
    # In stage 2, 5 steps after its second checkpoint.
    at = f"{signal.SIGKILL.value}:{TINY['psnr_steps'] + 25}"
    ends = train(tmp_path, shared, 2, signals={victim: at})
    assert ends[victim][0] == -signal.SIGKILL
    status, text = ends[1 - victim]
    assert status == 1
    assert "start the same command again on all workers" in text
    assert "Traceback" not in text
    assert (tmp_path / "gan/checkpoints/ckpt-20.index").is_file()
    assert not (tmp_path / "gan/generator.keras").exists()
    check_it_goes_on(tmp_path, shared, 20, undisturbed)


@pytest.mark.slow
def test_sigterm_to_one_worker_saves_and_ends_all(
    shared, tmp_path, undisturbed
):
    at = f"{signal.SIGTERM.value}:{TINY['psnr_steps'] + 23}"
    ends = train(tmp_path, shared, 2, signals={1: at})
    for status, text in ends:
        assert status == 128 + signal.SIGTERM
        assert "gan: stopped at step 23 of 50 and saved" in text
    assert (tmp_path / "gan/checkpoints/ckpt-23.index").is_file()
    check_it_goes_on(tmp_path, shared, 23, undisturbed)


def test_workers_with_other_settings_end_with_one_line(shared, tmp_path):
    each = [{"batch_size": size} for size in (6, 4)]
    ends = train(tmp_path, shared, 2, options=each)
    for status, text in ends:
        assert status == 1
        assert "the workers differ in settings" in text
        assert "Traceback" not in text
    assert not (tmp_path / "psnr").exists()


def test_no_cluster_is_one_line(shared, tmp_path):
    ends = train(tmp_path, shared, 1, options={"strategy": "multi_worker"})
    status, text = ends[0]
    assert status == 1
    assert "set TF_CONFIG" in text.splitlines()[-1]
