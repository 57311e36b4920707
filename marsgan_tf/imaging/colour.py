"""Colour of high resolution, where the network restores one plane only.

`hsv`: the network restores the value V of an RGB image; hue and saturation
are enlarged bicubic. `pan`: it restores one band, whose detail is injected
into the others.

Bands are `(height, width, bands)`, planes `(height, width)`, all of floats in
the image's own numbers (DN, I/F). Low resolution is enlarged by
`enlarge.enlarge`, whose margin of `enlarge.REACH_PX` a tile needs.
"""

import dataclasses
import functools

import numpy as np

from marsgan_tf.imaging.enlarge import enlarge


def value(rgb: np.ndarray) -> np.ndarray:
    """V of HSV: the largest of the bands at each pixel, `(height, width)`.

    Reference: Smith 1978, https://doi.org/10.1145/965139.807361
    """
    # Ten times as fast as NumPy's own maximum along so short an axis.
    return functools.reduce(np.maximum, np.moveaxis(rgb, -1, 0))


def recolour(
    lr_rgb: np.ndarray,
    hr_value: np.ndarray,
    *,
    black: float,
    scale: int = 4,
) -> np.ndarray:
    """Puts a restored V into the image's enlarged hue and saturation.

    Hue and saturation are functions of the chromaticity
    `(rgb - black) / (V - black)` alone, and HSV with both held is the
    chromaticity times `V - black`. So it is the chromaticity that is
    enlarged. Saturation, 1 less its smallest band, comes out bicubic wherever
    the same bands are largest and smallest around; hue, which is an angle,
    cannot go the wrong way round, and greys, which have none, do not turn it.

    A pixel with V at `black` or below is grey; bands below `black` count as
    `black`.

    Args:
        lr_rgb: `(height, width, 3)`, finite.
        hr_value: `(height * scale, width * scale)`.
        black: Level from which saturation counts: 0, or the lowest end of
            the bands' ranges if that is negative.
        scale: High over low resolution.

    Returns:
        `(height * scale, width * scale, 3)`, whose `value` is `hr_value`.

    Raises:
        ValueError: If the shapes do not match.

    Reference: Smith 1978, https://doi.org/10.1145/965139.807361
    """
    if lr_rgb.ndim != 3 or lr_rgb.shape[-1] != 3:
        raise ValueError(
            "`lr_rgb` must be (height, width, 3). "
            f"Received: lr_rgb.shape={lr_rgb.shape}"
        )
    chroma = enlarge(_chromaticity(lr_rgb, black), scale)
    _check_shape("hr_value", hr_value, chroma.shape[:2])
    # No division by 0: the bands' sum is 1 to 3 before, and bicubic weights are
    # 1.28 and -0.28 in all, which leaves at least 1.28 * 1 - 0.28 * 3 after.
    chroma = np.clip(chroma, 0, 1, out=chroma)
    chroma /= value(chroma)[..., np.newaxis]
    # Below black, a colour would turn into its complement.
    chroma[hr_value < black] = 1
    return chroma * (hr_value - black)[..., np.newaxis] + black


def inject(
    lr_bands: np.ndarray,
    lr_pan: np.ndarray,
    hr_pan: np.ndarray,
    gains: np.ndarray,
    *,
    scale: int = 4,
) -> np.ndarray:
    """Adds the detail of a restored plane to bicubic bands.

    Each band becomes `enlarge(band) + gain * (hr_pan - enlarge(lr_pan))`.

    Args:
        lr_bands: `(height, width, bands)`.
        lr_pan: `(height, width)`, what the network saw.
        hr_pan: `(height * scale, width * scale)`, what it made of that.
        gains: `(bands,)`, of the whole scene: `Moments.gains`.
        scale: High over low resolution.

    Returns:
        `(height * scale, width * scale, bands)`.

    Raises:
        ValueError: If the shapes do not match.

    Reference: Aiazzi et al. 2007, https://doi.org/10.1109/TGRS.2007.901007
    """
    _check_shape("lr_pan", lr_pan, lr_bands.shape[:2])
    _check_shape("gains", gains, lr_bands.shape[2:])
    enlarged = enlarge(lr_bands, scale)
    _check_shape("hr_pan", hr_pan, enlarged.shape[:2])
    detail = hr_pan - enlarge(lr_pan, scale)
    return enlarged + gains.astype(detail.dtype) * detail[..., np.newaxis]


@dataclasses.dataclass(eq=False)
class Moments:
    """How a scene's bands follow its panchromatic plane, piece by piece.

    The pieces may come in any order and size: means and co-moments are merged
    in float64, and nothing is squared before its mean is taken off.

    Args:
        bands: How many bands follow.

    Attributes:
        count: Valid pixels so far.

    Reference: Chan et al. 1983, https://doi.org/10.1080/00031305.1983.10483115
    """

    bands: int
    count: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        # The panchromatic plane first, then the bands.
        self._means = np.zeros(1 + self.bands)
        self._comoments = np.zeros(1 + self.bands)

    def add(
        self, pan: np.ndarray, bands: np.ndarray, valid: np.ndarray
    ) -> None:
        """Adds a piece of the scene.

        Args:
            pan: `(height, width)`.
            bands: `(height, width, bands)`.
            valid: `(height, width)` bool; other pixels are not used.

        Raises:
            ValueError: If the shapes do not match.
        """
        _check_shape("bands", bands, (*pan.shape, self.bands))
        _check_shape("valid", valid, pan.shape)
        planes = np.column_stack([pan[valid], bands[valid]])
        if len(planes) == 0:
            return
        count, means, comoments = _moments(planes.astype(np.float64))
        total = self.count + count
        shift = means - self._means
        self._comoments += comoments
        self._comoments += shift * shift[0] * (self.count * count / total)
        self._means += shift * (count / total)
        self.count = total

    def gains(self) -> np.ndarray:
        """Slope of each band's regression on the panchromatic plane.

        Returns:
            float64 `(bands,)`: covariance over variance; 0 where the plane is
            constant or nothing was added.
        """
        variance, covariances = self._comoments[0], self._comoments[1:]
        if variance == 0:
            return np.zeros(self.bands)
        return covariances / variance


def _chromaticity(rgb: np.ndarray, black: float) -> np.ndarray:
    """Bands above `black` over the largest of them; 1 where none is above."""
    excess = np.maximum(rgb - black, 0)
    largest = value(excess)[..., np.newaxis]
    return np.divide(
        excess, largest, out=np.ones_like(excess), where=largest > 0
    )


def _moments(planes: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Count, means, and co-moments with the first column, of `(n, columns)`."""
    # From the first pixel on, so that a constant has a variance of exactly 0.
    origin = planes[0]
    planes = planes - origin
    means = planes.mean(axis=0)
    planes -= means
    return len(planes), origin + means, planes[:, 0] @ planes


def _check_shape(
    name: str, array: np.ndarray, expected: tuple[int, ...]
) -> None:
    if array.shape != expected:
        raise ValueError(
            f"`{name}` must have the shape {expected}. "
            f"Received: {name}.shape={array.shape}"
        )
