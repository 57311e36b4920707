"""The fault matrix holds for our commands, and finds a careless one out."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import fault_kinds
import pytest

ROOT = pathlib.Path(__file__).parent.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
}
CARELESS = """
import dataclasses, json, pathlib, sys
import careless, fault_kinds, fault_matrix
matrix = fault_matrix.Matrix(pathlib.Path(sys.argv[1]))
found = [
    dataclasses.asdict(end)
    for fault in fault_kinds.FAULTS
    for end in matrix.run(careless.COMMAND, fault)
]
print(json.dumps(found))
"""
COMMANDS = (
    "build",
    "train",
    "export",
    "predict",
    "evaluate",
    "coregister",
    "archive",
)


def _run(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def _lost(ends):
    return [end for end in ends if end["verdict"] == "lost"]


def _assert_nothing_lost(ends):
    lost = _lost(ends)
    # A list's repr is cut off, and a loss at a moment may not come again.
    assert not lost, "\n\n".join(
        " | ".join(map(str, end.values())) for end in lost
    )


def _run_matrix(command, *faults):
    chosen = [f"--fault={fault}" for fault in faults]
    return _run(
        "tests/fault_matrix.py", "--json", f"--command={command}", *chosen
    )


@pytest.mark.slow
def test_predict_outlives_a_few_faults():
    ends = _run_matrix("predict", "input is cut off", "SIGKILL")
    _assert_nothing_lost(ends)
    verdicts = collections.Counter(end["verdict"] for end in ends)
    assert verdicts["refused"] >= 2 and verdicts["resumed"] >= 2


# A training takes seconds; tests/test_run.py interrupts longer ones.
LEFT_OUT = {"train": ("SIGTERM", "SIGINT", "out of memory")}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_outlives_every_fault(command):
    left_out = LEFT_OUT.get(command, ())
    names = [fault.name for fault in fault_kinds.FAULTS]
    ends = _run_matrix(command, *(n for n in names if n not in left_out))
    _assert_nothing_lost(ends)
    assert len({end["fault"] for end in ends}) >= 14


def test_a_careless_command_is_found_out(tmp_path):
    lost = {
        (end["fault"], end["variant"]): end["line"]
        for end in _lost(_run("-c", CARELESS, str(tmp_path)))
    }
    assert "a traceback" in lost["input is missing", "a.bin, unlink"]
    assert "no single line" in lost["input is empty", "a.bin, empty"]
    killed = [line for (fault, _), line in lost.items() if fault == "SIGKILL"]
    assert any("b.tif is another or half one" in line for line in killed)
    assert ("locale C, odd path", "C") not in lost
