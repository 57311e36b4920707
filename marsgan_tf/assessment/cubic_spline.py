"""Brings an image down by GDAL's `cubicspline`, as the paper does HiRISE.

A cubic B-spline as wide as four output pixels weighs the input about each
output pixel's centre (`gdal_translate -r cubicspline`); it smooths and needs
no other filter against aliasing. Weights beyond the image or on pixels
without data are left out, and the others make up for them.
"""

import numpy as np

# Output px from the centre to where the spline ends.
_RADIUS = 2


def reduce(
    image: np.ndarray, valid: np.ndarray, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Brings an image and its mask down.

    A window with a margin of `2 * scale` px gives the whole image's values.

    Args:
        image: Real `(height, width)`, any unit; what is not valid may be NaN.
        valid: bool, of the same shape.
        scale: Reduction, at least 1. Rows and columns beyond the last
            multiple are not used.

    Returns:
        float32 `(height // scale, width // scale)`, 0 where there is no data,
        and bool of the same shape: where all the `scale` x `scale` pixels in
        an output pixel have data.

    Raises:
        ValueError: If `scale` is below 1 or above a side.
    """
    if not 1 <= scale <= min(image.shape):
        raise ValueError(
            "`scale` must be from 1 to the shorter side. Received: "
            f"scale={scale}, image.shape={image.shape}"
        )
    rows, cols = (side // scale for side in image.shape)
    inside = np.s_[: rows * scale, : cols * scale]
    known = valid[inside]
    values = np.where(known, image[inside], 0).astype(np.float64)
    taps = _taps(scale)
    total = _reduce_rows(_reduce_rows(values, taps, scale).T, taps, scale).T
    weight = _reduce_rows(
        _reduce_rows(known.astype(np.float64), taps, scale).T, taps, scale
    ).T
    blocks = known.reshape(rows, scale, cols, scale)
    whole = np.logical_and.reduce(blocks, axis=(1, 3))
    reduced = np.divide(total, weight, out=np.zeros_like(total), where=whole)
    return reduced.astype(np.float32), whole


def margin_px(scale: int) -> int:
    """How far beyond a window `reduce` looks, px of its input."""
    return _RADIUS * scale


def _taps(scale: int) -> np.ndarray:
    """Weights from `scale * _RADIUS` px before an output pixel on."""
    offsets = np.arange(-_RADIUS * scale, (_RADIUS + 1) * scale)
    distance = np.abs(offsets - (scale - 1) / 2) / scale
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    return weights / weights.sum()


def _reduce_rows(image: np.ndarray, taps: np.ndarray, scale: int) -> np.ndarray:
    count = image.shape[0] // scale
    margin = _RADIUS * scale
    rows = np.pad(image, ((margin, margin), (0, 0)))
    reduced = np.zeros((count, image.shape[1]))
    for first, tap in enumerate(taps):
        if tap:
            last = first + (count - 1) * scale + 1
            reduced += tap * rows[first:last:scale]
    return reduced
