"""Rates of programs as bars, those of one precision together."""

from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_WIDTH_INCHES, _ROW_INCHES = 8.0, 0.26
_OURS, _OTHERS = "#b3541e", "#9db4c0"


def write(
    path: str,
    labels: Sequence[str],
    rates: Sequence[float],
    *,
    unit: str,
    limits: Sequence[float | None] = (),
) -> None:
    """Writes a PNG.

    Args:
        path: The file.
        labels: Of the bars, from the top; ours have the word in them.
        rates: Their lengths.
        unit: Of the rates.
        limits: What each could not pass; a mark each, None for none.
    """
    height = 1.0 + _ROW_INCHES * len(labels)
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(labels))
    colours = [_OURS if "ours" in label else _OTHERS for label in labels]
    axes.barh(places, rates, color=colours)
    for place, limit in zip(places, limits, strict=False):
        if limit is not None:
            axes.plot([limit] * 2, [place - 0.4, place + 0.4], color="black")
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
