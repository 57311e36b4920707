"""How signals end commands, each in a process of its own."""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from marsgan_tf import signals

ROOT = pathlib.Path(__file__).parent.parent
NUMBERS = (signal.SIGINT, signal.SIGTERM)
START = """
import atexit, os, signal, sys, threading, time
from marsgan_tf import native_output, signals, staging
number = int(sys.argv[1])
signals.end_process("go on")
"""


def call(body, number, **options):
    return subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(body), str(int(number))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def assert_ended(done, number):
    assert (done.returncode, done.stderr) == (128 + number, "error: go on\n")


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_begun_is_taken_back(tmp_path, number):
    body = """
    with staging.staged("a.txt") as name, staging.staged_folder("b") as folder:
        open(name, "w").close()
        open(os.path.join(folder, "c.txt"), "w").close()
        print(len(os.listdir()))
        sys.stdout.flush()
        signal.raise_signal(number)
        time.sleep(60)
    """
    done = call(body, number, cwd=tmp_path)
    assert_ended(done, number)
    assert done.stdout == "2\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "body",
    [
        # Python drops what is raised in a destructor, and logs it.
        """
        class Dying:
            def __del__(self):
                signal.raise_signal(number)
        Dying()
        """,
        # So does `logging`, of a handler.
        """
        import io, logging
        class Stream(io.StringIO):
            def write(self, text):
                signal.raise_signal(number)
        handler = logging.StreamHandler(Stream())
        handler.emit(logging.makeLogRecord({"msg": "a line"}))
        """,
        """
        try:
            signal.raise_signal(number)
        except BaseException:
            raise SystemError("bad argument") from None
        """,
        # stderr is elsewhere.
        """
        with native_output.held_back():
            signal.raise_signal(number)
        """,
        # dask-jobqueue sets a handler when it is imported.
        """
        from pipelines import slurm
        signal.raise_signal(number)
        """,
    ],
    ids=["destructor", "logging", "replaced", "held back", "another handler"],
)
def test_no_library_swallows_a_signal(body):
    for number in NUMBERS:
        assert_ended(call(body, number), number)


@pytest.mark.parametrize("is_full", [False, True])
def test_it_ends_where_nobody_reads_the_line(is_full):
    reading, writing = os.pipe()
    if is_full:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b" " * 4096)
        os.set_blocking(writing, True)
    else:
        os.close(reading)
    body = "signal.raise_signal(number)"
    started = subprocess.Popen(
        [sys.executable, "-c", START + body, str(int(signal.SIGTERM))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=writing,
    )
    os.close(writing)
    assert started.wait(120) == 128 + signal.SIGTERM
    if is_full:
        os.close(reading)


def test_it_ends_without_stderr():
    body = """
    sys.stderr = None
    signals.end_process("go on")
    signal.raise_signal(number)
    """
    done = call(body, signal.SIGTERM)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")


def test_a_signal_waits_for_the_end_of_what_must_not_end_midway():
    body = """
    with signals.deferred():
        signal.raise_signal(number)
        sys.stdout.write("to its end")
        sys.stdout.flush()
    """
    for number in NUMBERS:
        done = call(body, number)
        assert_ended(done, number)
        assert done.stdout == "to its end"


def test_a_second_signal_ends_at_once():
    body = """
    atexit.register(time.sleep, 60)
    atexit.register(signal.raise_signal, number)
    signal.raise_signal(number)
    """
    done = call(body, signal.SIGINT)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_what_waits_for_ever_is_not_waited_for():
    body = """
    signals._SECONDS_TO_END = 0.2
    lock = threading.Lock()
    atexit.register(lock.acquire)
    with lock:
        signal.raise_signal(number)
    """
    assert_ended(call(body, signal.SIGTERM), signal.SIGTERM)


@pytest.fixture
def heard():
    """Signals that come to handlers which are set before."""
    numbers = []
    before = {
        number: signal.signal(number, lambda number, _: numbers.append(number))
        for number in NUMBERS
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_collected_signals_are_told_and_the_next_is_as_before(heard):
    with signals.collected() as received:
        assert (received, heard) == ([], [])
        signal.raise_signal(signal.SIGTERM)
        assert (received, heard) == ([signal.SIGTERM], [])
        signal.raise_signal(signal.SIGINT)
        assert (received, heard) == ([signal.SIGTERM], [signal.SIGINT])
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]
    assert heard == [signal.SIGINT, signal.SIGTERM]


def test_handlers_are_kept(heard):
    with signals.kept():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
    assert heard == [signal.SIGINT]


def test_other_threads_leave_the_handlers_alone(heard):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        received = pool.submit(_raise_while_collected).result()
    end = time.monotonic() + 60
    while not heard and time.monotonic() < end:
        time.sleep(0.01)
    assert (received, heard) == ([], [signal.SIGTERM])


def _raise_while_collected():
    with signals.collected() as received, signals.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
    return received
