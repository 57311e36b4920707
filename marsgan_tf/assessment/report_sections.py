"""The parts of the page, as HTML. Whatever comes from users is escaped."""

import dataclasses
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marsgan_tf.assessment import (
    enhancement,
    honesty_tables,
    html_tables,
    paper_tables,
    report_cards,
    report_summary,
    tables,
)
from marsgan_tf.assessment.enhancement import Refusal
from marsgan_tf.assessment.findings import Figure, Findings
from marsgan_tf.assessment.regions import Region

_FIDELITY_NOTE = (
    "PSNR and MSSIM tell how near an image is to the reference: higher is "
    "better. "
)
_HONESTY_NOTE = (
    "Of the pixels where input and reference differ most, or where the image "
    "left either as far: <b>found</b> is near the reference and not near the "
    "input, <b>missed</b> is near the input and not near the reference, "
    "<b>invented</b> is near neither (improvement, omission and hallucination "
    "as in opensr-test, Aybar et al. 2024, with absolute differences). Shares "
    "sum to 1; the bicubic input itself has found 0.018, missed 0.965, "
    "invented 0.018."
)
_RESIDUAL_NOTE = (
    "The image, blurred and brought down to the input's pixels, against the "
    "input. It needs no reference. What is beyond the input's noise was not "
    "seen by the instrument; a small residual proves nothing about detail "
    "finer than the input's pixels."
)


def lead(found: Findings) -> str:
    """The first lines: what was compared."""
    size = f"{found.height} x {found.width} px"
    if found.pixel_m is not None:
        size += f" of {found.pixel_m:.4g} m"
    parts = [f"Compared on a grid of {size}"]
    if found.reference is not None:
        parts.append(f"against {html.escape(found.reference)}")
    else:
        parts.append("without a reference")
    if found.crops:
        count = len(found.crops)
        parts.append(f"in {count} crop{'s' if count > 1 else ''}")
    low, high = found.stretch.low, found.stretch.high
    return (
        f"{', '.join(parts)}. All scores and pictures take {low:.6g} for black "
        f"and {high:.6g} for white."
    )


def sections(found: Findings, pictures: Mapping[str, str]) -> Iterator[str]:
    """The sections below the viewer, those that have something to say."""
    yield _quality(found, pictures)
    if found.lr is not None:
        yield _edges(found, pictures)
    if found.honesty or found.residuals:
        yield _honesty(found, pictures)
    if found.reliability:
        yield _calibration(found, pictures)
    yield _images(found)


def place(region: Region) -> dict[str, Any]:
    """A region as the viewer's script takes it."""
    return {
        "name": region.name,
        "row": region.row,
        "col": region.col,
        "height": region.height,
        "width": region.width,
    }


def _quality(found: Findings, pictures: Mapping[str, str]) -> str:
    means = _known_columns(report_summary.mean_table(found), found)
    of = "Means over the crops" if found.crop_scores else "Of whole images"
    parts = [
        "<h2>Image quality</h2>",
        f'<p class="note">{_FIDELITY_NOTE if found.reference else ""}'
        "BRISQUE and PIQE judge an image by itself: lower is better. "
        f"{html.escape(found.brisque)}</p>",
        f"<h3>{of}</h3>",
        html_tables.to_html(
            means, best=report_summary.best_cells(means, found.reference)
        ),
    ]
    if found.crop_scores:
        parts += [
            f"<details><summary>All {len(found.crops)} crops (Table 2)"
            "</summary>",
            _crop_table(found),
            f"{_links('scores')}</details>",
            "<details><summary>Whole images</summary>",
            _whole_table(found),
            f"{_links('scores_whole')}</details>",
        ]
    parts += _figures(found, pictures, "crops")
    return f"<section>{''.join(parts)}</section>"


def _known_columns(table: tables.Table, found: Findings) -> tables.Table:
    """Without what only a reference gives, if there is none."""
    columns = tuple(
        column
        for column in table.columns
        if found.reference or not column.key.startswith(("psnr", "mssim"))
    )
    return dataclasses.replace(table, columns=columns)


def _crop_table(found: Findings) -> str:
    places = {crop.name: place(crop) for crop in found.crops}

    def decorate(row: tables.Row, column: tables.Column, shown: str) -> str:
        name = str(row["crop"])
        if column.key != "crop" or not found.layers or name not in places:
            return shown
        data = html.escape(json.dumps(places[name]), quote=True)
        return (
            f'<button type="button" data-place="{data}" '
            f'title="Show in the viewer">{shown}</button>'
        )

    table = _known_columns(paper_tables.score_table(found.crop_scores), found)
    return html_tables.to_html(
        table,
        best=report_summary.best_cells(table, found.reference, "crop"),
        grouped_by="crop",
        decorate=decorate,
    )


def _whole_table(found: Findings) -> str:
    table = paper_tables.score_table(found.whole_scores)
    rows_only = _known_columns(
        tables.Table(table.title, table.columns[1:], table.rows), found
    )
    return html_tables.to_html(
        rows_only,
        best=report_summary.best_cells(rows_only, found.reference),
    )


