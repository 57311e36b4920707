"""Every command under every fault: how it ends, and what is left.

Run `PYTHONPATH=. python tests/fault_matrix.py --table`; `--command=NAME` and
`--fault=NAME` choose; `--moments=N` sends signals at N random moments instead.
A trial holds if the command ends right, or in one line that says why, or by
the signal that it was sent; if no file under a result's name is ever half
written; and if the next run, without the fault, ends with what an undisturbed
one makes, and leaves nothing else behind.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from marsgan_tf import config_flags

os.environ.update(config_flags.ENVIRONMENT)  # Before libraries are loaded.

import fault_commands
import fault_ends
import fault_kinds
import forked

_ADVICE = ("--resume", "--overwrite", "--retry_failed")
_PATHS = os.pathsep.join((str(forked.ROOT), str(forked.ROOT / "tests")))
_SECONDS = 180.0  # A command hangs if it takes longer.
_STARVED_SECONDS = 60.0  # Likewise, where memory is short.
_LIBRARIES = (
    *forked.LIBRARIES,
    "tensorflow",
    "keras",
    "scipy.ndimage",
    "marsgan_tf.training.run",
    "marsgan_tf.deployment.exporting",
    "marsgan_tf.assessment.evaluating",
    "marsgan_tf.assessment.registration_run",
    "pipelines.build",
    "pipelines.archive",
)


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """What a command does where nothing is wrong.

    Attributes:
        seconds: That it takes.
        events: File events in its process.
        results: Fingerprints.
    """

    seconds: float
    events: int
    results: dict


class Matrix:
    """Commands and their undisturbed runs, in a folder.

    Args:
        folder: Empty; for all work.
    """

    def __init__(self, folder):
        self._folder = folder
        self._known = {}

    def run(self, command, fault):
        """The ends of all trials of one cell."""
        if command.name not in self._known:
            self._known[command.name] = self._undisturbed(command)
        for trial in fault.trials(command):
            try:
                verdict, status, line = self._try(command, trial)
            except fault_ends.LostError as error:
                verdict, status, line = (
                    fault_ends.LOST,
                    error.status,
                    str(error),
                )
            yield fault_ends.End(
                command.name, fault.name, trial.variant, verdict, status, line
            )

    def _undisturbed(self, command):
        folder = self._fresh(command, "work")
        counts = folder / "events"

        def count():
            def hook(event, arguments):
                if fault_kinds.is_file_event(event, arguments):
                    os.write(file, b".")

            file = os.open(counts, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            sys.addaudithook(hook)

        start = time.monotonic()
        status, text = _wait(_start(command, folder, count))
        seconds = time.monotonic() - start
        if status != 0:
            raise RuntimeError(f"{command.name}: fails undisturbed: {text}")
        results = fault_commands.fingerprints(folder)
        return Undisturbed(seconds, counts.stat().st_size, results)

    def _fresh(self, command, name):
        """A folder with what the command reads, made once, and no results."""
        made = self._folder / command.name
        if not made.exists():
            _make(command, made)
        place = self._folder / "trials"
        shutil.rmtree(place, ignore_errors=True)
        folder = place / name
        shutil.copytree(made, folder / fault_commands.INPUT)
        (folder / fault_commands.OUTPUT).mkdir()
        for path in (place, *place.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        return folder

    def _try(self, command, trial):
        known = self._known[command.name]
        folder = self._fresh(command, trial.folder)
        if trial.damage is not None:
            trial.damage(folder)
        before = fault_ends.contents(folder)
        with trial.around(folder):
            ends = self._start_and_wait(command, trial, folder)
        results = fault_commands.fingerprints(folder)
        for status, text in ends:
            fault_ends.check_end(status, text, trial)
        if trial.keeps_result:
            fault_ends.check_whole(results, known, ends)
        status, line = ends[0][0], fault_ends.last_line(ends[0][1])
        if all(status == 0 for status, _ in ends):
            fault_ends.check_complete(results, known, ends, trial)
            return fault_ends.RIGHT, status, line
        is_refused = status > 0 and fault_ends.contents(folder) == before
        if not is_refused or not trial.damage:
            self._check_next(command, folder, known, status)
        if is_refused:
            return fault_ends.REFUSED, status, line
        return (
            (
                fault_ends.DIED
                if fault_ends.is_death(*ends[0], trial)
                else fault_ends.RESUMED
            ),
            status,
            line,
        )

    def _start_and_wait(self, command, trial, folder):
        known = self._known[command.name]
        if trial.environment is not None:
            return [_run_alone(command, folder, trial.environment)]
        prepare = trial.prepare and (lambda: trial.prepare(known))
        started = [
            _start(command, folder, prepare) for _ in range(1 + trial.twice)
        ]
        return [_wait(each, may_hang=trial.may_die) for each in started]

    def _check_next(self, command, folder, known, status):
        """The run after, without the fault, as its messages advise."""
        made = self._folder / command.name
        inputs = folder / fault_commands.INPUT
        shutil.rmtree(inputs)
        shutil.copytree(made, inputs)
        output = folder / fault_commands.OUTPUT
        output.mkdir(exist_ok=True)
        output.chmod(0o777)
        extra = ()
        for _ in range(2):
            found, text = _wait(_start(command, folder, None, *extra))
            line = fault_ends.last_line(text)
            advised = [flag for flag in _ADVICE if flag in line]
            if found == 0 or not advised:
                break
            extra = advised[:1]
        if found != 0:
            raise fault_ends.LostError(status, f"the next run fails: {line}")
        results = fault_commands.fingerprints(folder)
        left = [name for name in results if not fault_ends.is_named(name, text)]
        results = {name: results[name] for name in left}
        if results != known.results:
            raise fault_ends.LostError(
                status,
                f"the next run {fault_ends.difference(results, known.results)}",
            )


def _make(command, folder):
    """In a process of its own: the models' maker starts TensorFlow."""
    child = os.fork()
    if not child:
        status = 1
        try:
            folder.mkdir()
            command.make(folder)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{command.name}: its files cannot be made")


