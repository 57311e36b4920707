"""The benchmarks of prediction, at their smallest."""

import pathlib
import subprocess
import sys

import models
import numpy as np
import pytest

from benchmarks import bench_halo, bench_predict, contenders
from benchmarks import prediction_inputs as inputs

ROOT = pathlib.Path(__file__).parent.parent


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def table(text):
    """Cells of the rows that begin with a label or a number."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_halo_of_the_whole_reach_leaves_nothing(capsys, monkeypatch):
    pytest.importorskip("openvino")
    model = models.exported("plain")
    arguments = ["--side=48", "--tile=24", f"--halos=4,{models.REACH_PX}"]
    monkeypatch.setattr(sys, "argv", ["", f"--models={model}", *arguments])
    bench_halo.main()
    _, short, whole, _, eight, sixteen = table(capsys.readouterr().out)
    assert float(short[1]) > 0.1
    assert float(whole[1]) < 1e-3
    ratio = (2**16 - 1) / (2**8 - 1)
    assert float(sixteen[1]) == pytest.approx(ratio * float(eight[1]), rel=0.05)


def test_predict_times_whole_commands_and_bare_networks():
    pytest.importorskip("openvino")
    done = call(
        "benchmarks.bench_predict",
        f"--models={models.exported('plain')}",
        *("--side=32", "--small_side=32", "--tile=32", "--repeats=1"),
        *("--engines=openvino", "--precisions=float32"),
    )
    assert done.returncode == 0, done.stderr
    _, whole, bare = table(done.stdout)
    assert (whole[0], bare[0]) == ("whole: ours, OpenVINO", "bare: OpenVINO")
    assert (
        0 < float(whole[2].replace(",", "")) < float(bare[2].replace(",", ""))
    )
    assert "PyTorch skipped" in done.stdout


def test_other_answers_are_told():
    def row(precision, rms, largest):
        program = contenders.Program(precision, precision, True, "npy", ())
        return bench_predict.Row(program, 1.0, None, 1.0, rms, largest)

    rows = [
        row("float32", 0.1, 1.0),
        row("float32", 0.1, 3.0),
        row("bfloat16", 4.0, 900.0),
        row("bfloat16", 60.0, 900.0),
    ]
    assert bench_predict.disagreeing(rows, 1000.0) == [
        "float32 in float32",
        "bfloat16 in bfloat16",
    ]


def test_difference_is_in_dn(tmp_path):
    first = np.full((8, 8), 200, np.uint16)
    second = first.copy()
    second[3, 3] = 206
    second[0, 0] = 999  # In the rim, which does not count.
    unit = np.full((8, 8), 0.5, np.float32)
    for name, image in (("a", first), ("b", second), ("unit", unit)):
        np.save(tmp_path / f"{name}.npy", image)
    a, b, unit = (str(tmp_path / f"{n}.npy") for n in ("a", "b", "unit"))
    assert inputs.difference(a, b, 1.0) == pytest.approx((1.0, 6.0))
    assert inputs.difference(a, unit, 420.0) == pytest.approx((10.0, 10.0))


@pytest.mark.parametrize("name", ["bench_halo", "bench_predict"])
def test_help(name):
    done = call(f"benchmarks.{name}", "--help")
    assert done.returncode == 0, done.stderr
    assert "--models" in done.stdout
