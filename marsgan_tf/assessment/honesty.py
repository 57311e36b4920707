"""What a super-resolved image found, what it missed and what it invented.

With a reference, after opensr-test. Three images on one grid: the reference
HR, the super-resolved SR, and LR, the input enlarged by bicubic. Of each pixel

    d_ref = |LR - HR|,    d_im = |SR - HR| / d_ref,    d_om = |SR - LR| / d_ref

tell how far SR is from what is there (`d_im`) and from what the input already
showed (`d_om`), in units of what there was to be found. With H = d_im + d_om
- 1, three scores are low where a pixel is

    an improvement,    d_im + d_om (1 - exp(-0.05 H)):    at HR, not at LR
    an omission,       d_om + d_im (1 - exp(-0.05 H)):    at LR, not at HR
    a hallucination,   exp(-0.05 d_im d_om):              at neither

and a softmin of temperature 0.25 turns them into three shares that sum to 1.
The bicubic itself is an omission of 96.5 %, the reference an improvement of
96.5 %; a pixel is mostly hallucination once it is about as far from both as
they are from each other. Pixels count where one of the three distances (not
divided) exceeds a threshold, by default the third quartile of d_ref: where
nothing was to be found and nothing was changed, there is nothing to judge.

Settings are those of opensr-test 1.3 but for two. The distance is its `l1`,
not its `nd` |x - y| / |x + y|, which depends on where a stretch has its zero;
and SR is not first matched to HR's histogram and position, which would excuse
what is asked about here. So images must be registered and of one unit.

Images are `(height, width)`, of one stretch to about [0, 1].

Reference: Aybar et al. 2024, "A Comprehensive Benchmark for Optical Remote
Sensing Image Super-Resolution", https://doi.org/10.1109/LGRS.2024.3401394;
https://github.com/ESAOpenSR/opensr-test
"""

import dataclasses

import numpy as np
import scipy.ndimage

from marsgan_tf.assessment.arguments import checked_valid
from marsgan_tf.imaging import degrade, fill

CLASSES = ("improvement", "omission", "hallucination")

_STEEPNESS = 0.05
_TEMPERATURE = 0.25
_QUANTILE = 0.75

# In units of the stretch: a hundredth of what a float32 of about 1 resolves.
_LEAST_DISTANCE = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Honesty:
    """Shares of each pixel, and which pixels count.

    Attributes:
        shares: float32 `(3, height, width)` in the order of `CLASSES`, summing
            to 1; NaN where a pixel does not count.
        counted: bool `(height, width)`.
    """

    shares: np.ndarray
    counted: np.ndarray

    @property
    def sums(self) -> np.ndarray:
        """The shares' sums over the pixels that count, float64 `(3,)`."""
        return self.shares[:, self.counted].sum(axis=1, dtype=np.float64)

    @property
    def means(self) -> np.ndarray:
        """The shares of the whole image, `(3,)`; NaN where none counts."""
        count = np.count_nonzero(self.counted)
        return self.sums / count if count else np.full(3, np.nan)

    @property
    def classes(self) -> np.ndarray:
        """uint8 `(height, width)`: 1 + the index of the greatest share, or 0.

        Ties go to the first.
        """
        greatest = np.zeros(self.counted.shape, np.uint8)
        shares = self.shares[:, self.counted]
        greatest[self.counted] = 1 + np.argmax(shares, axis=0)
        return greatest


def least_distance(
    lr: np.ndarray, hr: np.ndarray, valid: np.ndarray | None = None
) -> float:
    """The third quartile of |LR - HR|: `judge`'s usual threshold.

    It depends on no super-resolved image, so one serves all that are compared.

    Args:
        lr: The input, enlarged by bicubic.
        hr: The reference.
        valid: bool `(height, width)`; None for everywhere.

    Raises:
        ValueError: As `judge`.
    """
    valid = checked_valid(valid, lr=lr, hr=hr)
    distances = _distance(lr[valid], hr[valid])
    rank = max(int(_QUANTILE * distances.size) - 1, 0)
    return float(np.partition(distances, rank)[rank])


