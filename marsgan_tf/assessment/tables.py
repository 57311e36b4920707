"""Tables of figures as CSV, JSON and Markdown.

CSV and JSON keep every digit; Markdown rounds, for reading. A figure that
does not exist is None: an empty cell, JSON's null, a dash. NaN counts as
None. JSON has no infinity, so that of a PSNR becomes the string "Infinity".
"""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marsgan_tf import staging

Cell = str | int | float | None
Row = Mapping[str, Cell]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: In CSV and JSON; it carries the unit.
        heading: In Markdown.
        decimals: Of its numbers in Markdown.
    """

    key: str
    heading: str
    decimals: int = 0


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of figures, and what they come to.

    Attributes:
        title: In one line.
        columns: In their order.
        rows: By the columns' keys; a key that is missing is None.
        summary: Rows such as means, of the same keys, apart from the others
            in JSON and after them elsewhere.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    summary: tuple[Row, ...] = ()


def to_csv(table: Table) -> str:
    """Header, rows, then the summary's; lines end with a line feed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.key for column in table.columns)
    for row in (*table.rows, *table.summary):
        cells = (_known(row.get(column.key)) for column in table.columns)
        writer.writerow("" if cell is None else cell for cell in cells)
    return text.getvalue()


def to_json(table: Table) -> str:
    """An object with `title`, `columns`, `rows` and `summary`."""
    keys = [column.key for column in table.columns]
    return json.dumps(
        {
            "title": table.title,
            "columns": keys,
            "rows": [_json_row(row, keys) for row in table.rows],
            "summary": [_json_row(row, keys) for row in table.summary],
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


def to_markdown(table: Table) -> str:
    """A GitHub table under the title in bold; the summary in bold too."""
    lines = [f"**{_escaped(table.title)}**", ""]
    lines.append(_markdown_row(column.heading for column in table.columns))
    is_number = [
        any(isinstance(row.get(column.key), int | float) for row in table.rows)
        for column in table.columns
    ]
    lines.append(_markdown_row("---:" if n else "---" for n in is_number))
    for row in table.rows:
        lines.append(_markdown_row(_shown(row, table.columns)))
    for row in table.summary:
        shown = _shown(row, table.columns)
        bold = (
            f"**{cell}**" if cell not in ("", "-") else cell for cell in shown
        )
        lines.append(_markdown_row(bold))
    return "\n".join(lines) + "\n"


def write(table: Table, stem: str) -> tuple[str, str, str]:
    """Writes `stem.csv`, `stem.json` and `stem.md`, each when it is whole.

    Returns:
        The three paths.

    Raises:
        OSError: If one cannot be written.
    """
    texts = {".csv": to_csv, ".json": to_json, ".md": to_markdown}
    for extension, render in texts.items():
        with staging.staged(stem + extension) as temporary:
            with open(temporary, "w", encoding="utf-8", newline="") as file:
                file.write(render(table))
    csv_path, json_path, md_path = (stem + extension for extension in texts)
    return csv_path, json_path, md_path


def _known(cell: Any) -> Any:
    is_nan = isinstance(cell, float) and math.isnan(cell)
    return None if is_nan else cell


def _json_row(row: Row, keys: Sequence[str]) -> dict[str, Cell]:
    cells = {key: _known(row.get(key)) for key in keys}
    return {
        key: _infinity(cell) if isinstance(cell, float) else cell
        for key, cell in cells.items()
    }


def _infinity(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "Infinity" if number > 0.0 else "-Infinity"


def _shown(row: Row, columns: Sequence[Column]) -> list[str]:
    return [_format(row.get(column.key), column) for column in columns]


def _format(cell: Cell, column: Column) -> str:
    cell = _known(cell)
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return _escaped(cell)
    return f"{cell:.{column.decimals}f}"


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
