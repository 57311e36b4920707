"""How near an image is to its reference: PSNR and MSSIM (eq. 14 and 15).

Images are `(height, width)`, real, of one shape and registered. `data_range`
is (low, high), the least and the largest value that such an image can take:
(0, 255) of 8 bits, (0, 1) of stretched I/F. It is never taken from the image,
so scores of different images compare, and scores of one image do not depend
on how it is stored. Pixels where `valid` is False influence nothing, not even
through the windows of MSSIM.

All is float64, in strips of some 2**20 px: beyond the inputs, a mask, and the
map if it is asked for, about 100 MB whatever the image's size.
"""

import collections.abc
import math

import numpy as np
import scipy.ndimage

from marsgan_tf.assessment.arguments import checked_range, checked_valid

# Wang et al. 2004, section III-C.
_RADIUS_PX = 5
_SIGMA_PX = 1.5
_K1 = 0.01
_K2 = 0.03

_STRIP_PX = 2**20
# Thinner strips would spend more on their margins than on themselves.
_LEAST_STRIP_ROWS = 64


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> float:
    """Peak signal-to-noise ratio (eq. 14): 10 log10(peak**2 / MSE).

    Args:
        image: `(height, width)`.
        reference: Likewise.
        data_range: (low, high); the peak is their distance.
        valid: bool `(height, width)`; None for everywhere.

    Returns:
        dB; infinite for equal images.

    Raises:
        ValueError: If shapes differ, a valid pixel is not finite, none is
            valid, or the range is empty.
    """
    low, high = checked_range(data_range)
    valid = checked_valid(valid, image=image, reference=reference)
    squares = 0.0
    for rows in _strips(image.shape, 0):
        inside = valid[rows]
        error = np.subtract(
            image[rows][inside], reference[rows][inside], dtype=np.float64
        )
        squares += float(error @ error)
    if squares == 0:
        return math.inf
    mean_square = squares / np.count_nonzero(valid)
    return 20 * math.log10(high - low) - 10 * math.log10(mean_square)


def mssim(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> float:
    """Mean structural similarity (eq. 15): the mean of `ssim_map`.

    Args:
        image: `(height, width)`, sides at least 11.
        reference: Likewise.
        data_range: (low, high).
        valid: bool `(height, width)`; None for everywhere.

    Returns:
        Between -1 and 1, which equal images have.

    Raises:
        ValueError: As `ssim_map`.
    """
    total, count = 0.0, 0
    for _, whole, ssim in _ssim_strips(image, reference, data_range, valid):
        total += float(ssim[whole].sum())
        count += int(np.count_nonzero(whole))
    if not count:
        raise ValueError(
            "`valid` must leave a window of 11 x 11 px whole. "
            f"Received: valid.shape={image.shape}, no such window"
        )
    return total / count


def ssim_map(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Structural similarity about each pixel.

    Means, population variances and the covariance are weighted by a Gaussian
    of sigma 1.5 px in a window of 11 x 11 px, of the images less the range's
    low end; C1 = (0.01 L)**2 and C2 = (0.03 L)**2 with L = high - low.

    Args:
        image: `(height, width)`, sides at least 11.
        reference: Likewise.
        data_range: (low, high).
        valid: bool `(height, width)`; None for everywhere.

    Returns:
        float64 `(height, width)`; NaN where the window leaves the image or
        holds a pixel that is not valid.

    Raises:
        ValueError: If shapes differ, a side is below 11, a valid pixel is not
            finite, none is valid, or the range is empty.

    Reference: Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861
    """
    result = np.full(image.shape, np.nan)
    for rows, whole, ssim in _ssim_strips(image, reference, data_range, valid):
        result[rows][whole] = ssim[whole]
    return result


def _ssim_strips(
    image: np.ndarray,
    reference: np.ndarray,
    data_range: tuple[float, float],
    valid: np.ndarray | None,
) -> collections.abc.Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Rows, where their windows are whole, and the similarity there."""
    low, high = checked_range(data_range)
    valid = checked_valid(valid, image=image, reference=reference)
    if min(image.shape) < 2 * _RADIUS_PX + 1:
        raise ValueError(
            "`image` must have sides of at least 11 px. Received: "
            f"image.shape={image.shape}"
        )
    for rows in _strips(image.shape, _RADIUS_PX):
        around = slice(rows.start - _RADIUS_PX, rows.stop + _RADIUS_PX)
        inside = valid[around]
        ssim = _similarity(
            _shifted(image[around], inside, low),
            _shifted(reference[around], inside, low),
            high - low,
        )
        core = slice(_RADIUS_PX, -_RADIUS_PX)
        yield rows, _whole_windows(inside)[core], ssim[core]


def _strips(
    shape: tuple[int, ...], margin: int
) -> collections.abc.Iterator[slice]:
    """Consecutive rows, from `margin` rows within the image on."""
    height, width = shape
    step = max(_LEAST_STRIP_ROWS, _STRIP_PX // width)
    for first in range(margin, height - margin, step):
        yield slice(first, min(first + step, height - margin))


def _shifted(image: np.ndarray, valid: np.ndarray, low: float) -> np.ndarray:
    """Less the range's low end; 0 where there is no data."""
    shifted = np.zeros(image.shape)
    np.subtract(image, low, out=shifted, where=valid, dtype=np.float64)
    return shifted


def _similarity(x: np.ndarray, y: np.ndarray, peak: float) -> np.ndarray:
    mean_x, mean_y = _weighted_mean(x), _weighted_mean(y)
    variance_x = _weighted_mean(x * x) - mean_x**2
    variance_y = _weighted_mean(y * y) - mean_y**2
    covariance = _weighted_mean(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance * structure


def _weighted_mean(image: np.ndarray) -> np.ndarray:
    taps = np.arange(-_RADIUS_PX, _RADIUS_PX + 1)
    weights = np.exp(-0.5 * (taps / _SIGMA_PX) ** 2)
    weights /= weights.sum()
    columns = scipy.ndimage.correlate1d(image, weights, 0, mode="constant")
    return scipy.ndimage.correlate1d(columns, weights, 1, mode="constant")


def _whole_windows(valid: np.ndarray) -> np.ndarray:
    return scipy.ndimage.minimum_filter(
        valid, 2 * _RADIUS_PX + 1, mode="constant", cval=0
    )
