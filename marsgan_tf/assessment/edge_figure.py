"""The measured edges as a picture, in the layout of the paper's Figure 9.

One edge a panel, two panels a row: the region in the coarse image, the same
ground in the fine one, and both edge-spread functions over one another, with
the points at 10 and 90 %. Distances are px of the fine image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from marsgan_tf import staging
from marsgan_tf.assessment import enhancement
from marsgan_tf.assessment.enhancement import EdgePair
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.slanted_edge import EdgeLine, SlantedEdge

# Okabe and Ito's blue and vermilion: apart for the colour-blind and in grey.
_LR_COLOUR, _SR_COLOUR = "#0072B2", "#D55E00"
_PANELS_PER_ROW = 2
_PANEL_INCHES = (7.2, 2.3)
_DOTS_PER_INCH = 110
# Beyond the wider rise on either side; the rest of a plateau tells nothing.
_SHOWN_RISES = 1.6
_CURVE_POINTS = 400
_MARK: dict[str, Any] = {
    "markersize": 4.5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.6,
}


def draw_edges(
    pairs: Sequence[EdgePair], lr: np.ndarray, sr: np.ndarray
) -> Figure:
    """Draws a panel for each edge, in their order.

    Args:
        pairs: From `enhancement.measure_pairs`, at least one.
        lr: The coarse image `(height, width)` that they were measured in.
        sr: The fine one.

    Raises:
        ValueError: If there is no edge.
    """
    if not pairs:
        raise ValueError("`pairs` must hold at least one edge. Received: none")
    rows = -(-len(pairs) // _PANELS_PER_ROW)
    columns = min(len(pairs), _PANELS_PER_ROW)
    width, height = _PANEL_INCHES
    figure = Figure(
        figsize=(columns * width, rows * height + 0.4), layout="constrained"
    )
    FigureCanvasAgg(figure)
    figure.suptitle(_headline(pairs), fontsize=10)
    grid = figure.add_gridspec(rows, columns, wspace=0.12)
    for number, pair in enumerate(pairs):
        place = divmod(number, _PANELS_PER_ROW)
        _draw_panel(figure, grid[place], pair, (lr, sr))
    return figure


def write_edges(
    path: str, pairs: Sequence[EdgePair], lr: np.ndarray, sr: np.ndarray
) -> None:
    """Writes `draw_edges` as a PNG, which appears when it is whole.

    Raises:
        ValueError: If there is no edge.
        OSError: If the file cannot be written.
    """
    figure = draw_edges(pairs, lr, sr)
    with staging.staged(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)


def _headline(pairs: Sequence[EdgePair]) -> str:
    summary = enhancement.summarise([pair.rises.factor for pair in pairs])
    if summary.count < 2:
        return f"Enhancement factor {summary.mean:.2f}, of one edge"
    return (
        f"Enhancement factor {summary.mean:.2f} \u00b1 {summary.deviation:.2f} "
        f"(mean and sample standard deviation of {summary.count} edges; "
        f"95 % interval of the mean {summary.low:.2f} to {summary.high:.2f})"
    )


def _draw_panel(
    figure: Figure,
    place: SubplotSpec,
    pair: EdgePair,
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    grid = place.subgridspec(1, 3, width_ratios=(1.0, 1.0, 1.7))
    crops, profiles = [grid[0], grid[1]], grid[2]
    for spot, image, edge, region, name, colour in zip(
        crops,
        images,
        (pair.lr, pair.sr),
        (pair.region, pair.region.scaled(pair.scale)),
        (f"{pair.region.name}, LR", "SR"),
        (_LR_COLOUR, _SR_COLOUR),
        strict=True,
    ):
        axes = figure.add_subplot(spot)
        _draw_crop(axes, image, region, edge, colour)
        axes.set_title(
            name, fontsize=9, loc="left", color=colour, parse_math=False
        )
    _draw_profiles(figure.add_subplot(profiles), pair)


def _draw_crop(
    axes: Axes,
    image: np.ndarray,
    region: Region,
    edge: SlantedEdge,
    colour: str,
) -> None:
    """The region in grey, its edge, and the profile line across it."""
    crop = np.asarray(region.crop(image), np.float64)
    fit = edge.profile.fit
    axes.imshow(
        crop,
        cmap="gray",
        vmin=fit.low - 0.25 * fit.contrast,
        vmax=fit.low + 1.25 * fit.contrast,
        interpolation="nearest",
    )
    reach = np.array([-1.0, 1.0]) * max(crop.shape)
    marks = np.array(edge.marks_px)
    # Light under dark, so that a line shows on either side of the edge.
    for under, width in (("white", 2.0), (colour, 1.0)):
        axes.plot(*_points(edge.line, 0.0, reach), color=under, lw=width)
        axes.plot(*_points(edge.line, reach / 4, 0.0), color=under, lw=width)
    axes.plot(*_points(edge.line, marks, 0.0), "o", color=colour, **_MARK)
    axes.set_xlim(-0.5, crop.shape[1] - 0.5)
    axes.set_ylim(crop.shape[0] - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    size = f"{crop.shape[0]} x {crop.shape[1]} px"
    axes.set_xlabel(size, fontsize=7, labelpad=2)


def _points(
    line: EdgeLine, across_px: np.ndarray | float, along_px: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of points, from the line's middle."""
    across, along = np.broadcast_arrays(across_px, along_px)
    rows = line.row + across * line.normal_row + along * line.normal_col
    cols = line.col + across * line.normal_col - along * line.normal_row
    return cols, rows