def _start(command, folder, prepare, *extra):
    def enter():
        os.chdir(folder)
        if prepare is not None:
            prepare()

    return forked.start(command.module, command.arguments(*extra), enter)


def _wait(started, *, may_hang=False):
    """Exit status and text.

    Args:
        started: The command.
        may_hang: Whether it may have to be killed, as where a library's thread
            finds no memory to start with.
    """
    try:
        return started.wait(_STARVED_SECONDS if may_hang else _SECONDS)
    except TimeoutError as error:
        if may_hang:
            return -signal.SIGKILL, f"{error}\n{fault_ends.HUNG}"
        raise fault_ends.LostError(
            None, f"hangs: {str(error)[-300:]}"
        ) from None


def _run_alone(command, folder, environment):
    done = subprocess.run(
        [sys.executable, "-m", command.module, *command.arguments()],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": _PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def run(commands, faults):
    """All trials, in a folder that is removed."""
    forked.load(_LIBRARIES)
    # No TemporaryDirectory, which forked processes would remove as they end.
    folder = tempfile.mkdtemp(prefix="marsgan_faults_")
    try:
        os.chmod(folder, 0o755)
        matrix = Matrix(pathlib.Path(folder))
        for fault in faults:
            for command in commands:
                yield from matrix.run(command, fault)
    finally:
        shutil.rmtree(folder)


def _chosen_faults(chosen):
    if chosen.moments:
        return [fault_kinds.at_random_moments(chosen.moments, chosen.seed)]
    every = [fault.name for fault in fault_kinds.FAULTS]
    wanted = chosen.fault or every
    return [fault for fault in fault_kinds.FAULTS if fault.name in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [command.name for command in fault_commands.COMMANDS]
    faults = [fault.name for fault in fault_kinds.FAULTS]
    parser.add_argument("--command", action="append", choices=names)
    parser.add_argument("--fault", action="append", choices=faults)
    parser.add_argument("--moments", type=int, help="signals a command")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--table", action="store_true", help="as Markdown")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    ends = []
    for end in run(
        [
            command
            for command in fault_commands.COMMANDS
            if command.name in (chosen.command or names)
        ],
        _chosen_faults(chosen),
    ):
        ends.append(end)
        if not chosen.json:
            sys.stdout.write(
                f"{end.command} | {end.fault} | {end.variant} | {end.verdict} "
                f"({end.status}): {end.line[:4000]}\n"
            )
            sys.stdout.flush()
    if chosen.json:
        sys.stdout.write(json.dumps(list(map(dataclasses.asdict, ends))))
    if chosen.table:
        sys.stdout.write(f"\n{fault_ends.table(ends)}\n")
    sys.exit(any(end.verdict == fault_ends.LOST for end in ends))


if __name__ == "__main__":
    main()
