"""Many commands in few seconds: processes forked where all is loaded.

A server loads the libraries that prediction needs, but no model, and starts
no thread. For every command it forks, and the child runs the module as
`python -m` does. Signals and limits that a command sets die with the child.
"""

import contextlib
import importlib
import json
import os
import pathlib
import runpy
import subprocess
import sys
import traceback

ROOT = pathlib.Path(__file__).parent.parent
MODULE = "marsgan_tf.predict"
LIBRARIES = (
    "marsgan_tf.config_flags",
    "marsgan_tf.inference.predicting",
    "openvino",
    "absl.app",
)


@contextlib.contextmanager
def commands():
    """Yields `run(arguments, code="")`: exit status and stderr of a command.

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
    for library in LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(*json.loads(line))) + "\n")
        sys.stdout.flush()


def _run(arguments, code):
    # Not into a file, which a limit on files would cut off.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, sys.stdout.fileno())
        os.dup2(writing, sys.stderr.fileno())
        os._exit(_status_of(arguments, code))
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text


def _status_of(arguments, code):
    try:
        sys.argv = ["predict", *arguments]
        exec(code, {})
        runpy.run_module(MODULE, run_name="__main__")
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
