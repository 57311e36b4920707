"""Time and memory of a command, as a process of its own."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a run showed.

    Attributes:
        seconds: From start to end of the process.
        cpu_seconds: Of all its threads, and of its own processes'.
        peak_mib: Largest resident memory, of it or of a process of its own.
        printed: Its standard output.
        told: Its standard error.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    printed: str
    told: str


def run(command: Sequence[str]) -> Measured:
    """Runs a command to its end.

    A child's peak of memory starts at its parent's, which must stay small.

    Raises:
        subprocess.CalledProcessError: If it fails; its words are shown.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
    ):
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        log.seek(0)
        printed, told = output.read(), log.read()
    if process.returncode:
        sys.stderr.write(told)
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 2**10,
        printed,
        told,
    )
