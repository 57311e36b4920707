"""Tables as HTML. Whatever comes from users is escaped."""

import html
import math
from collections.abc import Callable, Collection

from marsgan_tf.assessment.tables import Cell, Column, Row, Table

# Turns a cell's text, escaped, into what stands there.
Decorate = Callable[[Row, Column, str], str]
Marks = Collection[tuple[int, str]]


def to_html(
    table: Table,
    *,
    best: Marks = (),
    grouped_by: str = "",
    decorate: Decorate | None = None,
) -> str:
    """A `<table>`, without its title.

    Args:
        table: Numbers are rounded as in Markdown.
        best: Row number and column key of the cells to point out.
        grouped_by: Key of a column; where its cell changes, a group begins.
        decorate: For cells that are more than text.
    """
    numeric = {
        column.key: any(
            isinstance(row.get(column.key), int | float) for row in table.rows
        )
        for column in table.columns
    }
    head = "".join(
        f'<th scope="col"{_class("number" if numeric[column.key] else "")}>'
        f"{html.escape(column.heading)}</th>"
        for column in table.columns
    )
    body, group = [], None
    for number, row in enumerate(table.rows):
        starts = bool(grouped_by) and number > 0 and row[grouped_by] != group
        group = row.get(grouped_by)
        cells = "".join(
            _cell(
                row,
                column,
                numeric[column.key],
                is_best=(number, column.key) in best,
                decorate=decorate,
            )
            for column in table.columns
        )
        body.append(f"<tr{_class('first' if starts else '')}>{cells}</tr>")
    foot = "".join(
        "<tr>"
        + "".join(
            _cell(row, column, numeric[column.key]) for column in table.columns
        )
        + "</tr>"
        for row in table.summary
    )
    return (
        '<div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
        + (f"<tfoot>{foot}</tfoot>" if foot else "")
        + "</table></div>"
    )


def text(cell: Cell, decimals: int = 0) -> str:
    """A cell as it is shown, escaped."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "\u2013"
    if isinstance(cell, str):
        return html.escape(cell)
    if math.isinf(cell):
        return "\u221e" if cell > 0 else "\u2212\u221e"
    return f"{cell:.{decimals}f}".replace("-", "\u2212")


def _cell(
    row: Row,
    column: Column,
    is_number: bool,
    *,
    is_best: bool = False,
    decorate: Decorate | None = None,
) -> str:
    shown = text(row.get(column.key), column.decimals)
    if decorate is not None:
        shown = decorate(row, column, shown)
    names = ["number"] * is_number + ["best"] * is_best
    return f"<td{_class(' '.join(names))}>{shown}</td>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
