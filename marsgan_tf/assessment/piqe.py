"""PIQE: how much of an image's texture is visibly spoilt, without a reference.

The image is cut into blocks of 16 x 16 px. Those whose MSCN coefficients vary
count; each is judged spoilt by blocking or blur where a run of pixels along
its edge is flat, and by noise where its middle is as rough as all of it. The
score is 0 for none and 100 for all: lower is better.

Written from the paper and from what is documented of MATLAB's `piqe`, whose
constants, borders (edge pixels repeated to a multiple of 16) and arithmetic
it shares.

Reference: Venkatanath et al. 2015, https://doi.org/10.1109/NCC.2015.7084843;
https://www.mathworks.com/help/images/ref/piqe.html
"""

import dataclasses

import numpy as np

from marsgan_tf.assessment import mscn
from marsgan_tf.assessment.arguments import checked_valid

BLOCK_PX = 16
_RUN_PX = 6
_ACTIVE_VARIANCE = 0.1
_FLAT_DEVIATION = 0.1

# The middle of a block is its columns 7 and 8. MATLAB deletes the first of
# them and then counts anew for the second, so that 9 goes in the place of 8.
_MIDDLE = [7, 8]
_AROUND = [column for column in range(BLOCK_PX) if column not in (7, 9)]

# MathWorks' reading of a score, by experiments on the LIVE database: the
# highest score of each class but the worst.
_CLASSES = {"excellent": 20.0, "good": 35.0, "fair": 50.0, "poor": 80.0}


@dataclasses.dataclass(frozen=True)
class Piqe:
    """The score, and what was found in each block of 16 x 16 px.

    Attributes:
        score: 0 to 100, lower is better; 100 where no block is active.
        active: bool `(block rows, block columns)`: the block has texture, so
            it counts. The last blocks may reach beyond the image.
        artefacts: Active, with a flat run along its edge: blocking, blur.
        noise: Active, with noise.
    """

    score: float
    active: np.ndarray
    artefacts: np.ndarray
    noise: np.ndarray


def piqe(
    image: np.ndarray,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> Piqe:
    """Scores an image.

    About 60 bytes a pixel are needed beyond the image.

    Args:
        image: `(height, width)`, real, sides at least 16.
        data_range: (low, high) that become 0 and 255, never taken from the
            image: (0, 255) of 8 bits.
        valid: bool `(height, width)`; None for everywhere. A block counts
            only if no pixel without data is in it or within 3 px of it.

    Returns:
        Score and masks of blocks.

    Raises:
        ValueError: If a side is below 16, a valid pixel is not finite, the
            range is empty, the image is constant in 8 bits, or no block has
            data throughout.
    """
    valid = checked_valid(valid, image=image)
    if min(image.shape) < BLOCK_PX:
        raise ValueError(
            f"`image` must have sides of at least {BLOCK_PX} px. Received: "
            f"image.shape={image.shape}"
        )
    values = _padded(mscn.to_8bit(image, data_range, valid))
    clean = mscn.whole_windows(_padded(valid))
    whole = np.all(_blocks(clean), axis=(2, 3))
    if not whole.any():
        raise ValueError(
            f"`valid` must leave a block of {BLOCK_PX} x {BLOCK_PX} px and 3 "
            f"px about it whole. Received: valid.shape={valid.shape}, no such "
            "block"
        )
    return _judged(_blocks(mscn.coefficients(values, border="nearest")), whole)


def quality(score: float) -> str:
    """MathWorks' class of a score, from "excellent" to "bad"."""
    classes = (name for name, top in _CLASSES.items() if score <= top)
    return next(classes, "bad")


def _padded(image: np.ndarray) -> np.ndarray:
    height, width = image.shape
    return np.pad(
        image, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)), "edge"
    )


def _blocks(image: np.ndarray) -> np.ndarray:
    """`(block rows, block columns, 16, 16)` of an image in whole blocks."""
    rows, columns = (side // BLOCK_PX for side in image.shape)
    shape = (rows, BLOCK_PX, columns, BLOCK_PX)
    return image.reshape(shape).swapaxes(1, 2)


def _judged(blocks: np.ndarray, whole: np.ndarray) -> Piqe:
    variance = blocks.var(axis=(2, 3), ddof=1)
    active = whole & (variance > _ACTIVE_VARIANCE)
    artefacts = active & _has_flat_run(blocks)
    noise = active & _is_noisy(blocks, np.sqrt(variance))
    spoilt = np.sum(1 - variance[artefacts]) + np.sum(variance[noise])
    score = 100 * (spoilt + 1) / (np.count_nonzero(active) + 1)
    return Piqe(float(score), active, artefacts, noise)


def _has_flat_run(blocks: np.ndarray) -> np.ndarray:
    edges = np.stack(
        [
            blocks[:, :, 0],
            blocks[:, :, -1],
            blocks[:, :, :, 0],
            blocks[:, :, :, -1],
        ],
        axis=2,
    )
    runs = np.lib.stride_tricks.sliding_window_view(edges, _RUN_PX, axis=3)
    return (runs.std(axis=4, ddof=1) < _FLAT_DEVIATION).any(axis=(2, 3))


def _is_noisy(blocks: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Whether a block deviates by over twice what its middle is unlike it."""
    middle = blocks[..., _MIDDLE].std(axis=(2, 3), ddof=1)
    around = blocks[..., _AROUND].std(axis=(2, 3), ddof=1)
    flat = around == 0
    ratio = np.where(flat, 0.0, middle / np.where(flat, 1.0, around))
    largest = np.maximum(deviation, ratio)
    distance = np.abs(deviation - ratio) / np.where(largest > 0, largest, 1.0)
    return deviation > 2 * distance
