"""From low resolution to high without a network: bicubic, or in blocks.

Images are `(height, width)` or `(height, width, bands)`, of any unit. The
kernel and the pixel centres are MATLAB `imresize`'s, as in `degrade`: the
centre of high-resolution pixel j lies at `(j - (scale - 1) / 2) / scale` in
low-resolution px. Borders are mirrored, the edge pixel included.
"""

from collections.abc import Iterator

import numpy as np

from marsgan_tf.imaging.keys import keys_weights

# How far beyond its own pixel the enlargement looks, in low-resolution px,
# whatever the scale.
REACH_PX = 2


def enlarge(image: np.ndarray, scale: int = 4) -> np.ndarray:
    """Enlarges by Keys' cubic convolution.

    Every output pixel is the same sum in the same order wherever the image
    is cut, so a window with a margin of `REACH_PX` gives exactly the whole
    image's values.

    Args:
        image: Finite; of any real dtype.
        scale: Enlargement, at least 1.

    Returns:
        `(height * scale, width * scale[, bands])`; float64 if `image` is,
        else float32.

    Raises:
        ValueError: If `image` is empty or has other dimensions, or `scale`
            is below 1.
    """
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(
            "`image` must be (height, width[, bands]) and not empty. "
            f"Received: image.shape={image.shape}"
        )
    if scale < 1:
        raise ValueError(f"`scale` must be at least 1. Received: scale={scale}")
    dtype = np.float64 if image.dtype == np.float64 else np.float32
    # Columns first: that pass writes with a stride, and has less to write.
    wide = _enlarge_axis(image.astype(dtype, copy=False), 1, scale)
    return _enlarge_axis(wide, 0, scale)


def repeat(image: np.ndarray, scale: int = 4) -> np.ndarray:
    """Makes each pixel a block of `scale` x `scale` pixels.

    Args:
        image: Of any dtype; masks too.
        scale: Enlargement, at least 1.

    Returns:
        `(height * scale, width * scale[, bands])` of the same dtype.
    """
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def _enlarge_axis(image: np.ndarray, axis: int, scale: int) -> np.ndarray:
    length = image.shape[axis]
    margins = [(0, 0)] * image.ndim
    margins[axis] = (REACH_PX, REACH_PX)
    source = np.moveaxis(np.pad(image, margins, "symmetric"), axis, 0)
    shape = list(image.shape)
    shape[axis] *= scale
    enlarged = np.empty(shape, image.dtype)
    target = np.moveaxis(enlarged, axis, 0)
    total = np.empty_like(source[:length])
    product = np.empty_like(total)
    # Elementwise, not a matrix product: a BLAS sums in an order that depends
    # on the shape, and a window would no longer equal the whole.
    for phase, (first, weights) in enumerate(_phases(scale)):
        total[:] = 0
        for tap, weight in enumerate(weights.astype(image.dtype), first):
            np.multiply(source[tap : tap + length], weight, out=product)
            total += product
        target[phase::scale] = total
    return enlarged


def _phases(scale: int) -> Iterator[tuple[int, np.ndarray]]:
    """First tap and the four weights of each high-resolution pixel in turn.

    The tap is an index into the image that starts `REACH_PX` before the
    low-resolution pixel.
    """
    for phase in range(scale):
        centre = REACH_PX + (phase - (scale - 1) / 2) / scale
        first = int(centre) - 1
        yield first, keys_weights(np.arange(first, first + 4) - centre)
