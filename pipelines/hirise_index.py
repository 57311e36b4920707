"""Reads an index of the PDS archive, row by row, as its label describes it.

References: https://hirise-pds.lpl.arizona.edu/PDS/INDEX/RDRCUMINDEX.LBL for
what HiRISE's has; PDS Standards Reference 3.8, appendix A.29, for what
START_BYTE and BYTES count: from 1, quotation marks and commas left out.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import logging

from marsgan_tf import errors
from pipelines import hirise


@dataclasses.dataclass(frozen=True)
class Column:
    """Where a row has a value.

    Attributes:
        place: Its number among the columns, from 0.
        start: Its first byte, from 0.
        end: The byte behind its last.
    """

    place: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Table:
    """An index.

    Attributes:
        path: The file of rows.
        row_bytes: Of a row, with the end of its line.
        columns: By name.
    """

    path: str
    row_bytes: int
    columns: dict[str, Column]


def read_table(label_path: str, names: Sequence[str]) -> Table:
    """Reads an index's label.

    Args:
        label_path: The label; the table lies beside it.
        names: Columns that are wanted.

    Raises:
        DatasetError: If it describes no table, or not all these columns, or
            the table is not there.
    """
    try:
        tree = hirise.load_pvl(label_path)
    except errors.RasterError as error:
        raise errors.DatasetError(str(error)) from None
    name = next((key for key in tree.keys() if key.endswith("INDEX_TABLE")), "")
    name = name.lstrip("^")
    if name not in tree or f"^{name}" not in tree:
        raise errors.DatasetError(
            f"{label_path}: describes no index: give RDRCUMINDEX.LBL"
        )
    try:
        described = dict(_described(tree[name]))
        row_bytes = int(tree[name]["ROW_BYTES"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise errors.DatasetError(
            f"{label_path}: its description of the table is damaged: fetch it "
            "again"
        ) from None
    missing = [wanted for wanted in names if wanted not in described]
    if missing:
        raise errors.DatasetError(
            f"{label_path}: its table has no column {missing[0]}: leave out "
            "the flag that asks for it"
        )
    path = _beside(label_path, str(tree[f"^{name}"]))
    return Table(path, row_bytes, described)


def _described(table: Any) -> Iterator[tuple[str, Column]]:
    """Names and places of a table's columns.

    Raises:
        KeyError: If something is missing; ValueError and TypeError: if it is
            no place.
    """
    for place, column in enumerate(_all(table, "COLUMN")):
        start, size = int(column["START_BYTE"]) - 1, int(column["BYTES"])
        if start < 0 or size < 0:
            raise ValueError("a column before the row")
        yield str(column["NAME"]), Column(place, start, start + size)


def rows(table: Table, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yields the wanted values of each row; memory is that of one row.

    Rows that are not as the label says are left out, and their number told.

    Args:
        table: The index.
        names: Columns that are wanted.
    """
    wanted = [(name, table.columns[name]) for name in names]
    skipped = 0
    with open(table.path, "rb") as file:
        for line in file:
            values = _split(line, table)
            if values is not None:
                yield {name: values(column) for name, column in wanted}
            elif line.strip():
                skipped += 1
    if skipped:
        logging.warning(
            "%s: %d rows are not as the label says, and left out",
            table.path,
            skipped,
        )


def _split(line: bytes, table: Table) -> Callable[[Column], str] | None:
    """What gives a row's value in a column; None if the row is damaged.

    A value that is wider than its column shifts what is behind it; then the
    commas tell.
    """
    if len(line.rstrip(b"\r\n")) + 2 == table.row_bytes:
        return lambda column: _text(line[column.start : column.end])
    try:
        fields = next(csv.reader([_text(line)], skipinitialspace=True), [])
    except csv.Error:
        return None
    if len(fields) != len(table.columns):
        return None
    return lambda column: fields[column.place].strip()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()


def _all(table: Any, kind: str) -> list[Any]:
    return table.getall(kind) if kind in table else []


def _beside(label_path: str, name: str) -> str:
    """The table beside its label, the case of its name not minded.

    Raises:
        DatasetError: If it is not there.
    """
    folder = os.path.dirname(label_path)
    for found in sorted(os.listdir(folder or ".")):
        if found.lower() == name.lower():
            return os.path.join(folder, found)
    raise errors.DatasetError(
        f"{label_path}: its table {os.path.basename(name)} is not beside it: "
        "fetch that too"
    )
