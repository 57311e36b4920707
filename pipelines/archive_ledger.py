"""`ledger.jsonl`: what became of each scene of an archive, a line each."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from typing import Any, Self

from absl import logging

from marsgan_tf import field_types

FILE_NAME = "ledger.jsonl"
DONE, FAILED = "done", "failed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One scene that came to its end.

    Attributes:
        input: Absolute path of the image.
        output: Name of the result within the folder.
        status: `DONE` or `FAILED`.
        error: Why it failed, in one line; empty if it did not.
        seconds: That it took.
        model: What `predicting.identity` tells of the model.
        settings: Of the prediction, those that are not the default.
    """

    input: str
    output: str
    status: str
    error: str
    seconds: float
    model: str
    settings: dict[str, Any]

    def to_line(self) -> bytes:
        """The ledger's line, with its end."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Parses `to_line`'s bytes.

        Raises:
            ValueError: If they are something else.
        """
        try:
            entry = cls(**json.loads(line))
            field_types.require(entry)
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from None
        if os.path.basename(entry.output) != entry.output:
            raise ValueError("a result outside the folder")
        if entry.status not in (DONE, FAILED):
            raise ValueError(f"status {entry.status}")
        return entry


class Ledger:
    """An open ledger, of which this process is the only writer.

    Attributes:
        entries: The last of each output, by its name.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.entries: dict[str, Entry] = {}
        self._read()

    def append(self, entry: Entry) -> None:
        """Adds a line; it is on the disk when this returns.

        Raises:
            OSError: If it cannot be written; it names the file.
        """
        line = entry.to_line()
        try:
            if os.write(self._descriptor, line) < len(line):
                raise OSError("only a part of a line could be written")
            os.fsync(self._descriptor)
        except OSError as error:
            error.filename = self._path
            raise
        self.entries[entry.output] = entry

    def _read(self) -> None:
        with open(self._path, "rb") as file:
            content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            # A kill cut the last line short; its scene counts as unfinished.
            os.ftruncate(self._descriptor, whole)
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                entry = Entry.from_line(line)
            except ValueError:
                logging.warning(
                    "%s: line %d cannot be read and does not count",
                    self._path,
                    number,
                )
                continue
            self.entries[entry.output] = entry


@contextlib.contextmanager
def opened(folder: str) -> Iterator[Ledger]:
    """Opens the ledger of a folder, which is made if missing.

    Nobody else may write it meanwhile: see `archive_lock.owned`.

    Raises:
        OSError: If it cannot be opened.
    """
    path = os.path.join(folder, FILE_NAME)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        yield Ledger(path, descriptor)
    finally:
        os.close(descriptor)
