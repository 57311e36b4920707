"""The steps of an evaluation: each adds tables and pictures to a folder."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from marsgan_tf import errors
from marsgan_tf.assessment import (
    calibration_figure,
    crops,
    crops_figure,
    edge_findings,
    honesty_maps,
    honesty_tables,
    paper_tables,
    pictures,
    regions,
    scores,
    tables,
    tiles,
)
from marsgan_tf.assessment.brisque_model import BrisqueModel
from marsgan_tf.assessment.calibration import Reliability
from marsgan_tf.assessment.common_grid import GridImage
from marsgan_tf.assessment.comparison import Comparison
from marsgan_tf.assessment.edge_findings import EdgeFindings
from marsgan_tf.assessment.findings import Figure, ViewerLayer
from marsgan_tf.assessment.honesty_maps import HonestyTotals, ResidualTotals
from marsgan_tf.assessment.paper_tables import ImageScores
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.report_folder import SafeNames
from marsgan_tf.imaging.tiling import Window

_DOTS_PER_INCH = 110
_RESIDUAL_DEVIATIONS = 3


class Evaluation:
    """What is found of a comparison, and where it is written.

    Args:
        compared: The images.
        folder: Exists; tables go there, figures and tiles below.
        viewer: Whether layers are cut into tiles.

    Attributes:
        figures: So far.
        layers: So far.
    """

    def __init__(
        self, compared: Comparison, folder: str, *, viewer: bool
    ) -> None:
        self.figures: list[Figure] = []
        self.layers: list[ViewerLayer] = []
        self._compared = compared
        self._folder = folder
        self._viewer = viewer
        self._names = SafeNames()
        os.makedirs(os.path.join(folder, "figures"))

    def show_images(self) -> None:
        """Makes every image a layer of the viewer."""
        if self._viewer:
            for image in self._compared.everything:
                self._cut(image.name, _Grey(image), is_map=False)

    def choose_crops(self, path: str, *, count: int, side: int) -> list[Region]:
        """The crops of a CSV; without a path, chosen ones."""
        compared = self._compared
        shape = (compared.grid.height, compared.grid.width)
        if path:
            return regions.read_regions(path, shape)
        leading = compared.leading
        others = [one for one in compared.everything if one is not leading]
        chosen = crops.choose(
            leading, others, compared.grid, count=count, side=side
        )
        if chosen:
            listed = os.path.join(self._folder, "crops.csv")
            regions.write_regions(listed, chosen)
        return chosen

    def score_crops(
        self, chosen: Sequence[Region], model: BrisqueModel | None
    ) -> list[ImageScores]:
        """Table 2 and Figure 8."""
        images, truth = self._compared.images, self._compared.reference
        if not chosen:
            return []
        found = [
            score
            for crop in chosen
            for score in scores.score_crop(
                images,
                truth,
                Window(crop.row, crop.col, crop.height, crop.width),
                crop=crop.name,
                model=model,
            )
        ]
        self._table(paper_tables.score_table(found), "scores")
        path = self._figure(
            "crops", "crops", "All crops in one grey scale, the same for all."
        )
        crops_figure.write_crops(path, images, truth, chosen, found)
        return found

    def score_whole(self, model: BrisqueModel | None) -> list[ImageScores]:
        """The same scores of the whole images.

        Raises:
            errors.RasterError: If no pixel has data in all of them.
        """
        compared = self._compared
        found = scores.score_whole(
            compared.images, compared.reference, compared.grid, model=model
        )
        truth = compared.reference
        if truth is not None and found[0].psnr_db is None:
            raise errors.RasterError(
                f"{truth.reader.path}: has data in no pixel where all images "
                "have some: choose images of the same ground"
            )
        table = paper_tables.score_table(found, "Image quality, whole images")
        # A mean of one is no news, and there is no crop.
        table = dataclasses.replace(
            table, columns=table.columns[1:], summary=()
        )
        self._table(table, "scores_whole")
        return found

    def marked_edges(self, path: str) -> list[Region]:
        """The regions of a CSV, in px of the input; none without a path.

        Raises:
            errors.MarsganError: If it cannot be read, or there is no input.
        """
        lr = self._compared.lr
        if not path:
            return []
        if lr is None:
            raise errors.SettingsError(
                f"{path}: regions are of the input, and no image has larger "
                "pixels: say by --lr=NAME which is the input"
            )
        shape = (lr.reader.height, lr.reader.width)
        return regions.read_regions(path, shape)

    def measure_edges(
        self, marked: Sequence[Region], *, count: int
    ) -> list[EdgeFindings]:
        """Table 3 and Figure 9 of each image.

        Args:
            marked: Regions to measure; of none, they are looked for.
            count: How many edges are wanted of those that are found.
        """
        lr = self._compared.lr
        if lr is None or not self._compared.restored:
            return []
        with edge_findings.input_pixels(lr) as pixels:
            most = len(marked) or count
            marked = marked or edge_findings.find(*pixels, count=count)
            if not marked:
                return []
            listed = os.path.join(self._folder, "regions.csv")
            regions.write_regions(listed, marked)
            return [
                self._measure(image, pixels, marked, lr.coarser, most)
                for image in self._compared.restored
            ]

    def _measure(
        self,
        image: GridImage,
        pixels: tuple[np.ndarray, np.ndarray],
        marked: Sequence[Region],
        scale: int,
        most: int,
    ) -> EdgeFindings:
        name = self._names.make(f"edges_{image.name}")
        picture = f"figures/{name}.png"
        found = edge_findings.measure(
            image,
            self._compared.grid,
            pixels,
            marked,
            scale=scale,
            figure=self._path(picture),
            most=most,
        )
        rises = [pair.rises for pair in found.pairs]
        title = f"Slanted edges of {image.name}"
        self._table(paper_tables.edge_table(rises, title), name)
        if found.pairs:
            self.figures.append(Figure(picture, image.name, "edges"))
        return found

    def judge(self) -> list[HonestyTotals]:
        """What was found, missed and invented, with reference and input."""
        compared = self._compared
        lr, truth = compared.lr, compared.reference
        if lr is None or truth is None:
            return []
        least = honesty_maps.threshold(lr, truth, compared.grid)
        if least is None:
            return []
        found = []
        for image in compared.restored:
            painter = honesty_maps.HonestyPainter(image, lr, truth, least)
            label = f"{image.name}, honesty"
            pyramid = self._cut(label, painter, is_map=True)
            path = self._figure(f"honesty_{image.name}", "honesty", image.name)
            tiles.write_png(path, pyramid.overview)
            found.append(painter.totals)
        if found:
            self._table(honesty_tables.honesty_table(found), "honesty")
        return found

    def degrade(self, sigmas: Mapping[str, float]) -> list[ResidualTotals]:
        """Input less degraded image, where the input has larger pixels."""
        lr = self._compared.lr
        if lr is None or lr.coarser == 1:
            return []
        found = [
            totals
            for image in self._compared.restored
            if (totals := self._residual(image, lr, sigmas[image.name]))
        ]
        if found:
            table = honesty_tables.residual_table(
                found, sigmas, self._compared.stretch
            )
            self._table(table, "residual")
        return found

    def _residual(
        self, image: GridImage, lr: GridImage, sigma: float
    ) -> ResidualTotals | None:
        painter = honesty_maps.ResidualPainter(image, lr, sigma)
        values, valid = tiles.write(
            "", painter.grid, painter, label=f"{image.name}, residual"
        ).overview
        totals = painter.totals
        if np.isnan(totals.rms):
            return None
        limit = _RESIDUAL_DEVIATIONS * totals.rms or 1.0
        percent = f"{100 * limit:.3g} %"
        path = self._figure(
            f"residual_{image.name}",
            "residual",
            f"{image.name}: red above 0, blue below, full at {percent}",
        )
        tiles.write_png(path, pictures.signed(values[..., 0], valid, limit))
        return totals

    def calibrate(self) -> dict[str, Reliability]:
        """Deviations against true errors, where both are there."""
        compared = self._compared
        if compared.reference is None:
            return {}
        found = {}
        for name, deviation in compared.deviations.items():
            reliable = honesty_maps.reliability(
                deviation,
                compared.named(name),
                compared.reference,
                compared.grid,
            )
            if reliable is not None:
                found[name] = reliable
        if found:
            self._table(honesty_tables.calibration_table(found), "calibration")
            self._table(honesty_tables.reliability_table(found), "reliability")
            path = self._figure(
                "calibration",
                "calibration",
                "Pixels of like predicted deviation, ten bins of as many: "
                "calibrated if on the dashed line.",
            )
            drawn = calibration_figure.draw_reliability(found)
            drawn.savefig(path, format="png", dpi=_DOTS_PER_INCH)
        return found

    def _cut(
        self, label: str, paint: tiles.Painter, *, is_map: bool
    ) -> tiles.Pyramid:
        """Paints a layer, and adds it to the viewer if there is one."""
        name = self._names.make(label)
        folder = self._path(f"tiles/{name}") if self._viewer else ""
        pyramid = tiles.write(folder, self._compared.grid, paint, label=label)
        if self._viewer:
            self.layers.append(
                ViewerLayer(
                    label=label,
                    folder=f"tiles/{name}",
                    height=pyramid.height,
                    width=pyramid.width,
                    min_level=pyramid.min_level,
                    max_level=pyramid.max_level,
                    is_map=is_map,
                )
            )
        return pyramid

    def _table(self, table: tables.Table, name: str) -> None:
        tables.write(table, os.path.join(self._folder, name))

    def _figure(self, name: str, kind: str, caption: str) -> str:
        """Adds a picture to the page; returns the path to write it to."""
        picture = f"figures/{self._names.make(name)}.png"
        self.figures.append(Figure(picture, caption, kind))
        return self._path(picture)

    def _path(self, inside: str) -> str:
        return os.path.join(self._folder, *inside.split("/"))


class _Grey:
    """Paints an image as it is."""

    def __init__(self, image: GridImage) -> None:
        self._image = image

    def __call__(self, window: Window) -> tiles.Picture:
        return pictures.grey(*self._image.read(window))
