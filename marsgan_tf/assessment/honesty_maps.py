"""Honesty of whole images: shares, residuals and calibration, in strips."""

import dataclasses

import numpy as np

from marsgan_tf.assessment import calibration, honesty, pictures
from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.assessment.tiles import Picture
from marsgan_tf.imaging import degrade
from marsgan_tf.imaging.tiling import Window


@dataclasses.dataclass(frozen=True)
class HonestyTotals:
    """Of one image against a reference.

    Attributes:
        image: Its name.
        improvement: Share of what was found; the three sum to 1, and are NaN
            where nothing counts.
        omission: Share of what was missed.
        hallucination: Share of what was invented.
        counted: Share of the pixels with data that count.
    """

    image: str
    improvement: float
    omission: float
    hallucination: float
    counted: float


@dataclasses.dataclass(frozen=True)
class ResidualTotals:
    """Of one image against the input, in the stretch's unit.

    Attributes:
        image: Its name.
        rms: Root mean square of input less degraded image.
        bias: Mean of it.
        largest: Of its magnitude.
    """

    image: str
    rms: float
    bias: float
    largest: float


class HonestyPainter:
    """Judges an image window by window, paints and counts.

    Args:
        image: The super-resolved image.
        lr: The input.
        reference: The reference.
        threshold: From `threshold`.
    """

    def __init__(
        self,
        image: GridImage,
        lr: GridImage,
        reference: GridImage,
        threshold: float,
    ) -> None:
        self._images = (image, lr, reference)
        self._threshold = threshold
        self._sums = np.zeros(3)
        self._counted = 0
        self._valid = 0

    def __call__(self, window: Window) -> Picture:
        """The map in a window, which counts from now on."""
        (sr, shown), lr, hr = (image.read(window) for image in self._images)
        valid = shown & lr[1] & hr[1]
        if not valid.any():
            empty = np.repeat(sr[..., np.newaxis], 3, axis=2)
            return empty, np.zeros_like(shown)
        found = honesty.judge(
            sr, lr[0], hr[0], threshold=self._threshold, valid=valid
        )
        self._sums += found.sums
        self._counted += int(np.count_nonzero(found.counted))
        self._valid += int(np.count_nonzero(valid))
        return pictures.classes(sr, found, valid)

    @property
    def totals(self) -> HonestyTotals:
        """Of all windows so far."""
        count = self._counted or float("nan")
        found, missed, invented = (self._sums / count).tolist()
        counted = self._counted / self._valid if self._valid else float("nan")
        name = self._images[0].name
        return HonestyTotals(name, found, missed, invented, counted)


class ResidualPainter:
    """Degrades an image window by window and counts what is left.

    Args:
        image: The super-resolved image, on the grid.
        lr: The input, coarser than the grid.
        blur_sigma: Of the degradation, px of the grid.
    """

    def __init__(
        self, image: GridImage, lr: GridImage, blur_sigma: float
    ) -> None:
        self._image, self._lr = image, lr
        self._blur_sigma = blur_sigma
        self._sum = self._squares = self._largest = 0.0
        self._count = 0

    @property
    def grid(self) -> Grid:
        """The input's own, whose windows are asked for."""
        reader = self._lr.reader
        return Grid(reader.height, reader.width, reader.georeference)

    def __call__(self, window: Window) -> Picture:
        """The residual in a window of `grid`, in the stretch's unit."""
        scale = self._lr.coarser
        support = degrade.support_px(self._blur_sigma, scale=scale) // scale
        # The mask looks as far again.
        around = window.grown(2 * support, self.grid.height, self.grid.width)
        lr, lr_valid = self._lr.read_own(around)
        sr, sr_valid = self._image.read(around.scaled(scale))
        left = np.full(lr.shape, np.nan, np.float32)
        if lr_valid.any() and sr_valid.any():
            left = honesty.residual(
                lr,
                sr,
                blur_sigma=self._blur_sigma,
                lr_valid=lr_valid,
                sr_valid=sr_valid,
            )
        row, col = window.row - around.row, window.col - around.col
        core = left[Window(row, col, window.height, window.width).slices]
        return self._counted(core)

    def _counted(self, core: np.ndarray) -> Picture:
        known = ~np.isnan(core)
        found = core[known].astype(np.float64)
        if found.size:
            self._sum += float(found.sum())
            self._squares += float(found @ found)
            self._largest = max(self._largest, float(np.abs(found).max()))
            self._count += found.size
        return np.where(known, core, 0)[..., np.newaxis], known

    @property
    def totals(self) -> ResidualTotals:
        """Of all windows so far."""
        count = self._count or float("nan")
        rms = float(np.sqrt(self._squares / count))
        bias = self._sum / count
        return ResidualTotals(self._image.name, rms, bias, self._largest)


def threshold(lr: GridImage, reference: GridImage, grid: Grid) -> float | None:
    """The least distance that counts; None where there is no common data.

    Of an image of over 4 Mpx, it is taken from 64 windows.
    """
    sampled = [
        (one.read(window), other.read(window))
        for window in grid.samples()
        for one, other in [(lr, reference)]
    ]
    pairs = [(x[0][x[1] & y[1]], y[0][x[1] & y[1]]) for x, y in sampled]
    first, second = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if not first.size:
        return None
    return honesty.least_distance(first[np.newaxis], second[np.newaxis])


def reliability(
    deviation: GridImage, image: GridImage, reference: GridImage, grid: Grid
) -> calibration.Reliability | None:
    """An ensemble's deviation against its true error.

    Of an image of over 4 Mpx, 64 windows are looked at. None where too few
    pixels have data.
    """
    predicted, missed = [], []
    for window in grid.samples():
        spread, mean, truth = (
            one.read(window) for one in (deviation, image, reference)
        )
        valid = spread[1] & mean[1] & truth[1]
        predicted.append(spread[0][valid])
        missed.append((mean[0] - truth[0])[valid])
    deviations, errors = np.concatenate(predicted), np.concatenate(missed)
    if deviations.size < 10:
        return None
    return calibration.reliability(deviations[np.newaxis], errors[np.newaxis])
