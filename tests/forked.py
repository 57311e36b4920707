"""Many commands in few seconds: processes forked where all is loaded.

A process loads the libraries that commands need, but no model, and starts no
thread. For every command it forks, and the child runs the module as `python
-m` does. Signals and limits that a command sets die with the child.
"""

import contextlib
import dataclasses
import importlib
import json
import multiprocessing.util
import os
import pathlib
import runpy
import select
import signal
import subprocess
import sys
import time
import traceback

from marsgan_tf import config_flags

ROOT = pathlib.Path(__file__).parent.parent
PREDICT = "marsgan_tf.predict"
LIBRARIES = (
    "marsgan_tf.config_flags",
    "marsgan_tf.inference.predicting",
    "marsgan_tf.inference.openvino_engine",
    "absl.app",
)


@contextlib.contextmanager
def commands():
    """Yields `run(arguments, code="")`: exit status and stderr of `predict`.

    `code` runs in the command's process before it starts.
    """
    paths = (str(ROOT), str(ROOT / "tests"))
    with subprocess.Popen(
        [sys.executable, "-W", "error::RuntimeWarning", __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def run(arguments, code=""):
            server.stdin.write(json.dumps([arguments, code]) + "\n")
            server.stdin.flush()
            return tuple(json.loads(server.stdout.readline()))

        yield run
        server.communicate()


def serve():
    """Runs one command a line of stdin."""
    load(LIBRARIES)
    for line in sys.stdin:
        arguments, code = json.loads(line)
        started = start(PREDICT, arguments, lambda code=code: exec(code, {}))
        sys.stdout.write(json.dumps(started.wait()) + "\n")
        sys.stdout.flush()


def load(libraries):
    """Loads what commands need, before they are forked."""
    os.environ.update(config_flags.ENVIRONMENT)
    for library in libraries:
        importlib.import_module(library)


@dataclasses.dataclass(frozen=True)
class Started:
    """A command under way.

    Attributes:
        process: Its number.
        reading: What it, and what it starts, writes to stdout and stderr.
    """

    process: int
    reading: int

    def wait(self, seconds=None):
        """Exit status, -n for signal n, and the text of all its processes.

        Raises:
            TimeoutError: If one of them still runs after `seconds`; all that
                are in the command's group are killed then.
        """
        end = seconds and time.monotonic() + seconds
        parts = []
        with open(self.reading, "rb", 0) as file:
            while _is_ready(file, end) and (part := file.read(1 << 16)):
                parts.append(part)
        is_late = bool(end) and time.monotonic() > end
        if is_late:
            os.killpg(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        text = b"".join(parts).decode(errors="replace")
        if is_late:
            raise TimeoutError(text)
        return os.waitstatus_to_exitcode(status), text


def _is_ready(file, end):
    wait = None if end is None else max(0.0, end - time.monotonic())
    return bool(select.select([file], [], [], wait)[0])


def start(module, arguments, prepare=None):
    """Starts a command; `prepare` runs in its process before it does."""
    # Not into a file, which a limit on files would cut off.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:  # Nothing may get out of here: the child would be a second parent.
            os.setpgid(0, 0)
            # Jobs in the background ignore it, and so would what they start.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(writing, sys.stdout.fileno())
            os.dup2(writing, sys.stderr.fileno())
            status = _status_of(module, arguments, prepare)
            # Of what is done at an exit, all that is the child's own.
            multiprocessing.util._exit_function()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    return Started(child, reading)


def _status_of(module, arguments, prepare):
    try:
        sys.argv = [module, *arguments]
        if prepare is not None:
            prepare()
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    serve()
