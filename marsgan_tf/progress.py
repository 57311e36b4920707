"""Progress of a long run: a bar on a terminal, plain lines elsewhere."""

import atexit
import sys
import time
from types import TracebackType
from typing import Self

import tqdm
from absl import logging

_SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts units of work and tells the rate and the time that is left.

    Args:
        total: Units in all.
        unit: What is counted, plural: `scenes`, `steps`.
        label: What is being done, at the start of the line.
        done: Units that an earlier run completed; they do not count for the
            rate.
    """

    def __init__(
        self, total: int, *, unit: str, label: str, done: int = 0
    ) -> None:
        self._total = total
        self._unit = unit
        self._label = label
        self._done = done
        self._first = done
        self._start = self._last_line = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=total,
                initial=done,
                unit=f" {unit}",
                desc=label,
                dynamic_ncols=True,
            )
            # A signal may end the process before the block does.
            atexit.register(self._bar.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            atexit.unregister(self._bar.close)
        elif kind is None:
            self._write_line("")

    def advance(self, count: int = 1, note: str = "") -> None:
        """Counts `count` more units; `note` stands behind the figures."""
        self._done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._write_line(note)

    @property
    def rate(self) -> float:
        """Units a second since the start of this run."""
        elapsed = time.monotonic() - self._start
        return (self._done - self._first) / max(elapsed, 1e-9)

    def _write_line(self, note: str) -> None:
        self._last_line = time.monotonic()
        left = (self._total - self._done) / self.rate if self.rate else 0.0
        logging.info(
            "%s: %d/%d %s, %.3g %s/s, ETA %s %s",
            self._label,
            self._done,
            self._total,
            self._unit,
            self.rate,
            self._unit,
            tqdm.tqdm.format_interval(left),
            note,
        )
