"""How commands start and end, on a command that loads nothing."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parent.parent
COMMAND = """
import dataclasses, errno, os, signal, sys, threading
from absl import logging
from marsgan_tf import config_flags, errors
from marsgan_tf.config import option

@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    name: str = option("x", "A text.")
    count: int = option(1, "A number.")
    share: float = option(0.5, "A part.")
    is_on: bool = option(False, "A switch.")
    steps: tuple[int, ...] = option((1, 2), "Numbers.")
    words: tuple[str, ...] = option((), "Texts.")
    paths: tuple[str, ...] = option((), "Paths.", is_repeated=True)

    def __post_init__(self):
        if self.count < 0:
            raise ValueError(f"`count` must be at least 0. Received: "
                             f"count={self.count}")

def run(config):
    %s

config_flags.launch(Config, run)
"""


def call(body, *flags):
    own = "OPENBLAS_NUM_THREADS"  # Commands set it; here, the tests did.
    return subprocess.run(
        [sys.executable, "-c", COMMAND % textwrap.dedent(body), *flags],
        cwd=ROOT,
        env={k: value for k, value in os.environ.items() if k != own},
        capture_output=True,
        text=True,
        check=False,
    )


def test_flags_become_the_config():
    done = call(
        "print(config)",
        "--name=a b",
        "--count=3",
        "--share=0.25",
        "--is_on",
        "--steps=4, 5,6",
        "--words=a,b",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Config(name='a b', count=3, share=0.25, is_on=True, "
        "steps=(4, 5, 6), words=('a', 'b'), paths=())\n"
    )


def test_defaults_and_empty_tuples():
    done = call("print(config.steps, config.words)", "--steps=")
    assert done.stdout == "() ()\n"


def test_repeated_flags_keep_commas_spaces_and_letters(tmp_path):
    listed = tmp_path / "listed.flags"
    listed.write_text("--paths=c=é, ü.tif\n", encoding="utf-8")
    done = call(
        "print(ascii(config.paths))",
        "--paths=a, b=1,2.tif",
        f"--flagfile={listed}",
        "--paths=x=1,2.tif,y=./3, 4=5.tif,z=6",
    )
    assert done.returncode == 0, done.stderr
    expected = (
        "a, b=1,2.tif",
        "c=é, ü.tif",
        "x=1,2.tif",
        "y=./3, 4=5.tif",
        "z=6",
    )
    assert done.stdout == ascii(expected) + "\n"


def test_later_lines_of_flagfiles_win(tmp_path):
    base, top = tmp_path / "base.flags", tmp_path / "top.flags"
    base.write_text("# shared\n--count=1\n--name=base\n")
    top.write_text(f"--flagfile={base}\n--count=2\n--steps=7\n")
    done = call(
        "print(config.name, config.count, config.steps)", f"--flagfile={top}"
    )
    assert done.stdout == "base 2 (7,)\n"


@pytest.mark.parametrize(
    "body, status, message",
    [
        ("raise errors.RasterError('a.tif: is empty')", 1, "a.tif: is empty"),
        ("raise errors.ModelError('two\\nlines')", 1, "two lines"),
        ("raise errors.Interrupted('saved', signal.SIGTERM)", 143, "saved"),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "interrupted"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "interrupted"),
        ("b'a' * 2**62", 1, "the memory does not suffice"),
        (
            "threading.stack_size(2**60); threading.Thread().start()",
            1,
            "the memory does not suffice",
        ),
        ("raise ImportError('a.so: failed to map segment')", 1, "the memory"),
        ("open('/none/x')", 1, "/none/x: No such file or directory"),
        ("raise OSError(errno.ENOSPC, 'No', 'f.tif')", 1, "f.tif: the disk"),
    ],
)
def test_failures_are_one_line_with_their_status(body, status, message):
    done = call(body)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


@pytest.mark.parametrize("body", ["pass", "raise errors.Interrupted('', 15)"])
def test_a_signal_at_the_very_end_adds_no_traceback(body):
    late = "atexit.register(signal.raise_signal, signal.SIGINT)"
    done = call(f"import atexit; {late}; {body}")
    assert done.returncode == -signal.SIGINT
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == ("raise" in body)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_matrices_start_no_threads():
    body = "import numpy; a = numpy.ones((900, 900)); a @ a; "
    done = call(body + "print(len(os.listdir('/proc/self/task')))")
    assert done.stdout == "1\n"


def test_a_defect_of_ours_keeps_its_traceback():
    done = call("1 / 0")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--nam=x", "Did you mean: name"),
        ("--count=many", "count"),
        ("--count=-1", "`count` must be at least 0. Received: count=-1"),
        ("--steps=1,b", "steps"),
        ("--flagfile=/none/f.flags", "/none/f.flags"),
        ("loose", "unexpected arguments loose"),
    ],
)
def test_wrong_flags_are_one_line_and_status_2(flag, message):
    done = call("pass", flag)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_help_lists_the_flags_and_succeeds():
    done = call("pass", "--help")
    assert done.returncode == 0
    for text in ("--name: A text.", "--[no]is_on", "--steps: Numbers."):
        assert text in done.stdout


def test_log_lines_are_plain():
    done = call("logging.info('built %d', 3); logging.warning('beware')")
    assert done.stderr == "built 3\nbeware\n"
