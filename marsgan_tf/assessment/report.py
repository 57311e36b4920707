"""One page that opens from disk: what an evaluation found, and a viewer.

Pictures are inside the page; the viewer's tiles, and OpenSeadragon, which
shows them, lie beside it in `tiles`. Nothing is asked of a network, which the
page's own policy forbids. Whatever comes from users is escaped.
"""

import base64
import html
import importlib.resources
import json
import os
import string
from collections.abc import Sequence
from typing import Any

from marsgan_tf import __version__
from marsgan_tf.assessment import report_cards, report_sections, tiles
from marsgan_tf.assessment.findings import Figure, Findings
from marsgan_tf.assessment.report_folder import PAGE

_VIEWER_FOLDER = "tiles/openseadragon"
_VIEWER_FILES = ("openseadragon.min.js", "LICENSE.txt")


def write(folder: str, found: Findings) -> None:
    """Writes the page, and the viewer if there is something to show.

    Args:
        folder: Holds the tables, figures and tiles.
        found: What the page says.

    Raises:
        OSError: If a file cannot be written.
    """
    if found.layers:
        _copy_viewer(folder)
    pictures = {
        figure.path: _data_url(folder, figure) for figure in found.figures
    }
    with open(os.path.join(folder, PAGE), "w", encoding="utf-8") as file:
        file.write(render(found, pictures))


def render(found: Findings, pictures: dict[str, str]) -> str:
    """The page as text.

    Args:
        found: What it says.
        pictures: What `<img>` shows for each figure's path.
    """
    return _fill(
        "report.html",
        names=html.escape(", ".join(image.name for image in found.images)),
        style=_template("report.css"),
        lead=report_sections.lead(found),
        cards=report_cards.cards(found),
        viewer=_viewer(found),
        sections="\n".join(report_sections.sections(found, pictures)),
        footer=f"Written by marsgan_tf {html.escape(__version__)}.",
        scripts=_scripts(found),
    )


def viewer_data(found: Findings) -> dict[str, Any]:
    """What the viewer's script reads."""
    labels = [layer.label for layer in found.layers]
    last = [one.name for one in found.images if one.name != found.reference]
    restored = [name for name in last if name != found.lr]
    left = found.lr or last[0]
    right = restored[0] if restored else (found.reference or last[-1])
    return {
        "width": found.width,
        "height": found.height,
        "tileSize": tiles.TILE_PX,
        "pixelMetres": found.pixel_m,
        "left": labels.index(left),
        "right": labels.index(right),
        "layers": [
            {
                "label": layer.label,
                "folder": layer.folder,
                "minLevel": layer.min_level,
                "maxLevel": layer.max_level,
                "isMap": layer.is_map,
            }
            for layer in found.layers
        ],
        "crops": [report_sections.place(crop) for crop in found.crops],
    }


def _viewer(found: Findings) -> str:
    if not found.layers:
        return ""
    return _fill("viewer.html", legend=report_cards.legend())


def _scripts(found: Findings) -> str:
    if not found.layers:
        return ""
    # A `<` could end the element that the data stands in.
    data = json.dumps(viewer_data(found)).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="viewer-data">{data}</script>\n'
        f'<script src="{_VIEWER_FOLDER}/{_VIEWER_FILES[0]}"></script>\n'
        f"<script>\n{_template('viewer.js')}</script>"
    )


def _fill(name: str, **parts: str) -> str:
    return string.Template(_template(name)).substitute(parts)


def _template(name: str) -> str:
    return (_own_files() / "templates" / name).read_text("utf-8")


def _own_files() -> Any:
    return importlib.resources.files("marsgan_tf.assessment")


def _copy_viewer(folder: str) -> None:
    target = os.path.join(folder, *_VIEWER_FOLDER.split("/"))
    os.makedirs(target, exist_ok=True)
    source = _own_files() / "vendor" / "openseadragon"
    for name in _VIEWER_FILES:
        with open(os.path.join(target, name), "wb") as file:
            file.write((source / name).read_bytes())


def _data_url(folder: str, figure: Figure) -> str:
    path: Sequence[str] = figure.path.split("/")
    with open(os.path.join(folder, *path), "rb") as file:
        return f"data:image/png;base64,{base64.b64encode(file.read()).decode()}"
