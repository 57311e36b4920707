"""One range for all images that are compared, and one unit.

Scores need to know what is black and what is white. That is never taken from
the image that is scored, but from the reference, once for all images and all
crops: what PSNR calls the peak, and what 8-bit scores see as 0 and 255.
"""

import numpy as np

from marsgan_tf import errors
from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.imaging import stretch
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.imaging.tiling import Window

# Means of such blocks hardly depend on how sharp an image is.
_BLOCK_PX = 16


def choose_range(image: GridImage, grid: Grid, wanted: str) -> Stretch:
    """What becomes 0 and 1, in an image's own numbers.

    Args:
        image: The reference, or the finest image where there is none.
        grid: What it is read on.
        wanted: `auto`: all but 5 pixels in 10,000 at either end; `none`: the
            whole range of integers, 0 and 1 of floats; or `LO,HI`.

    Raises:
        errors.RasterError: If the image has no data where it is looked at.
    """
    if wanted == "auto":
        return stretch.fit(_samples(image, grid))
    if wanted == "none":
        return _whole_range(image.reader.dtype)
    low, high = wanted.split(",")
    return Stretch(float(low), float(high))


def apply_range(image: GridImage, chosen: Stretch) -> None:
    """Makes an image read as 0 and 1 what a range says; after `match`."""
    width = chosen.high - chosen.low
    image.gain = image.gain / width
    image.offset = (image.offset - chosen.low) / width


def overlaps(image: GridImage, grid: Grid, chosen: Stretch) -> bool:
    """Whether the middle of an image's numbers lies in a range."""
    middle = float(np.median(_samples(image, grid)))
    return chosen.low <= middle <= chosen.high


def match(image: GridImage, target: GridImage, grid: Grid) -> None:
    """Brings an image to another's unit by one gain and one offset.

    Mean and standard deviation of the means of blocks of 16 x 16 px become
    the same, so that sharpness has no say.

    Args:
        image: Changed: its `gain` and `offset`.
        target: The reference; unchanged, in its own numbers.
        grid: What both are read on.

    Raises:
        errors.RasterError: If too little of both has data, or the image is
            constant there.
    """
    means = [_block_means(image, target, window) for window in grid.samples()]
    own, wanted = np.concatenate(means, axis=1)
    if own.size < 2 or own.std() == 0 or wanted.std() == 0:
        raise errors.RasterError(
            f"{image.reader.path}: cannot be matched to the reference, since "
            "too little of both has data, or one is constant there: leave "
            "--match out"
        )
    image.gain = float(wanted.std() / own.std())
    image.offset = float(wanted.mean() - image.gain * own.mean())


def _samples(image: GridImage, grid: Grid) -> np.ndarray:
    parts = (image.read(window) for window in grid.samples())
    found = np.concatenate([values[valid] for values, valid in parts])
    if not found.size:
        raise errors.RasterError(
            f"{image.reader.path}: holds no data: check its no-data value"
        )
    return found


def _whole_range(dtype: np.dtype) -> Stretch:
    if dtype.kind == "f":
        return Stretch(0.0, 1.0)
    limits = np.iinfo(dtype)
    return Stretch(float(limits.min), float(limits.max))


def _block_means(
    image: GridImage, target: GridImage, window: Window
) -> np.ndarray:
    """Of the blocks that have data throughout in both, `(2, n)`."""
    found = [one.read(window) for one in (image, target)]
    blocks = [_blocks(values) for values, _ in found]
    both = found[0][1] & found[1][1]
    whole = np.logical_and.reduce(_blocks(both), axis=1)
    return np.stack([block[whole].mean(axis=1) for block in blocks])


def _blocks(image: np.ndarray) -> np.ndarray:
    """`(n, 256)`: the whole blocks of an image."""
    rows, cols = (side // _BLOCK_PX for side in image.shape)
    cut = image[: rows * _BLOCK_PX, : cols * _BLOCK_PX]
    parts = cut.reshape(rows, _BLOCK_PX, cols, _BLOCK_PX).swapaxes(1, 2)
    return parts.reshape(rows * cols, _BLOCK_PX**2)
