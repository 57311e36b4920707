"""What two images of one ground have in common under different suns.

Brightness follows the slope towards the sun, so that a sun from elsewhere
makes other images, whose correlation peaks a pixel or more off the truth, or
nowhere. Edges of the ground stay: where brightness changes fast under one sun,
it mostly does under another. The logarithm keeps the few strongest edges,
shadows' above all, from deciding alone, and takes contrast out.
"""

import dataclasses

import numpy as np
import scipy.ndimage

from marsgan_tf.imaging import fill

# Of the gradient's Gaussian, px: the smallest that is one. Fine detail tells
# places apart best, and a pyramid of grids has the rest.
_SIGMA_PX = 0.7
REACH_PX = 3
# Added to the gradient, in medians of it, so that flat noise makes no feature.
_FLOOR = 0.1


@dataclasses.dataclass(frozen=True)
class Masked:
    """An array with holes.

    Attributes:
        values: `(height, width)` float64, 0 where it has none.
        valid: `(height, width)` booleans.
    """

    values: np.ndarray
    valid: np.ndarray

    def window(self, row: int, col: int, height: int, width: int) -> "Masked":
        """A part of it, which lies inside."""
        part = slice(row, row + height), slice(col, col + width)
        return Masked(self.values[part], self.valid[part])


def edges(image: np.ndarray, valid: np.ndarray) -> Masked:
    """The logarithm of the gradient's magnitude.

    Args:
        image: `(height, width)` of any unit, anything under invalid pixels.
        valid: `(height, width)` booleans.

    Returns:
        Of the same size; holes grow by 3 px.
    """
    if not valid.any():
        return Masked(np.zeros(image.shape), valid)
    filled = fill.fill(image.astype(np.float64), valid)
    magnitude = scipy.ndimage.gaussian_gradient_magnitude(filled, _SIGMA_PX)
    is_far = scipy.ndimage.binary_erosion(
        valid, np.ones((3, 3)), iterations=REACH_PX, border_value=1
    )
    if not is_far.any():
        return Masked(np.zeros(image.shape), is_far)
    median = float(np.median(magnitude[is_far]))
    floor = _FLOOR * median or float(np.finfo(np.float64).tiny)
    logarithm = np.log(magnitude + floor)
    logarithm -= logarithm[is_far].mean()
    return Masked(np.where(is_far, logarithm, 0.0), is_far)
