"""BRISQUE: how natural an image looks, without a reference.

36 features describe how locally normalised pixels (MSCN), and the products of
neighbours, are spread at two scales; a regression that was trained on what
people thought of distorted photographs turns them into a score, lower is
better. Its model is a file that is not ours: see `brisque_model`.

The features are those of the authors' MATLAB release: zeros beyond the image
in the windows, pairs that wrap around its ends, shapes from a grid of 0.001,
and a second scale by `imresize`, which is antialiased. Ports to OpenCV and GNU
Octave resize otherwise, which moves the score of the same image by tens. Flat
windows count as exactly 0; the release counts the sign of their rounding.

Reference: Mittal et al. 2012, https://doi.org/10.1109/TIP.2012.2214050;
http://live.ece.utexas.edu/research/quality/BRISQUE_release.zip
"""

import numpy as np
import scipy.ndimage
import scipy.special

from marsgan_tf.assessment import mscn
from marsgan_tf.assessment.arguments import checked_valid
from marsgan_tf.assessment.brisque_model import BrisqueModel
from marsgan_tf.imaging import degrade

# So that the second scale still holds a window of 7 px.
LEAST_SIDE_PX = 16

# Rows and columns by which a neighbour is moved onto a pixel: beside, below,
# and along both diagonals.
_SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))

# Shapes that a fit can find, and E[|x|]**2 / E[x**2] of each.
_SHAPES = 0.2 + 0.001 * np.arange(9801)
_RATIOS = scipy.special.gamma(2 / _SHAPES) ** 2 / (
    scipy.special.gamma(1 / _SHAPES) * scipy.special.gamma(3 / _SHAPES)
)


def score(
    image: np.ndarray,
    model: BrisqueModel,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> float:
    """Scores an image: about 0 (best) to 100 (worst), without limits.

    Args:
        image: `(height, width)`, real, sides at least 16.
        model: From `brisque_model.load`; scores of one model compare.
        data_range: (low, high) that become 0 and 255.
        valid: bool `(height, width)`; None for everywhere.

    Raises:
        ValueError: As `features`.
    """
    return model.score(features(image, data_range=data_range, valid=valid))


def features(
    image: np.ndarray,
    *,
    data_range: tuple[float, float],
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """The 36 features of an image.

    About 60 bytes a pixel are needed beyond the image.

    Args:
        image: `(height, width)`, real, sides at least 16.
        data_range: (low, high) that become 0 and 255, never taken from the
            image: (0, 255) of 8 bits.
        valid: bool `(height, width)`; None for everywhere. Coefficients
            whose window, or whose pixel of the second scale, holds a pixel
            without data are left out.

    Returns:
        float64 `(36,)`: for each scale, shape and variance of the MSCN
        coefficients, then for each of four neighbours shape, mean, left and
        right variance of their products.

    Raises:
        ValueError: If a side is below 16, a valid pixel is not finite, the
            range is empty, the image is constant in 8 bits, or too little of
            it has data or texture to fit a distribution.
    """
    valid = checked_valid(valid, image=image)
    if min(image.shape) < LEAST_SIDE_PX:
        raise ValueError(
            f"`image` must have sides of at least {LEAST_SIDE_PX} px. "
            f"Received: image.shape={image.shape}"
        )
    values = mscn.to_8bit(image, data_range, valid)
    half, half_valid = _halved(values, valid)
    return np.array(
        _scale_features(values, valid) + _scale_features(half, half_valid)
    )


def fit_ggd(values: np.ndarray) -> tuple[float, float]:
    """Fits a generalised Gaussian of mean 0 by its moments.

    Args:
        values: `(n,)`.

    Returns:
        Shape, 0.2 to 10 in steps of 0.001 (2 for a Gaussian, 1 for a
        Laplacian), and variance.

    Raises:
        ValueError: If all are 0, or there are none.

    Reference: Sharifi & Leon-Garcia 1995, https://doi.org/10.1109/76.350779
    """
    if not values.any():
        raise ValueError(
            "`image` must have texture where it is valid. Received: "
            f"{values.size} coefficients, all of them 0"
        )
    variance = np.mean(values**2)
    inverse = variance / np.mean(np.abs(values)) ** 2
    return _nearest(inverse, 1 / _RATIOS), float(variance)


def fit_aggd(values: np.ndarray) -> tuple[float, float, float]:
    """Fits an asymmetric generalised Gaussian of mode 0 by its moments.

    Args:
        values: `(n,)`, some below and some above 0.

    Returns:
        Shape, 0.2 to 10 in steps of 0.001, and the mean squares of the values
        below and of those above 0.

    Raises:
        ValueError: If none are below or none above 0.

    Reference: Lasmar et al. 2009, https://doi.org/10.1109/ICIP.2009.5414404
    """
    below, above = values[values < 0], values[values > 0]
    if not (below.size and above.size):
        raise ValueError(
            "`image` must have texture where it is valid. Received: products "
            f"of neighbours of which {below.size} are below and {above.size} "
            "above 0"
        )
    left, right = float(np.mean(below**2)), float(np.mean(above**2))
    skew = np.sqrt(left / right)
    symmetric = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio = symmetric * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    return _nearest(ratio, _RATIOS), left, right


def _nearest(ratio: float, ratios: np.ndarray) -> float:
    return float(_SHAPES[np.argmin(np.abs(ratios - ratio))])


def _aggd_mean(shape: float, left: float, right: float) -> float:
    first, second, third = scipy.special.gamma(np.array([1, 2, 3]) / shape)
    scale = second / np.sqrt(first * third)
    return float((np.sqrt(right) - np.sqrt(left)) * scale)


def _scale_features(image: np.ndarray, valid: np.ndarray) -> list[float]:
    coefficients = mscn.coefficients(image, border="constant")
    whole = mscn.whole_windows(valid)
    found = list(fit_ggd(coefficients[whole]))
    for shift in _SHIFTS:
        products = coefficients * np.roll(coefficients, shift, (0, 1))
        both = whole & np.roll(whole, shift, (0, 1))
        shape, left, right = fit_aggd(products[both])
        found += [shape, _aggd_mean(shape, left, right), left, right]
    return found


def _halved(
    image: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """MATLAB's `imresize(image, 0.5)`, and where it has data throughout.

    `degrade.degrade` is the same filter in float32 without the last odd row.
    """
    taps = degrade.kernel(0.0, scale=2).astype(np.float64)
    # An even number of taps lies about the centre between two pixels.
    window = {"mode": "reflect", "origin": -1}
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(image, taps, axis, **window)
        valid = scipy.ndimage.minimum_filter1d(valid, len(taps), axis, **window)
        every_other = (slice(None),) * axis + (slice(None, None, 2),)
        image, valid = image[every_other], valid[every_other]
    return image, valid
