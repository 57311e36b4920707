"""What may go wrong around a command, each a row of the fault matrix.

A fault is met in several variants: by each file that a command reads, at
several moments, at several sizes of a disk.
"""

import contextlib
import functools
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import fault_inputs
import privileges
from fault_commands import INPUT, OUTPUT
from fault_trials import Fault, Trial

_MOMENTS = (0.1, 0.4, 0.7, 0.95)


# Places that cannot be written to.


def _as_others(undisturbed):
    privileges.obey_permissions()


def _close(folder):
    (folder / OUTPUT).chmod(0o555)


def _put_output(name):
    """Something else, dear to somebody, where a result is to be."""

    def damage(folder):
        path = folder / OUTPUT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"dear to somebody")

    return damage


def _first_output(command):
    flags = ("output", "output_dir", "workdir")
    (path,) = (command.flags[flag] for flag in flags if flag in command.flags)
    return os.path.relpath(path, OUTPUT)


def _of_taken_output(command):
    yield Trial("a file", damage=_put_output(_first_output(command)))


def _of_closed_folder(command):
    yield Trial("out", damage=_close, prepare=_as_others)


def _of_lost_folder(command):
    yield Trial("out", damage=lambda folder: (folder / OUTPUT).rmdir())


def _limit_files(size):
    def prepare(undisturbed):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def _limit_files_late(undisturbed):
    """Within the command's last file events."""
    at = max(1, int(0.8 * undisturbed.events))
    _at_event(at, lambda: _limit_files(16)(undisturbed))


def _of_file_sizes(command):
    for size in (0, 1000, 20_000):
        yield Trial(
            f"{size} bytes", prepare=_limit_files(size), keeps_result=True
        )
    yield Trial("late", prepare=_limit_files_late, keeps_result=True)


def _mount(size, folder):
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)


def _unmount(folder):
    subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def _small_disk(size, folder):
    """A file system of some pages where results go; kept as a copy."""
    output = folder / OUTPUT
    _mount(size, output)
    try:
        yield
        kept = folder / "kept"
        shutil.copytree(output, kept)
    finally:
        _unmount(output)
    output.rmdir()
    kept.rename(output)


@functools.cache
def can_mount():
    """Whether this process may make small disks."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount("4k", folder)
        except (OSError, subprocess.CalledProcessError):
            return False
        _unmount(folder)
        return True


def _of_small_disks(command):
    if not can_mount():
        return
    for kib in (4, 16, 64):
        yield Trial(
            f"{kib} KiB",
            around=lambda folder, kib=kib: _small_disk(f"{kib}k", folder),
            keeps_result=True,
        )


# Ends from outside.


def _at_event(number, act):
    """Acts when this process handles files for the n-th time.

    Counted is what Python tells of: files opened, renamed, made, removed.
    """
    left = [number]

    def hook(event, arguments):
        if not is_file_event(event, arguments):
            return
        left[0] -= 1
        if left[0] == 0:
            act()

    sys.addaudithook(hook)


def is_file_event(event, arguments):
    """Whether an audit event is one of files where commands work."""
    if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
        return False
    path = arguments[0]
    return isinstance(path, str | os.PathLike) and any(
        part in os.fspath(path).split(os.sep) for part in (INPUT, OUTPUT)
    )


def _kill_self(number):
    os.kill(os.getpid(), number)


def _signal_at_event(number, share):
    def prepare(undisturbed):
        at = max(1, round(share * undisturbed.events))
        _at_event(at, lambda: _kill_self(number))

    return prepare


def _signal_at_time(number, share):
    def prepare(undisturbed):
        timer = threading.Timer(
            share * undisturbed.seconds, _kill_self, [number]
        )
        timer.daemon = True
        # Python is itself interrupted before a command has begun.
        _at_event(1, timer.start)

    return prepare


def _of_signal(number):
    def trials(command):
        for share in _MOMENTS:
            for of, at in (
                ("file events", _signal_at_event),
                ("time", _signal_at_time),
            ):
                yield Trial(
                    f"at {share} of {of}",
                    prepare=at(number, share),
                    signal=number,
                    keeps_result=True,
                )

    return trials


def at_random_moments(count, seed):
    """SIGTERM and SIGINT at moments of which no two runs have the same."""
    drawn = random.Random(seed)

    def trials(command):
        for _ in range(count):
            number = drawn.choice([signal.SIGTERM, signal.SIGINT])
            share = drawn.uniform(0.0, 1.0)
            yield Trial(
                f"{number.name} at {share:.3f} of time",
                prepare=_signal_at_time(number, share),
                signal=number,
                keeps_result=True,
            )

    return Fault("signal at random", trials)


def _of_two(command):
    yield Trial("at once", twice=True, keeps_result=True)


# Odd surroundings.


def _limit_memory(mib):
    def prepare(undisturbed):
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        size = pages * resource.getpagesize() + mib * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    return prepare


def _of_memory(command):
    for mib in (16, 128, 512):
        yield Trial(
            f"{mib} MiB more",
            prepare=_limit_memory(mib),
            may_die=True,
            keeps_result=True,
        )


def _jump(undisturbed):
    """Every look at the clock finds another year."""
    true, looks = time.time, [0]

    def jumping():
        looks[0] += 1
        return true() + (-1) ** looks[0] * 3.15e7 * (looks[0] % 5)

    time.time = jumping
    time.time_ns = lambda: int(1e9 * jumping())


def _age(seconds):
    def damage(folder):
        for path in (folder / INPUT).rglob("*"):
            os.utime(path, (seconds, seconds))

    return damage


def _of_clock(command):
    yield Trial("jumps", prepare=_jump, keeps_result=True)
    for year, seconds in ((1970, 1), (2106, 2**32 - 2)):
        yield Trial(f"files of {year}", damage=_age(seconds), keeps_result=True)


def _of_locale(command):
    yield Trial(
        "C",
        folder="Ünïted städte von Mars & co, Лёд [1] 火星",
        environment={"LC_ALL": "C"},
        keeps_result=True,
    )


FAULTS = (
    Fault("input is missing", fault_inputs.of_files(pathlib.Path.unlink)),
    Fault("input is a folder", fault_inputs.of_files(fault_inputs.put_folder)),
    Fault(
        "input is closed to the user",
        fault_inputs.of_files(fault_inputs.hide, prepare=_as_others),
    ),
    Fault("input is empty", fault_inputs.of_files(fault_inputs.empty)),
    Fault(
        "input is something else", fault_inputs.of_files(fault_inputs.put_text)
    ),
    Fault("input is cut off", fault_inputs.of_files(fault_inputs.cut)),
    Fault(
        "a bit of the input is flipped",
        fault_inputs.of_files(
            *(fault_inputs.flip(place) for place in (0.0, 0.01, 0.5, 0.95))
        ),
    ),
    *(
        Fault(f"image: {name}", fault_inputs.of_images(change))
        for name, change in fault_inputs.CHANGES.items()
    ),
    Fault("output is taken", _of_taken_output),
    Fault("folder of the output is closed", _of_closed_folder),
    Fault("folder of the output is missing", _of_lost_folder),
    Fault("files may not grow", _of_file_sizes),
    Fault("disk is full", _of_small_disks),
    Fault("SIGKILL", _of_signal(signal.SIGKILL)),
    Fault("SIGTERM", _of_signal(signal.SIGTERM)),
    Fault("SIGINT", _of_signal(signal.SIGINT)),
    Fault("two processes on one output", _of_two),
    Fault("out of memory", _of_memory),
    Fault("clock jumps", _of_clock),
    Fault("locale C, odd path", _of_locale),
)
