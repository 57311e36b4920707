"""The four scores of Table 2, of crops and of whole images of any size.

All are of images on one grid, of a range that is [0, 1], which is what PSNR
and MSSIM take for the peak and what becomes 0 to 255 for BRISQUE and PIQE.
Only pixels count where every image that is compared has data.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from marsgan_tf.assessment import brisque, fidelity, piqe
from marsgan_tf.assessment.brisque_model import BrisqueModel
from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.assessment.paper_tables import ImageScores
from marsgan_tf.assessment.watching import watched
from marsgan_tf.imaging.tiling import Window

RANGE = (0.0, 1.0)

# Sides of the blocks of which a large image's BRISQUE and PIQE are the mean: a
# multiple of PIQE's 16 px, and about 250 MB while one is scored.
BLOCK_PX = 2048
# Blocks of less data than this share of a whole one tell nothing.
_LEAST_SHARE = 0.02
_STRIP_PX = 2**20
_MSSIM_MARGIN_PX = 5


def score_crop(
    images: Sequence[GridImage],
    reference: GridImage | None,
    window: Window,
    *,
    crop: str,
    model: BrisqueModel | None,
) -> list[ImageScores]:
    """Scores all images in a crop, and the reference itself after them.

    Args:
        images: What is compared.
        reference: None for scores without one alone.
        window: Of the grid.
        crop: Its name.
        model: For BRISQUE; None leaves that out.

    Returns:
        In the order of `images`. A score that cannot be had (too few pixels
        with data, or no texture) is None.
    """
    every = [*images, reference] if reference is not None else [*images]
    read = [image.read(window) for image in every]
    valid = np.logical_and.reduce([mask for _, mask in read])
    target = read[-1][0] if reference is not None else None
    found = []
    for image, (values, _) in zip(every, read, strict=True):
        is_target = image is reference
        natural = _naturalness(values, valid, model)
        psnr, mssim = None, 1.0 if is_target else None
        if target is not None and not is_target:
            psnr = _known(fidelity.psnr, values, target, valid)
            mssim = _known(fidelity.mssim, values, target, valid)
        found.append(ImageScores(crop, image.name, psnr, mssim, *natural))
    return found


def score_whole(
    images: Sequence[GridImage],
    reference: GridImage | None,
    grid: Grid,
    *,
    model: BrisqueModel | None,
) -> list[ImageScores]:
    """Scores all of each image, in strips and blocks.

    PSNR and MSSIM are those of `fidelity` for the whole image. BRISQUE and
    PIQE are means over blocks of at most 2048 x 2048 px, weighted by their
    pixels with data: of an image no larger, the image's own.

    Args:
        images: What is compared.
        reference: None for scores without one alone.
        grid: Of the images.
        model: For BRISQUE; None leaves that out.
    """
    every = [*images, reference] if reference is not None else [*images]
    natural = _mean_naturalness(every, grid, model)
    faithful: list[tuple[float | None, float | None]] = [(None, None)] * len(
        every
    )
    if reference is not None:
        faithful = [*_fidelities(images, reference, grid), (None, 1.0)]
    return [
        ImageScores("", image.name, *pair, *scores)
        for image, pair, scores in zip(every, faithful, natural, strict=True)
    ]


def _known(
    score: Callable[..., float],
    image: np.ndarray,
    reference: np.ndarray,
    valid: np.ndarray,
) -> float | None:
    """A score of an image against a reference; None where there is none."""
    try:
        return score(image, reference, data_range=RANGE, valid=valid)
    except ValueError:  # Too few pixels with data.
        return None


def _naturalness(
    values: np.ndarray, valid: np.ndarray, model: BrisqueModel | None
) -> tuple[float | None, float | None]:
    """BRISQUE and PIQE."""
    found: list[float | None] = [None, None]
    try:
        if model is not None:
            found[0] = brisque.score(
                values, model, data_range=RANGE, valid=valid
            )
    except ValueError:  # Too few pixels with data, or no texture.
        pass
    try:
        found[1] = piqe.piqe(values, data_range=RANGE, valid=valid).score
    except ValueError:
        pass
    return found[0], found[1]


def _mean_naturalness(
    images: Sequence[GridImage], grid: Grid, model: BrisqueModel | None
) -> list[tuple[float | None, ...]]:
    sums = np.zeros((len(images), 2))
    weights = np.zeros((len(images), 2))
    blocks = [*_blocks(grid)]
    for window in watched(blocks, "BRISQUE and PIQE", unit="blocks"):
        read = [image.read(window) for image in images]
        valid = np.logical_and.reduce([mask for _, mask in read])
        count = np.count_nonzero(valid)
        if count < _LEAST_SHARE * valid.size:
            continue
        for number, (values, _) in enumerate(read):
            scores = _naturalness(values, valid, model)
            for kind, score in enumerate(scores):
                if score is not None:
                    sums[number, kind] += count * score
                    weights[number, kind] += count
    return [
        tuple(
            float(total / weight) if weight else None
            for total, weight in zip(*rows, strict=True)
        )
        for rows in zip(sums, weights, strict=True)
    ]


def _blocks(grid: Grid) -> Iterator[Window]:
    for strip in grid.strips(BLOCK_PX):
        for col in range(0, grid.width, BLOCK_PX):
            width = min(BLOCK_PX, grid.width - col)
            yield Window(strip.row, col, strip.height, width)


def _fidelities(
    images: Sequence[GridImage], reference: GridImage, grid: Grid
) -> list[tuple[float | None, float | None]]:
    """PSNR and MSSIM of each image."""
    squares, similar = np.zeros(len(images)), np.zeros(len(images))
    pixels, whole_windows = 0, 0
    strips = [*grid.strips(max(_STRIP_PX // grid.width, 64))]
    for strip in watched(strips, "PSNR and MSSIM", unit="strips"):
        around = strip.grown(_MSSIM_MARGIN_PX, grid.height, grid.width)
        first = strip.row - around.row
        core = slice(first, first + strip.height)
        target, valid = reference.read(around)
        read = [image.read(around) for image in images]
        valid = np.logical_and.reduce([valid, *(mask for _, mask in read)])
        pixels += int(np.count_nonzero(valid[core]))
        for number, (values, _) in enumerate(read):
            error = np.subtract(values, target, dtype=np.float64)[core]
            squares[number] += np.sum(error[valid[core]] ** 2)
            count, total = _similarity(values, target, valid, core)
            similar[number] += total
        whole_windows += count
    return [
        (
            _psnr(square, pixels),
            total / whole_windows if whole_windows else None,
        )
        for square, total in zip(squares, similar, strict=True)
    ]


def _similarity(
    values: np.ndarray, target: np.ndarray, valid: np.ndarray, core: slice
) -> tuple[int, float]:
    """Whole windows that are centred in a strip, and their MSSIM's sum."""
    if not valid.any() or min(valid.shape) < 2 * _MSSIM_MARGIN_PX + 1:
        return 0, 0.0
    ssim = fidelity.ssim_map(values, target, data_range=RANGE, valid=valid)
    inside = ssim[core]
    return int(np.count_nonzero(~np.isnan(inside))), float(np.nansum(inside))


def _psnr(squares: float, pixels: int) -> float | None:
    if not pixels:
        return None
    mean = squares / pixels
    return -10 * math.log10(mean) if mean else math.inf