def _draw_profiles(axes: Axes, pair: EdgePair) -> None:
    rises = pair.rises
    half = _SHOWN_RISES * max(rises.lr_rise_px, rises.sr_rise_px)
    for level, style in ((0.0, "-"), (0.1, ":"), (0.9, ":"), (1.0, "-")):
        axes.axhline(level, color="0.75", linewidth=0.6, linestyle=style)
    for edge, scale, colour, label in (
        (pair.lr, pair.scale, _LR_COLOUR, f"LR {rises.lr_rise_px:.2f} px"),
        (pair.sr, 1.0, _SR_COLOUR, f"SR {rises.sr_rise_px:.2f} px"),
    ):
        _draw_profile(axes, edge, scale, half, colour, label)
    axes.set_title(f"LR / SR = {rises.factor:.2f}", fontsize=9, loc="right")
    axes.set_xlim(-half, half)
    axes.set_ylim(-0.25, 1.25)
    axes.set_yticks([0.1, 0.5, 0.9], ["10 %", "50 %", "90 %"])
    axes.tick_params(labelsize=7, length=2, pad=2)
    axes.set_xlabel("SR px along the normal", fontsize=7, labelpad=2)
    axes.legend(
        loc="lower right",
        fontsize=7,
        frameon=False,
        handlelength=1.2,
        borderaxespad=0.2,
    )
    axes.spines[["top", "right"]].set_visible(False)


def _draw_profile(
    axes: Axes,
    edge: SlantedEdge,
    scale: float,
    half: float,
    colour: str,
    label: str,
) -> None:
    """Bins as dots, the smoothed function as a line, the erf fit dashed."""
    profile, fit = edge.profile, edge.profile.fit
    middle = sum(edge.marks_px) / 2.0

    def place(distance_px: np.ndarray) -> np.ndarray:
        return (distance_px - middle) * scale

    def share(values: np.ndarray) -> np.ndarray:
        return (values - fit.low) / fit.contrast

    first = max(profile.distance_px[0], middle - half / scale)
    last = min(profile.distance_px[-1], middle + half / scale)
    curve = np.linspace(first, last, _CURVE_POINTS)
    axes.plot(
        place(profile.distance_px),
        share(profile.values),
        ".",
        color=colour,
        markersize=5.0,
        alpha=0.4,
        markeredgewidth=0.0,
    )
    axes.plot(
        place(curve),
        share(fit.value(curve)),
        "--",
        color=colour,
        linewidth=0.8,
    )
    axes.plot(
        place(curve),
        share(profile.smooth(curve)),
        color=colour,
        linewidth=1.0,
        label=label,
    )
    axes.plot(
        place(np.array(edge.marks_px)),
        [0.1, 0.9],
        "o",
        color=colour,
        **_MARK,
    )
