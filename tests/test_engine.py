import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import dying
import pytest

from marsgan_tf import errors
from pipelines import engine


def sleep_long(folder):
    with open(f"{folder}/{os.getpid()}", "w"):
        time.sleep(60)


@pytest.mark.parametrize("workers", [1, 3])
def test_errors_do_not_stop_the_others(workers):
    outcomes = dict(engine.run_units(range(5), dying.halve, workers))
    assert [outcomes[i] for i in (0, 2, 4)] == [0, 1, 2]
    assert str(outcomes[1]) == "1 is odd"
    assert isinstance(outcomes[3], errors.DatasetError)


@pytest.mark.parametrize("workers", [1, 2])
def test_other_errors_stop_at_once(workers):
    with pytest.raises(ZeroDivisionError):
        list(engine.run_units([0, 0, 0], dying.divide, workers))


def test_nothing_to_do():
    assert list(engine.run_units([], dying.halve, 4)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_unit_that_kills_its_process_is_named(workers):
    outcomes = dict(
        engine.run_units(
            range(6), dying.die_at_three, workers, is_isolated=True
        )
    )
    killed = outcomes.pop(3)
    assert outcomes == {number: number for number in (0, 1, 2, 4, 5)}
    assert isinstance(killed, errors.WorkerKilledError)
    assert str(killed).startswith("3: its process was killed twice")


def test_a_process_that_dies_once_loses_nothing(tmp_path):
    units = [(str(tmp_path), number) for number in range(6)]
    outcomes = dict(engine.run_units(units, dying.die_once, 2))
    assert os.listdir(tmp_path) == ["died"]
    assert outcomes == {number: number for number in range(6)}


SCRIPT = """
    import sys
    sys.path[:0] = [{tests!r}]
    import test_engine
    from marsgan_tf import signals
    from pipelines import engine
    if __name__ == "__main__":
        signals.end_process("go on")
        list(engine.run_units([{folder!r}] * 2, test_engine.sleep_long, 2))
"""


def is_running(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
)
def test_workers_end_with_their_parent(tmp_path, number):
    script = tmp_path / "script.py"
    folder = tmp_path / "started"
    folder.mkdir()
    tests = os.path.dirname(__file__)
    script.write_text(
        textwrap.dedent(SCRIPT.format(tests=tests, folder=str(folder)))
    )
    root = os.path.dirname(tests)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(os.listdir(folder)) == 2)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    if number != signal.SIGKILL:
        assert (process.returncode, told) == (128 + number, "error: go on\n")
    wait_for(lambda: not any(map(is_running, os.listdir(folder))))
