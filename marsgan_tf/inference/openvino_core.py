"""The one door to OpenVINO: without its telemetry, its plugins loaded once."""

import functools
import sys

# Else its import reports to Google Analytics, with an identity that it keeps in
# the home folder, and waits up to three seconds for a process that does so. It
# goes without where the package is missing.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402


@functools.cache
def core() -> ov.Core:
    """The process's one core.

    The CPU plugin gives the thread that loads it a stack for its signal
    handlers, and unmaps that when its core is gone. Of two cores whose lives
    overlap, the second puts the first one's stack back, unmapped or not, and
    the next signal ends the process: SIGSEGV where Ctrl-C was pressed.
    """
    return ov.Core()
