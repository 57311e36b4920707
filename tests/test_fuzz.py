"""The fuzzer finds what it is to find, and finds nothing in the code."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import fuzz
import fuzz_targets
import pytest

from marsgan_tf import errors

ROOT = pathlib.Path(__file__).parent.parent


def _fuzz(cases, minutes, *flags):
    """Runs the command; the tallies by target."""
    ended = subprocess.run(
        [sys.executable, "tests/fuzz.py", "--json", *flags]
        + [f"--cases={cases}", f"--minutes={minutes}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def _assert_clean(tallies, targets):
    assert tallies.keys() == {target.name for target in targets}
    assert {name: t["defects"] for name, t in tallies.items()} == {
        name: {} for name in tallies
    }
    # Both ends are met: a fuzzer that only ever fails tests nothing.
    total = [t["outcomes"].get(fuzz.RIGHT, 0) for t in tallies.values()]
    refused = [t["outcomes"].get(fuzz.ERROR, 0) for t in tallies.values()]
    assert sum(total) and sum(refused)


def test_few_damaged_files_are_refused_or_right():
    light = [t for t in fuzz_targets.TARGETS if not t.is_heavy]
    _assert_clean(_fuzz(300, 0.15, "--light"), light)


@pytest.mark.slow
def test_many_damaged_files_are_refused_or_right():
    _assert_clean(_fuzz(4000, 4), fuzz_targets.TARGETS)


def _fail(error):
    def run(state, work, random):
        raise error

    return run


def _leave(state, work, random):
    (work / "a.partial").touch()


def _die(state, work, random):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "run, outcome, detail",
    [
        (_fail(errors.RasterError("a.tif: is damaged")), fuzz.ERROR, ""),
        (_fail(OSError("no")), fuzz.ERROR, ""),
        (_fail(errors.RasterError("a\nb")), fuzz.DEFECT, "of several lines"),
        (_fail(KeyError("a")), fuzz.DEFECT, "KeyError"),
        (_leave, fuzz.DEFECT, "leaves a.partial"),
        (lambda *_: None, fuzz.RIGHT, ""),
        (_die, fuzz.DEFECT, "ends the process with -9"),
        (lambda *_: time.sleep(60), fuzz.DEFECT, "hangs"),
    ],
)
def test_each_end_of_a_case_is_told(monkeypatch, run, outcome, detail):
    if detail == "hangs":
        monkeypatch.setattr(fuzz, "_CASE_S", 0.5)
    target = fuzz_targets.Target("a", 1, lambda folder: None, run)
    tally = fuzz.run(target, 0, range(2), time.monotonic() + 60)
    assert tally.outcomes == {outcome: 2}
    assert all(told.startswith(detail) for told in tally.defects)
    assert bool(tally.defects) == (outcome == fuzz.DEFECT)
