"""An edge seen along its normal: edge-spread function, rise and MTF.

Distances are px along the normal, positive on the bright side. The
edge-spread function (ESF) is the erf fit plus what the pixels show beyond it,
gathered in bins. So neither the bins' width nor the smoothing widens an edge
that is nearly Gaussian, as they would if they acted on the pixels themselves.
"""

import dataclasses
import math

import numpy as np

from marsgan_tf.assessment.edge_fit import ErfEdge

BINS_PER_PX = 4

_STEPS_PER_PX = 32  # Of the grid on which the levels' crossings are sought.
_SEARCH_SIGMAS = 4.0  # How far from the middle, and 2 px more.
# Of the smoothing of residuals: narrow against the edge, so that ringing of
# its width survives, and no less than a bin.
_BANDWIDTH_SIGMAS = 0.35
_WINDOW_SIGMAS = 6.0  # Of the MTF's, and 4 px more for the ringing.


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """What the pixels show beyond an erf fit, in bins of a quarter pixel.

    Attributes:
        fit: The erf, with the levels of the plateaus.
        distance_px: Middles of the bins that hold pixels, float64 `(n,)`,
            ascending.
        residual: Mean of pixel minus fit, float64 `(n,)`.
        pixels: Pixels in a bin, `(n,)`.
    """

    fit: ErfEdge
    distance_px: np.ndarray
    residual: np.ndarray
    pixels: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The edge-spread function at the bins' middles, `(n,)`."""
        return self.fit.value(self.distance_px) + self.residual

    def smooth(self, distance_px: np.ndarray) -> np.ndarray:
        """The edge-spread function at any distances `(m,)`.

        Residuals are smoothed by local lines under a Gaussian window, and
        what that leaves once more (Tukey's twicing), lest the lobes of a
        sharpened edge be flattened and its rise seem shorter.
        """
        left = self.residual - self._local_lines(
            self.distance_px, self.residual
        )
        smoothed = self._local_lines(distance_px, self.residual + left)
        return self.fit.value(distance_px) + smoothed

    def _local_lines(self, at: np.ndarray, residual: np.ndarray) -> np.ndarray:
        bandwidth = max(
            _BANDWIDTH_SIGMAS * self.fit.sigma_px, 1.0 / BINS_PER_PX
        )
        gaps = self.distance_px - at[:, np.newaxis]
        weights = np.exp(-0.5 * (gaps / bandwidth) ** 2) * self.pixels
        # A whisper everywhere: between bins that are far apart, as those of
        # an edge along the grid, the residual is a mean and not 0 / 0.
        weights += 1e-9
        total = weights.sum(axis=1)
        first = (weights * gaps).sum(axis=1)
        second = (weights * gaps**2).sum(axis=1)
        tilt = weights * (second[:, np.newaxis] - gaps * first[:, np.newaxis])
        determinant = total * second - first**2
        return (tilt @ residual) / determinant


def gather(
    fit: ErfEdge, distance_px: np.ndarray, values: np.ndarray
) -> Profile:
    """Bins the pixels' residuals along the normal.

    Args:
        fit: From `level`.
        distance_px: `(n,)`.
        values: `(n,)`, in the image's unit.
    """
    bins = np.floor(distance_px * BINS_PER_PX).astype(np.int64)
    numbers, members, pixels = np.unique(
        bins, return_inverse=True, return_counts=True
    )
    sums = np.bincount(members, values - fit.value(distance_px))
    return Profile(
        fit=fit,
        distance_px=(numbers + 0.5) / BINS_PER_PX,
        residual=sums / pixels,
        pixels=pixels,
    )


def crossings(profile: Profile) -> tuple[float, float] | None:
    """Where the ESF last leaves 10 % and first reaches 90 % of its contrast.

    Returns:
        Distances in px, about the middle of the edge; None if the data end
        before.
    """
    grid, share = _about_middle(profile)
    is_dark = grid < profile.fit.centre_px
    below = np.flatnonzero(is_dark & (share <= 0.1))
    above = np.flatnonzero(~is_dark & (share >= 0.9))
    if not (below.size and above.size and above[0] > 0):
        return None
    return (
        _interpolate(grid, share, below[-1], 0.1),
        _interpolate(grid, share, above[0] - 1, 0.9),
    )


def overshoot(profile: Profile) -> float:
    """How far the ESF passes the level of a plateau beside the edge.

    The larger of both sides, 0 for a profile that stays between its levels.
    Sharpening makes such lobes, and so does real ground: compare with the
    same edge in the input.

    Returns:
        Share of the contrast, at least 0.
    """
    _, share = _about_middle(profile)
    return max(0.0, float(share.max()) - 1.0, -float(share.min()))


def mtf(profile: Profile, cycles_per_px: np.ndarray) -> np.ndarray:
    """Modulus of the Fourier transform of the line-spread function.

    The erf's part has a closed form, free of window and bins. The residual's
    is summed over the bins under a Hann window and differentiated by the
    factor `2 pi i f`, exactly, where ISO 12233 differences neighbouring bins
    and then divides by that filter's response; it is divided by the bin's
    own, `sinc(f / 4)`, as there.

    Args:
        profile: From `gather`.
        cycles_per_px: Frequencies along the normal, `(m,)`, below 2.

    Returns:
        float64 `(m,)`, 1 at frequency 0.
    """
    fit = profile.fit
    offset = profile.distance_px - fit.centre_px
    reach = min(-offset[0], offset[-1], _WINDOW_SIGMAS * fit.sigma_px + 4.0)
    middles = np.arange(-reach, reach, 1.0 / BINS_PER_PX)
    residual = np.interp(middles, offset, profile.residual)
    window = 0.5 + 0.5 * np.cos(np.pi * middles / reach)
    waves = np.exp(-2j * np.pi * np.outer(cycles_per_px, middles))
    summed = waves @ (window * residual) / BINS_PER_PX / fit.contrast
    response = np.sinc(cycles_per_px / BINS_PER_PX)
    derived = 2j * np.pi * cycles_per_px * summed / response
    return abs(
        np.exp(-2.0 * (np.pi * fit.sigma_px * cycles_per_px) ** 2) + derived
    )


def mtf50(profile: Profile) -> float:
    """Frequency in cycles/px at which the MTF first falls to one half.

    Returns:
        NaN if it does not before 1 cycle/px.
    """
    frequencies = np.linspace(0.0, 1.0, 201)
    response = mtf(profile, frequencies)
    below = np.flatnonzero(response < 0.5)
    if not below.size:
        return math.nan
    return _interpolate(frequencies, response, int(below[0]) - 1, 0.5)


def _about_middle(profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Distances about the edge, and the ESF there in shares of the contrast."""
    fit = profile.fit
    reach = _SEARCH_SIGMAS * fit.sigma_px + 2.0
    first = max(float(profile.distance_px[0]), fit.centre_px - reach)
    last = min(float(profile.distance_px[-1]), fit.centre_px + reach)
    grid = np.linspace(first, last, int((last - first) * _STEPS_PER_PX) + 2)
    return grid, (profile.smooth(grid) - fit.low) / fit.contrast


def _interpolate(
    x: np.ndarray, y: np.ndarray, index: int, level: float
) -> float:
    """Where the segment from `index` to its successor is at `level`."""
    share = (level - y[index]) / (y[index + 1] - y[index])
    return float(x[index] + share * (x[index + 1] - x[index]))