def judge(
    sr: np.ndarray,
    lr: np.ndarray,
    hr: np.ndarray,
    *,
    threshold: float,
    valid: np.ndarray | None = None,
) -> Honesty:
    """Tells improvement, omission and hallucination apart, pixel by pixel.

    Args:
        sr: The super-resolved image.
        lr: The input, enlarged by bicubic.
        hr: The reference.
        threshold: Least distance that counts, from `least_distance`.
        valid: bool `(height, width)`; None for everywhere.

    Returns:
        Maps of the image's size.

    Raises:
        ValueError: If shapes differ, a valid pixel is not finite, none is
            valid, or `threshold` is negative.
    """
    if not threshold >= 0:
        raise ValueError(
            f"`threshold` must be at least 0. Received: threshold={threshold}"
        )
    valid = checked_valid(valid, sr=sr, lr=lr, hr=hr)
    d_ref, d_im, d_om = (
        np.where(valid, _distance(x, y), 0.0)
        for x, y in ((lr, hr), (sr, hr), (sr, lr))
    )
    counted = np.maximum(np.maximum(d_ref, d_im), d_om) > threshold
    unit = np.maximum(d_ref[counted], _LEAST_DISTANCE)
    shares = np.full((3, *valid.shape), np.nan, np.float32)
    shares[:, counted] = _shares(d_im[counted] / unit, d_om[counted] / unit)
    return Honesty(shares, counted)


def residual(
    lr: np.ndarray,
    sr: np.ndarray,
    *,
    blur_sigma: float,
    lr_valid: np.ndarray | None = None,
    sr_valid: np.ndarray | None = None,
) -> np.ndarray:
    """What an image, degraded, lacks of the input: honesty without reference.

    An image whose residual is not within the input's noise shows something
    else than the instrument saw. A small residual proves nothing: detail
    beyond the input's resolution leaves none.

    Args:
        lr: The input, `(height, width)`, of any unit.
        sr: `(height * scale, width * scale)`, of the same.
        blur_sigma: Of the degradation's Gaussian, px of `sr`; 0 is bicubic
            alone.
        lr_valid: bool, of the shape of `lr`; None for everywhere.
        sr_valid: bool, of the shape of `sr`; None for everywhere.

    Returns:
        `lr` less the degraded `sr`, float32 of the shape of `lr`; NaN where
        the degradation looks at a pixel without data.

    Raises:
        ValueError: If the shapes do not fit, a valid pixel is not finite, or
            none is valid.
    """
    lr_valid = checked_valid(lr_valid, lr=lr)
    sr_valid = checked_valid(sr_valid, sr=sr)
    scale = sr.shape[0] // lr.shape[0]
    if sr.shape != (lr.shape[0] * scale, lr.shape[1] * scale):
        raise ValueError(
            "`sr` must be `lr`'s (height, width) times a whole number. "
            f"Received: sr.shape={sr.shape}, lr.shape={lr.shape}"
        )
    whole = fill.fill(sr.astype(np.float32, copy=False), sr_valid)
    left = lr.astype(np.float32) - degrade.degrade(
        whole, blur_sigma, scale=scale
    )
    seen = lr_valid & _all_seen(sr_valid, blur_sigma, scale)
    return np.where(seen, left, np.float32(np.nan))


def _distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(np.subtract(x, y, dtype=np.float64))


def _shares(d_im: np.ndarray, d_om: np.ndarray) -> np.ndarray:
    """The softmin of the three scores, `(3, n)`."""
    decay = 1 - np.exp(-_STEEPNESS * (d_im + d_om - 1))
    scores = np.stack(
        [
            d_im + d_om * decay,
            d_om + d_im * decay,
            np.exp(-_STEEPNESS * d_im * d_om),
        ]
    )
    weights = np.exp(-scores / _TEMPERATURE)
    return weights / weights.sum(axis=0)


def _all_seen(valid: np.ndarray, blur_sigma: float, scale: int) -> np.ndarray:
    """Where all that a degraded pixel looks at has data."""
    rows, cols = (side // scale for side in valid.shape)
    blocks = valid.reshape(rows, scale, cols, scale).all(axis=(1, 3))
    reach = degrade.support_px(blur_sigma, scale=scale) // scale
    return scipy.ndimage.minimum_filter(blocks, 2 * reach + 1, mode="nearest")
