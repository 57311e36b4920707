"""Predicted deviation against true error, as a picture."""

from collections.abc import Mapping

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marsgan_tf.assessment.calibration import Reliability

# Okabe and Ito's, but for the yellow.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def draw_reliability(found: Mapping[str, Reliability]) -> Figure:
    """Draws one curve an image, and the line on which they should lie.

    Args:
        found: By the images' names, at least one; in shares of the range.
    """
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, (name, one) in enumerate(found.items()):
        axes.plot(
            one.predicted,
            one.observed,
            "o-",
            color=_COLOURS[number % len(_COLOURS)],
            markersize=4,
            linewidth=1.2,
            label=f"{name}: slope {one.slope:.2f}",
        )
    top = 1.05 * max(
        max(one.predicted.max(), one.observed.max()) for one in found.values()
    )
    axes.plot([0, top], [0, top], "--", color="0.5", linewidth=0.8)
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("predicted deviation, share of the range", fontsize=8)
    axes.set_ylabel("true error, rms, share of the range", fontsize=8)
    axes.tick_params(labelsize=7)
    for text in axes.legend(fontsize=8, frameon=False).get_texts():
        text.set_parse_math(False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
