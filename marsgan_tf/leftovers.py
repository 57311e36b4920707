"""Names of unfinished files that tell who makes them.

What a killed process leaves is told from what another one is writing, and
removed by the next that writes in the same folder. A process that a signal
ends removes its own (`signals`).
"""

import atexit
import contextlib
import functools
import hashlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable

_NAME = re.compile(r"\.partial\.([0-9a-f]{8})-(\d+)-(\d+)\.[0-9a-f]{8}\.")


def temporary_name(path: str) -> str:
    """A new name beside `path`, hidden and with the same extension.

    What dead processes of this machine have left in that folder is removed;
    what belongs to other machines, or to nobody that can be told, stays.
    """
    folder, name = os.path.split(path)
    process = os.getpid()
    _enter(os.path.abspath(folder), process)
    hidden = f"{_prefix(process)}{uuid.uuid4().hex[:8]}.{name}"
    return os.path.join(folder, hidden)


@functools.lru_cache(maxsize=1000)
def _enter(folder: str, process: int) -> None:
    """Once a folder and process, since an archive's has many files."""
    _sweep(folder, _is_left)
    own = _prefix(process)
    atexit.register(_sweep, folder, lambda name: name.startswith(own))


def _sweep(folder: str, is_wanted: Callable[[str], bool]) -> None:
    with contextlib.suppress(OSError):
        for name in filter(is_wanted, os.listdir(folder)):
            _remove(os.path.join(folder, name))


def _prefix(process: int) -> str:
    """Of the names of a living process."""
    return f".partial.{_machine()}-{process}-{_start_of(process)}."


def _is_left(name: str) -> bool:
    """Whether its maker is known to have ended."""
    found = _NAME.match(name)
    if not found or found[1] != _machine():
        return False
    return _start_of(int(found[2])) != int(found[3])


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        # Threads that still write there find it no more.
        gone = f"{path}.gone"
        with contextlib.suppress(OSError):
            os.rename(path, gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(path)


@functools.cache
def _machine() -> str:
    """This boot of this machine, or container: where a process has a number."""
    told = [socket.gethostname()]
    with contextlib.suppress(OSError):
        told.append(os.readlink("/proc/self/ns/pid"))
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            told.append(file.read())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


def _start_of(process: int) -> int:
    """When a process began, in ticks since the boot; 0 if there is none."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # Behind the name, which may hold anything, parentheses as well.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[19])
