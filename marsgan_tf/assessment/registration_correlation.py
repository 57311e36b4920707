"""How far one window is shifted against another, by correlation.

Shifts are `(row, column)` px: what lies at p in the moving window lies at
p + shift in the fixed one.
"""

import dataclasses
import functools

import numpy as np
import scipy.fft

from marsgan_tf.assessment.registration_features import Masked

# Distance from the origin from which on frequencies count, in steps.
_LEAST_RING = 1

# Below this share of the larger variances, an overlap counts as constant.
_LEAST_VARIANCE = 1e-9


@dataclasses.dataclass(frozen=True)
class Peak:
    """The best shift of a correlation.

    Attributes:
        shift: `(row, column)` px, to a fraction of one.
        score: Correlation times the root of the pixels that it was taken
            over: of noise against noise, a normal deviate if its pixels were
            independent.
        correlation: In [-1, 1].
    """

    shift: np.ndarray
    score: float
    correlation: float


class Spectra:
    """The transforms of an array with holes that its correlation needs.

    Args:
        array: The array.
        shape: Of the transforms; lags wrap around at it.
    """

    def __init__(self, array: Masked, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.mask = scipy.fft.rfft2(array.valid.astype(np.float64), shape)
        self.values = scipy.fft.rfft2(array.values, shape)
        self.squares = scipy.fft.rfft2(array.values**2, shape)


def correlation(
    fixed: Spectra, moving: Spectra, least_overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's correlation over what both have, for every shift.

    Args:
        fixed: Of the array that stays.
        moving: Of the array that is shifted; its transforms' shape is the
            same.
        least_overlap: Pixels in common, below which a shift counts as
            uncorrelated.

    Returns:
        The correlation and the pixels in common; negative shifts count from
        the end.

    Reference: Padfield 2012, IEEE Trans. Image Process. 21, 2706-2718.
    """

    def lags(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return scipy.fft.irfft2(a * b.conj(), fixed.shape)

    overlap = np.maximum(np.rint(lags(fixed.mask, moving.mask)), 0.0)
    count = np.maximum(overlap, 1.0)
    fixed_sum = lags(fixed.values, moving.mask)
    moving_sum = lags(fixed.mask, moving.values)
    product = lags(fixed.values, moving.values) - fixed_sum * moving_sum / count
    fixed_spread = lags(fixed.squares, moving.mask) - fixed_sum**2 / count
    moving_spread = lags(fixed.mask, moving.squares) - moving_sum**2 / count
    spread = np.maximum(fixed_spread, 0.0) * np.maximum(moving_spread, 0.0)
    is_usable = (overlap >= max(least_overlap, 1.0)) & (
        spread > _LEAST_VARIANCE * spread.max()
    )
    root = np.sqrt(np.where(is_usable, spread, 1.0))
    return np.where(is_usable, product / root, 0.0), overlap


def find_anywhere(
    fixed: Spectra, moving: Spectra, least_overlap: float
) -> Peak:
    """The best of all shifts, judged by `Peak.score`.

    The transforms' sides must be at least the sum of the arrays' sides.
    """
    found, overlap = correlation(fixed, moving, least_overlap)
    scores = found * np.sqrt(overlap)
    at = np.unravel_index(int(scores.argmax()), scores.shape)
    shift = np.array(at, np.float64)
    size = np.array(fixed.shape)
    shift = np.where(shift > size / 2, shift - size, shift)
    return Peak(
        shift + _fraction(np.roll(found, (1 - at[0], 1 - at[1]), (0, 1))),
        float(scores[at]),
        float(found[at]),
    )


def find_near(fixed: Masked, moving: Masked, least_share: float) -> Peak | None:
    """The best shift that keeps the moving window within the fixed one.

    Args:
        fixed: Larger by the same margin on each side.
        moving: The window that is looked for.
        least_share: Of its pixels that must have a partner.

    Returns:
        The shift from its place in the middle; None where the best one lies
        on the border of what was searched, or there is too little data.
    """
    shape = fixed.values.shape
    margin = (shape[0] - moving.values.shape[0]) // 2
    found, overlap = correlation(
        Spectra(fixed, shape),
        Spectra(moving, shape),
        least_share * moving.values.size,
    )
    side = 2 * margin + 1
    found, overlap = found[:side, :side], overlap[:side, :side]
    at = np.unravel_index(int(found.argmax()), found.shape)
    if found[at] <= 0.0 or 0 in at or 2 * margin in at:
        return None
    near = found[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 2]
    return Peak(
        np.array(at, np.float64) - margin + _fraction(near),
        float(found[at] * np.sqrt(overlap[at])),
        float(found[at]),
    )


def doubled_phases(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """What tells the shift between two images under any two suns.

    Brightness that is linear in the slopes turns a wave of the ground into a
    wave of the image, in phase or in counterphase, as the sun stands to its
    crests. In the cross-power spectrum, phases of the shift are therefore
    right but for half a turn; doubled, they are right, and those of noise as
    uniform as before.

    Args:
        fixed: `(n, n)`, finite.
        moving: `(n, n)`.

    Returns:
        complex64 `(n, n // 2 + 1)`, of length 1, as `scipy.fft.rfft2` orders
        them.
    """
    taper = _taper(len(fixed))
    cross = scipy.fft.rfft2(_centred(fixed) * taper)
    cross = cross * scipy.fft.rfft2(_centred(moving) * taper).conj()
    length = np.maximum(np.abs(cross), np.finfo(np.float64).tiny)
    return ((cross / length) ** 2).astype(np.complex64)


def coherent_frequencies(phases: np.ndarray) -> np.ndarray:
    """The frequencies at which many windows agree on no shift.

    The windows are aligned but for fractions of a pixel, so that the mean
    real part at a distance from the origin is the images' coherence there.
    All frequencies whose coherence is more than scatter count alike: weights
    by coherence favour coarse detail, which the sun moves the most. The lowest
    frequencies never count: they are the taper's as much as the images'.

    Args:
        phases: `(windows, n, n // 2 + 1)`, from `doubled_phases`.

    Returns:
        `(n, n // 2 + 1)`, 0 or 1.
    """
    rings = _rings(phases.shape[1])
    mean = phases.real.mean(axis=0)
    count = np.bincount(rings.ravel())
    coherence = np.bincount(rings.ravel(), mean.ravel()) / count
    # Of unrelated phases, by this much with a chance of 2 %.
    scatter = 2.0 / np.sqrt(2.0 * count * len(phases))
    is_coherent = coherence > scatter
    is_coherent[:_LEAST_RING] = False
    return is_coherent[rings].astype(np.float64)


def find_by_phases(phases: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The shift that doubled phases tell: half of where their peak lies.

    Args:
        phases: `(n, n // 2 + 1)`, from `doubled_phases`.
        weights: Of the frequencies, of the same shape.

    Returns:
        `(row, column)` px, each within a quarter of n.
    """
    side = len(phases)
    surface = scipy.fft.irfft2(phases * weights, (side, side))
    at = np.unravel_index(int(surface.argmax()), surface.shape)
    near = np.roll(surface, (1 - at[0], 1 - at[1]), (0, 1))
    shift = np.array(at, np.float64) + _fraction(near)
    return np.where(shift > side / 2.0, shift - side, shift) / 2.0


def _fraction(near: np.ndarray) -> np.ndarray:
    """From the largest of 3x3 to the top of the parabolas through it."""
    offset = np.zeros(2)
    for axis, (low, top, high) in enumerate((near[:3, 1], near[1, :3])):
        bend = low - 2.0 * top + high
        if bend < 0.0:
            offset[axis] = np.clip(0.5 * (low - high) / bend, -0.5, 0.5)
    return offset


def _centred(image: np.ndarray) -> np.ndarray:
    return image - image.mean()


@functools.lru_cache(maxsize=8)
def _taper(side: int) -> np.ndarray:
    return np.outer(np.hanning(side), np.hanning(side))


@functools.lru_cache(maxsize=8)
def _rings(side: int) -> np.ndarray:
    """Distance from the origin of the frequencies, in steps."""
    rows = scipy.fft.fftfreq(side, 1.0 / side)
    columns = np.arange(side // 2 + 1)
    return np.rint(np.hypot(rows[:, np.newaxis], columns)).astype(int)
