"""What BRISQUE and PIQE look at: 8-bit images, locally normalised.

The mean subtracted, contrast normalised (MSCN) coefficient of a pixel is its
distance from the mean about it over the standard deviation about it plus 1,
both weighted by a Gaussian of sigma 7/6 px in a window of 7 x 7 px. The 1 ties
both scores to 8 bits: an image must be brought to 0..255 by a range of its
kind, since one brought there by its own maximum scores otherwise.

Reference: Mittal et al. 2012, https://doi.org/10.1109/TIP.2012.2214050
"""

import numpy as np
import scipy.ndimage

from marsgan_tf.assessment.arguments import checked_range

WINDOW_PX = 7
_SIGMA_PX = 7 / 6

# Far above rounding, far below what one step of 8 bits can make.
_ZERO = 1e-10


def to_8bit(
    image: np.ndarray, data_range: tuple[float, float], valid: np.ndarray
) -> np.ndarray:
    """An image's 8-bit values: the range to 0..255, rounded and clipped.

    Args:
        image: Real, of any shape.
        data_range: (low, high), which become 0 and 255.
        valid: bool, of the same shape.

    Returns:
        float64 of the same shape, whole numbers; 0 where not valid.

    Raises:
        ValueError: If the range is empty, or all valid pixels come out equal.
    """
    low, high = checked_range(data_range)
    values = np.zeros(image.shape)
    np.subtract(image, low, out=values, where=valid, dtype=np.float64)
    values *= 255 / (high - low)
    # Halves upwards, as MATLAB; NumPy would round them to even.
    values = np.clip(np.floor(values + 0.5), 0, 255)
    values[~valid] = 0
    if np.ptp(values[valid]) == 0:
        raise ValueError(
            "`image` must not be constant in 8 bits. Received: "
            f"{values[valid][0]:.0f} at every valid pixel, with "
            f"data_range={data_range}"
        )
    return values


def coefficients(image: np.ndarray, *, border: str) -> np.ndarray:
    """MSCN coefficients.

    Args:
        image: float64 `(height, width)`, 0 to 255.
        border: What lies beyond the image, as `scipy.ndimage` names it:
            "constant" (zeros) or "nearest" (the edge's pixels).

    Returns:
        float64 `(height, width)`.
    """
    mean = _weighted_mean(image, border)
    square = _weighted_mean(image * image, border)
    # Rounding makes the variance of a flat window a little negative.
    deviation = np.sqrt(np.abs(square - mean * mean))
    found = (image - mean) / (deviation + 1)
    # Flat windows give 0 but for rounding, whose sign BRISQUE would count.
    found[np.abs(found) < _ZERO] = 0
    return found


def whole_windows(valid: np.ndarray, window_px: int = WINDOW_PX) -> np.ndarray:
    """Where a window holds no pixel without data; what lies beyond is none.

    Args:
        valid: bool `(height, width)`.
        window_px: Side of the window.

    Returns:
        bool `(height, width)`.
    """
    return scipy.ndimage.minimum_filter(
        valid, window_px, mode="constant", cval=1
    )


def _weighted_mean(image: np.ndarray, border: str) -> np.ndarray:
    taps = np.arange(WINDOW_PX) - WINDOW_PX // 2
    weights = np.exp(-0.5 * (taps / _SIGMA_PX) ** 2)
    weights /= weights.sum()
    columns = scipy.ndimage.correlate1d(image, weights, 0, mode=border)
    return scipy.ndimage.correlate1d(columns, weights, 1, mode=border)
