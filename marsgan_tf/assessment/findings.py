"""All that an evaluation found, before it is laid out as a page."""

import dataclasses

from marsgan_tf.assessment.calibration import Reliability
from marsgan_tf.assessment.edge_findings import EdgeFindings
from marsgan_tf.assessment.honesty_maps import HonestyTotals, ResidualTotals
from marsgan_tf.assessment.paper_tables import ImageScores
from marsgan_tf.assessment.regions import Region
from marsgan_tf.imaging.stretch import Stretch


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What an image is.

    Attributes:
        name: What tables call it.
        file: Its file's name, without folders.
        size: Rows, columns and pixel type, in words.
        role: Input, super-resolved or reference; what was done to it.
    """

    name: str
    file: str
    size: str
    role: str


@dataclasses.dataclass(frozen=True)
class ViewerLayer:
    """What the swipe viewer can show.

    Attributes:
        label: As it is chosen.
        folder: Of its tiles, from the page's folder, with slashes.
        height: Rows.
        width: Columns.
        min_level: The level that one tile holds.
        max_level: The raster itself.
        is_map: Whether its colours are classes, told by a legend.
    """

    label: str
    folder: str
    height: int
    width: int
    min_level: int
    max_level: int
    is_map: bool


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture of the page.

    Attributes:
        path: PNG, from the page's folder, with slashes.
        caption: In one or two sentences.
        kind: The section it belongs to: `crops`, `edges`, `honesty`,
            `residual` or `calibration`.
    """

    path: str
    caption: str
    kind: str


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """All figures and pictures of an evaluation.

    Attributes:
        images: The facts, reference last.
        lr: Name of the input; None without one.
        reference: Name of the reference; None without one.
        height: Rows of the grid.
        width: Its columns.
        pixel_m: Side of a grid pixel on the ground; None if not known.
        stretch: What is 0 and 1.
        blur_sigmas: By image, what the residual was made with.
        brisque: Which model scored, or how to get one.
        crops: On the grid.
        crop_scores: Of each image in each crop.
        whole_scores: Of each whole image.
        edges: Of each super-resolved image; empty without an input.
        edge_scale: Grid px along one of the input's.
        honesty: Likewise; empty without reference or input.
        residuals: Of each; empty without an input of larger pixels.
        reliability: By image, where deviations were given.
        layers: Of the viewer; empty without.
        figures: In the order of the page.
    """

    images: tuple[ImageFacts, ...]
    lr: str | None
    reference: str | None
    height: int
    width: int
    pixel_m: float | None
    stretch: Stretch
    blur_sigmas: dict[str, float]
    brisque: str
    crops: tuple[Region, ...]
    crop_scores: tuple[ImageScores, ...]
    whole_scores: tuple[ImageScores, ...]
    edges: tuple[EdgeFindings, ...]
    edge_scale: int
    honesty: tuple[HonestyTotals, ...]
    residuals: tuple[ResidualTotals, ...]
    reliability: dict[str, Reliability]
    layers: tuple[ViewerLayer, ...]
    figures: tuple[Figure, ...]
