"""Crops of all images side by side, in the layout of the paper's Figure 8.

A crop a row, an image a column, the reference last; where the reference was
brought down, it stands there once more as it is. Of few images, several crops
stand side by side.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from marsgan_tf.assessment.common_grid import GridImage
from marsgan_tf.assessment.paper_tables import ImageScores
from marsgan_tf.assessment.regions import Region
from marsgan_tf.imaging.tiling import Window

_CELL_INCHES = 1.9
_DOTS_PER_INCH = 120
# About as many images as a page shows side by side.
_CELLS_PER_ROW = 7
_GAP = 0.12
_NO_DATA = "#d9c7b2"


def draw_crops(
    images: Sequence[GridImage],
    reference: GridImage | None,
    crops: Sequence[Region],
    scores: Sequence[ImageScores] = (),
) -> Figure:
    """Draws all crops of all images, in one grey scale: 0 black, 1 white.

    Args:
        images: A column each.
        reference: One more, if there is any.
        crops: A row each, px of the grid; at least one.
        scores: PSNR and MSSIM of those found by crop and image are written
            below.
    """
    columns = _columns(images, reference)
    panels = min(max(_CELLS_PER_ROW // len(columns), 1), len(crops))
    rows = -(-len(crops) // panels)
    known = {
        (score.crop, score.image): score
        for score in scores
        if score.psnr_db is not None
    }
    widths = (([1.0] * len(columns) + [_GAP]) * panels)[:-1]
    figure = Figure(
        figsize=(
            _CELL_INCHES * sum(widths),
            (_CELL_INCHES + (0.14 if known else 0.0)) * rows + 0.2,
        ),
        layout=ConstrainedLayoutEngine(
            w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0, compress=True
        ),
    )
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, len(widths), width_ratios=widths)
    for number, crop in enumerate(crops):
        panel, row = divmod(number, rows)
        first = panel * (len(columns) + 1)
        for place, (name, image, as_it_is) in enumerate(columns):
            axes = figure.add_subplot(grid[row, first + place])
            _draw(axes, *_pixels(image, crop, as_it_is=as_it_is))
            caption = _caption(known.get((crop.name, name)))
            axes.set_xlabel(caption, fontsize=6.5, labelpad=2)
            if row == 0:
                axes.set_title(name, fontsize=8, parse_math=False)
            if place == 0:
                _name(axes, crop.name)
    return figure


def write_crops(
    path: str,
    images: Sequence[GridImage],
    reference: GridImage | None,
    crops: Sequence[Region],
    scores: Sequence[ImageScores] = (),
) -> None:
    """Writes `draw_crops` as a PNG.

    Raises:
        OSError: If the file cannot be written.
    """
    figure = draw_crops(images, reference, crops, scores)
    figure.savefig(path, format="png", dpi=_DOTS_PER_INCH)


def _columns(
    images: Sequence[GridImage], reference: GridImage | None
) -> list[tuple[str, GridImage, bool]]:
    """Heading, image, and whether it is shown in its own pixels."""
    columns = [(image.name, image, False) for image in images]
    if reference is not None:
        columns.append((reference.name, reference, False))
        if reference.finer > 1:
            columns.append((f"{reference.name}, as it is", reference, True))
    return columns


def _pixels(
    image: GridImage, crop: Region, *, as_it_is: bool
) -> tuple[np.ndarray, np.ndarray]:
    window = Window(crop.row, crop.col, crop.height, crop.width)
    if as_it_is:
        return image.read_own(window.scaled(image.finer))
    return image.read(window)


def _draw(axes: Axes, values: np.ndarray, valid: np.ndarray) -> None:
    axes.set_facecolor(_NO_DATA)
    axes.imshow(
        np.ma.masked_array(values, ~valid),
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        interpolation="antialiased",
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _name(axes: Axes, name: str) -> None:
    axes.text(
        0.03,
        0.97,
        name,
        transform=axes.transAxes,
        va="top",
        fontsize=9,
        color="white",
        parse_math=False,
        bbox={"facecolor": "black", "edgecolor": "none", "pad": 1.5},
    )


def _caption(score: ImageScores | None) -> str:
    if score is None or score.psnr_db is None or score.mssim is None:
        return ""
    if math.isinf(score.psnr_db):
        return "equal to the reference"
    return f"{score.psnr_db:.2f} dB, MSSIM {score.mssim:.3f}"
