"""`<output>.png`: the local shifts, what the map leaves of them, and the fit.

Arrows start where the georeference put a tile; without one, where it would be
with the map's scale and mean shift, but not its turn. Rows and columns are the
reference's, lengths those of the coarser image's pixels.
"""

import affine
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from marsgan_tf import staging
from marsgan_tf.assessment import registration_report
from marsgan_tf.assessment.registration import Registration
from marsgan_tf.assessment.registration_levels import intersection
from marsgan_tf.assessment.registration_output import Pair
from marsgan_tf.assessment.registration_scenery import window_of
from marsgan_tf.imaging.tiling import Window

# Okabe and Ito's: apart for the colour-blind and in grey, and on grey ground.
_INLIER, _OUTLIER = "#56B4E9", "#D55E00"
_NO_DATA = "#d9c7b2"
_SIDE_PX = 900
_PANEL_INCHES = 5.6
_DOTS_PER_INCH = 110
_SQUARES = 8
# The longest arrow of most, against the longer side of a panel.
_ARROW_SHARE = 0.11
_MARGIN_SHARE = 0.03


def write(path: str, pair: Pair, found: Registration) -> None:
    """Draws a registration into a PNG, which appears when it is whole.

    Raises:
        OSError: If the file cannot be written.
        errors.RasterError: If an image is damaged.
    """
    figure = draw(pair, found)
    with staging.staged(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)


def draw(pair: Pair, found: Registration) -> Figure:
    """Three panels: shifts, residuals, and both images in a checkerboard."""
    box = _box(pair, found)
    factor = max(float(np.ptp(box, axis=0).max()) / _SIDE_PX, 1.0)
    window = window_of(box, factor)
    reference = _grey(pair, factor, window, None)
    image = _grey(pair, factor, window, found.correction)
    width, height = _size(window)
    figure = Figure(figsize=(3 * width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(_headline(pair, found), fontsize=10, parse_math=False)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    extent = _extent(window, factor)
    for axes, pixels in zip(
        panels,
        (reference, reference, _checkerboard(reference, image)),
        strict=True,
    ):
        axes.set_facecolor(_NO_DATA)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=extent)
        axes.tick_params(labelsize=7)
    votes = found.solution.votes
    fitted = _moved(votes.image, found.correction)
    starts = _starts(found)
    _draw_arrows(panels[0], found, starts)
    _draw_arrows(panels[1], found, fitted)
    names = (
        "Local shifts" if found.is_placed else "Local shifts less their mean",
        "Residuals of the map",
        "Checkerboard of reference and input",
    )
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlabel("column, px of the reference", fontsize=8)
    panels[0].set_ylabel("row, px of the reference", fontsize=8)
    return figure


def _headline(pair: Pair, found: Registration) -> str:
    names = [file.path for file in (pair.image_file, pair.reference_file)]
    image, reference = (
        name.replace("\\", "/").rsplit("/", 1)[-1] for name in names
    )
    told = f"{image} on {reference}\n{registration_report.summary(found)}"
    if found.pixel == 1.0:
        return told
    return f"{told} (px of the coarser image: {found.pixel:.4g} of the axes)"


def _box(pair: Pair, found: Registration) -> np.ndarray:
    """Common ground, with the starts of all arrows."""
    starts = _starts(found)
    corners = _moved(found.solution.corners, found.correction)
    points = np.concatenate([corners, starts])
    margin = _MARGIN_SHARE * np.ptp(points, axis=0).max()
    box = np.stack([points.min(axis=0) - margin, points.max(axis=0) + margin])
    ground = pair.frame.box(pair.reference)
    shown = np.stack(
        [
            np.minimum(ground[0], starts.min(axis=0)),
            np.maximum(ground[1], starts.max(axis=0)),
        ]
    )
    return intersection(box, shown)


def _starts(found: Registration) -> np.ndarray:
    """Where the arrows of the local shifts start, `(n, 2)`."""
    votes, matrix = found.solution.votes, found.correction
    if found.is_placed:
        return votes.image
    middle = votes.image.mean(axis=0)
    scale = float(np.sqrt(matrix.determinant))
    return np.array(matrix @ tuple(middle)) + scale * (votes.image - middle)


def _moved(points: np.ndarray, matrix: affine.Affine) -> np.ndarray:
    return np.stack(matrix @ (points[:, 0], points[:, 1]), axis=1)


def _size(window: Window) -> tuple[float, float]:
    """Of a panel, inches."""
    longer = max(window.height, window.width)
    width = max(_PANEL_INCHES * window.width / longer, 0.5 * _PANEL_INCHES)
    height = max(_PANEL_INCHES * window.height / longer, 0.4 * _PANEL_INCHES)
    return width, height + 1.0


def _extent(window: Window, factor: float) -> tuple[float, ...]:
    left, top = window.col * factor, window.row * factor
    right = left + window.width * factor
    return left, right, top + window.height * factor, top


def _grey(
    pair: Pair,
    factor: float,
    window: Window,
    correction: affine.Affine | None,
) -> np.ndarray:
    """A window stretched to [0, 1], NaN where there is no data."""
    scenery = pair.reference if correction is None else pair.image
    panel = pair.frame.panel(scenery, factor, window, correction)
    pixels, valid = panel.read(window)
    if not valid.any():
        return np.full(pixels.shape, np.nan)
    low, high = np.percentile(pixels[valid], (1.0, 99.0))
    stretched = (pixels - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.where(valid, np.clip(stretched, 0.0, 1.0), np.nan)


def _checkerboard(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    side = max(max(one.shape) // _SQUARES, 1)
    rows, columns = np.indices(one.shape) // side
    mixed = np.where((rows + columns) % 2 == 0, one, other)
    return np.where(np.isfinite(mixed), mixed, one)


def _draw_arrows(axes: Axes, found: Registration, starts: np.ndarray) -> None:
    """Arrows to where the tiles were found, the longest outliers cut."""
    inliers = found.solution.fit.inliers
    shifts = (found.solution.votes.reference - starts) / found.pixel
    lengths = np.hypot(shifts[:, 0], shifts[:, 1])
    longest = float(np.percentile(lengths[inliers], 95.0))
    unit = _round_length(longest)
    side = max(np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim()))
    scale = unit / (_ARROW_SHARE * side)
    kept = np.minimum(1.0, 3.0 * unit / np.maximum(lengths, 1e-9))
    arrows = shifts * kept[:, np.newaxis]  # Outliers must not hide the rest.
    for which, colour in ((~inliers, _OUTLIER), (inliers, _INLIER)):
        if not which.any():
            continue
        quiver = axes.quiver(
            *starts[which].T,
            *arrows[which].T,
            color=colour,
            edgecolor="black",
            linewidth=0.4,
            angles="xy",
            scale_units="xy",
            scale=scale,
            width=0.006,
            minlength=0.5,
        )
    axes.quiverkey(
        quiver,
        0.98 - 1.2 * _ARROW_SHARE,
        1.03,
        unit,
        f"{unit:g} px",
        labelpos="W",
        fontproperties={"size": 8},
    )
    axes.legend(
        handles=_legend(inliers), fontsize=7, loc="lower left", framealpha=0.8
    )


def _legend(inliers: np.ndarray) -> list[Line2D]:
    counts = {
        f"{inliers.sum()} agree": _INLIER,
        f"{(~inliers).sum()} do not": _OUTLIER,
    }
    return [
        Line2D([], [], color=colour, lw=3, label=label)
        for label, colour in counts.items()
    ]


def _round_length(length: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten, from below."""
    if length <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(length))
    return float(
        max(step * power for step in (1, 2, 5) if step * power <= length)
    )
