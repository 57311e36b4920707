"""From high resolution to low: Gaussian blur, then antialiased bicubic.

Images are `(height, width)`, finite, of any unit. The bicubic kernel and the
pixel centres are MATLAB `imresize`'s: Keys' a = -0.5, stretched by the scale;
the centre of low-resolution pixel i lies at `scale * i + (scale - 1) / 2`.
Borders are mirrored, the edge pixel included.

The two filters are applied as one. That is exact at the borders too, since a
symmetric filter of a mirrored image is the mirrored filtered image.
"""

import numpy as np

from marsgan_tf.imaging.keys import keys_weights

# Beyond four sigma a Gaussian holds 6e-5 of its weight; scipy's default.
_TRUNCATE_SIGMAS = 4.0

# So many sums at once stay in a processor's cache until all taps are added.
_CACHED_PX = 2**17


def degrade(
    image: np.ndarray, blur_sigma: float, *, scale: int = 4
) -> np.ndarray:
    """Blurs an image and brings it down by `scale`.

    Every output pixel is the same sum in the same order wherever the image
    is cut, so a strip with a margin of `support_px` on its inner sides gives
    exactly the whole image's values.

    Args:
        image: `(height, width)`; rows and columns beyond the last multiple
            of `scale` are not used.
        blur_sigma: Of the Gaussian, px of `image`; 0 is bicubic alone.
        scale: Reduction, at least 1.

    Returns:
        float32 `(height // scale, width // scale)`.

    Raises:
        ValueError: If `image` has other dimensions or is smaller than one
            output pixel, or `blur_sigma` is negative, or `scale` below 1.
    """
    if image.ndim != 2 or min(image.shape) < scale:
        raise ValueError(
            "`image` must be (height, width), sides at least `scale`. "
            f"Received: image.shape={image.shape}, scale={scale}"
        )
    taps = kernel(blur_sigma, scale=scale)
    columns = _reduce_rows(image, taps, scale)
    # Rows are contiguous and columns are not, so the second pass is the
    # first on the transpose.
    rows = _reduce_rows(np.ascontiguousarray(columns.T), taps, scale)
    return np.ascontiguousarray(rows.T)


def kernel(blur_sigma: float, *, scale: int = 4) -> np.ndarray:
    """The weights of both filters together, along one axis.

    Returns:
        float32 `(taps,)`, symmetric, with sum 1. Output pixel i is their sum
        over the input from `scale * i - (taps - scale) / 2` on.

    Raises:
        ValueError: If `blur_sigma` is negative or `scale` below 1.
    """
    taps = np.convolve(_gaussian(blur_sigma), _bicubic(scale))
    return (taps / taps.sum()).astype(np.float32)


def reach_px(blur_sigma: float, *, scale: int = 4) -> int:
    """How far beyond its own `scale` px an output pixel looks, px."""
    return (len(kernel(blur_sigma, scale=scale)) - scale) // 2


def support_px(blur_sigma: float, *, scale: int = 4) -> int:
    """`reach_px`, rounded up to whole output pixels, in input px."""
    return -(-reach_px(blur_sigma, scale=scale) // scale) * scale


def _gaussian(sigma: float) -> np.ndarray:
    if sigma < 0:
        raise ValueError(
            f"`blur_sigma` must be at least 0. Received: blur_sigma={sigma}"
        )
    radius = int(_TRUNCATE_SIGMAS * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def _bicubic(scale: int) -> np.ndarray:
    """Weights from the first tap to the last, about the output's centre."""
    if scale < 1:
        raise ValueError(f"`scale` must be at least 1. Received: scale={scale}")
    taps = np.arange(-2 * scale, 3 * scale)
    distance = np.abs(taps - (scale - 1) / 2) / scale
    return keys_weights(distance[distance < 2])


def _reduce_rows(image: np.ndarray, taps: np.ndarray, scale: int) -> np.ndarray:
    """Filters along the first axis, at every `scale`-th row only."""
    count, width = image.shape[0] // scale, image.shape[1]
    margin = (len(taps) - scale) // 2
    rows = np.pad(
        image[: count * scale], ((margin, margin), (0, 0)), "symmetric"
    ).astype(np.float32, copy=False)
    reduced = np.zeros((count, width), np.float32)
    height = max(1, _CACHED_PX // width)
    product = np.empty((height, width), np.float32)
    for first in range(0, count, height):
        sums = reduced[first : first + height]
        span = (len(sums) - 1) * scale + 1
        # Elementwise, not a matrix product: a BLAS sums in an order that
        # depends on the shape, and a strip would no longer equal the whole.
        for start, tap in enumerate(taps, first * scale):
            weighted = product[: len(sums)]
            np.multiply(rows[start : start + span : scale], tap, out=weighted)
            sums += weighted
    return reduced