def _edges(found: Findings, pictures: Mapping[str, str]) -> str:
    parts = [
        "<h2>Sharpness of slanted edges</h2>",
        '<p class="note">From 10 to 90 % of the rise across an edge, in the '
        "input over that in the image: the enhancement factor (Table 3). "
        "Regions were given, or found in the input: of those, the best that "
        "can be measured in both. What finer pixels show to be crooked or no "
        "single step is refused.</p>",
    ]
    if not found.edges:
        parts.append(
            "<p>None measured: none were asked for, or none in the input is "
            "strong, straight and alone enough.</p>"
        )
    for one in found.edges:
        rises = [pair.rises for pair in one.pairs]
        parts.append(f"<h3>{html.escape(one.image)}</h3>")
        if rises:
            table = paper_tables.edge_table(rises)
            parts.append(
                f"<details><summary>{_edge_line(one.image, found)}</summary>"
                f"{html_tables.to_html(table)}</details>"
            )
            parts += _figures(found, pictures, "edges", one.image)
        else:
            parts.append("<p>No edge could be measured in both images.</p>")
        if one.refusals:
            parts.append(_refusals(one.refusals))
    return f"<section>{''.join(parts)}</section>"


def _refusals(refusals: Sequence[Refusal]) -> str:
    lines = (f"{no.name}, in the {no.image}: {no.reason}" for no in refusals)
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return (
        f"<details><summary>{len(refusals)} not measured</summary>"
        f"<ul>{listed}</ul></details>"
    )


def _edge_line(name: str, found: Findings) -> str:
    summaries = report_summary.summarise(found)
    sharp = next(one.sharpness for one in summaries if one.image == name)
    if sharp is None:
        return "All edges"
    line = f"Enhancement factor {sharp.mean:.3f}"
    if sharp.count == 1:
        return f"{line} (of one edge, which says little)"
    line += (
        f" &plusmn; {sharp.deviation:.3f} (mean and sample standard deviation "
        f"of {sharp.count} edges; "
    )
    if sharp.has_interval:
        line += (
            f"95 % interval of the mean {sharp.low:.3f} to {sharp.high:.3f})"
        )
    else:
        least = enhancement.LEAST_FOR_INTERVAL
        line += f"too few for an interval, which takes {least})"
    return line


def _honesty(found: Findings, pictures: Mapping[str, str]) -> str:
    parts = ["<h2>Honesty</h2>"]
    if found.honesty:
        table = honesty_tables.honesty_table(found.honesty)
        parts += [
            "<h3>Found, missed, invented</h3>",
            f'<p class="note">{_HONESTY_NOTE}</p>',
            html_tables.to_html(table),
            f"<p>{report_cards.legend()}</p>",
            '<div class="maps">',
            *_figures(found, pictures, "honesty"),
            "</div>",
            _links("honesty"),
        ]
    if found.residuals:
        table = honesty_tables.residual_table(
            found.residuals, found.blur_sigmas, found.stretch
        )
        parts += [
            "<h3>Residual against the input</h3>",
            f'<p class="note">{_RESIDUAL_NOTE}</p>',
            html_tables.to_html(table),
            '<div class="maps">',
            *_figures(found, pictures, "residual"),
            "</div>",
            _links("residual"),
        ]
    return f"<section>{''.join(parts)}</section>"


def _calibration(found: Findings, pictures: Mapping[str, str]) -> str:
    table = honesty_tables.calibration_table(found.reliability)
    parts = [
        "<h2>Calibration</h2>",
        '<p class="note">Whether the ensemble\'s deviation tells the true '
        "error. Calibrated: slope 1, and 68.3 % and 95.4 % of the pixels "
        "within one and two deviations. A slope above 1: too sure of "
        "itself.</p>",
        html_tables.to_html(table),
        *_figures(found, pictures, "calibration"),
        _links("calibration"),
    ]
    return f"<section>{''.join(parts)}</section>"


def _images(found: Findings) -> str:
    table = tables.Table(
        title="Images",
        columns=(
            tables.Column("name", "Name"),
            tables.Column("role", "Role"),
            tables.Column("file", "File"),
            tables.Column("size", "Size"),
        ),
        rows=tuple(
            {
                "name": one.name,
                "role": one.role,
                "file": one.file,
                "size": one.size,
            }
            for one in found.images
        ),
    )
    return f"<section><h2>Images</h2>{html_tables.to_html(table)}</section>"


def _figures(
    found: Findings,
    pictures: Mapping[str, str],
    kind: str,
    caption: str | None = None,
) -> list[str]:
    return [
        _figure(figure, pictures[figure.path])
        for figure in found.figures
        if figure.kind == kind and caption in (None, figure.caption)
    ]


def _figure(figure: Figure, shown: str) -> str:
    caption = html.escape(figure.caption, quote=True)
    return (
        f'<figure><img src="{html.escape(shown, quote=True)}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _links(name: str) -> str:
    kinds = {"csv": "CSV", "json": "JSON", "md": "Markdown"}
    links = ", ".join(
        f'<a href="{name}.{extension}">{kind}</a>'
        for extension, kind in kinds.items()
    )
    return f'<p class="note">This table as {links}.</p>'
