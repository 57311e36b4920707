"""The benchmark of training, at its smallest."""

import sys

import pytest
from test_benchmarks import call, table

from benchmarks import bench_train

TINY = ("--blocks=1", "--features=4", "--growth=4", "--batch_size=2")


@pytest.mark.slow
def test_times_a_step_and_its_parts():
    done = call(
        "benchmarks.bench_train",
        *TINY,
        *("--hr_size=32", "--stages=gan", "--precisions=float32"),
        *("--repeats=1", "--steps=1"),
    )
    assert done.returncode == 0, done.stderr
    assert "PyTorch skipped" in done.stdout
    _, step, _, *parts = table(done.stdout)
    assert step[:3] == ["gan", "float32", "ours"]
    rate, seconds = float(step[3]), float(step[4])
    assert rate * seconds == pytest.approx(1, rel=0.05)
    milliseconds = {row[2]: float(row[3]) for row in parts}
    assert min(milliseconds.values()) > 0
    assert set(milliseconds) == {
        "generator, forward",
        "generator, forward and backward",
        "optimizer",
        "running mean",
        "VGG, forward and backward",
        "discriminator, forward and backward",
        "input",
    }


class Answers:
    """A program whose steps take as long as it says."""

    ready_seconds = 7.0
    parts = ("step", "input")

    def __init__(self, parameters, seconds):
        self.parameters = parameters
        self.seconds = iter(seconds)

    def take(self, name, calls):
        return [next(self.seconds) for _ in range(calls)]

    def close(self):
        pass


@pytest.fixture
def arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["", "--repeats=3", "--steps=1"])
    return bench_train.parse_arguments()


def test_medians_and_ratios(monkeypatch, arguments):
    programs = {
        bench_train.OURS: Answers([5], [2.0, 9.0, 1.0, 0.1, 0.1, 0.1]),
        bench_train.PEER: Answers([5], [4.0, 3.0, 8.0]),
    }
    monkeypatch.setattr(bench_train, "start_all", lambda *_: programs)
    rows, parts = bench_train.benchmark_case("psnr", "float32", arguments)
    assert rows == [
        "| psnr | float32 | ours | 0.50 | 2.000 | 1.00 | 7 s |",
        "| psnr | float32 | PyTorch | 0.25 | 4.000 | 0.50 |  |",
    ]
    assert parts == ["| psnr | float32 | input | 100.0 | 5.0 % |"]


def test_other_networks_are_refused(monkeypatch, arguments):
    programs = {"ours": Answers([5], []), "PyTorch": Answers([6], [])}
    monkeypatch.setattr(bench_train, "start_all", lambda *_: programs)
    with pytest.raises(SystemExit, match="not the same networks"):
        bench_train.benchmark_case("psnr", "float32", arguments)
