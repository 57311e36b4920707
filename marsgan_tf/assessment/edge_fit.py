"""The erf that a Gaussian-blurred edge is, fitted to single pixels.

Distances are px along the edge's normal, positive on the bright side.
"""

import dataclasses
import math

import numpy as np
import scipy.special

RISE_PER_SIGMA = 2.0 * float(scipy.special.ndtri(0.9))  # 2.563, 10 to 90 %.

_LEAST_SIGMA = 0.05  # Px; a pixel's own aperture is 0.29.
_MOST_STEPS = 40  # An edge takes about eight.
_SMALL_STEP = 1e-5  # In units of the contrast, px, and of log sigma.
# Residuals beyond this share of the contrast count linearly: boulders.
_ROBUST_SHARE = 0.1
# Beyond this many sigmas an erf is within 0.6 % of its level. Ringing may go
# further, so the plateau is also no nearer than half of what the region shows.
_PLATEAU_SIGMAS = 2.5
_PLATEAU_SHARE = 0.5
_LEAST_PLATEAU_PX = 10


@dataclasses.dataclass(frozen=True)
class ErfEdge:
    """A Gaussian-blurred step: `low + contrast * Phi((x - centre) / sigma)`.

    Attributes:
        low: Level of the dark side, in the image's unit.
        contrast: Bright level minus dark level.
        centre_px: Where half of the contrast is reached.
        sigma_px: Of the blur, the pixel's aperture included.
    """

    low: float
    contrast: float
    centre_px: float
    sigma_px: float

    def value(self, distance_px: np.ndarray) -> np.ndarray:
        """The edge at distances of any shape."""
        share = (distance_px - self.centre_px) / self.sigma_px
        return self.low + self.contrast * scipy.special.ndtr(share)


def fit_erf(
    distance_px: np.ndarray, values: np.ndarray, *, sigma_px: float = 1.5
) -> ErfEdge:
    """Robust least squares over single pixels.

    Levenberg and Marquardt's steps on reweighted residuals; `least_squares`
    of SciPy finds the same and takes three times as long.

    Args:
        distance_px: `(n,)`, with some below and some above 0.
        values: `(n,)`, in the image's unit.
        sigma_px: Where the search begins.
    """
    low = float(np.median(values[distance_px < 0.0]))
    high = float(np.median(values[distance_px > 0.0]))
    unit = max(high - low, float(np.ptp(values)) * 0.01)
    scaled = (values - low) / unit
    reach = float(abs(distance_px).max())
    limits = np.array(
        [[-np.inf, -np.inf, -reach, math.log(_LEAST_SIGMA)]]
        + [[np.inf, np.inf, reach, math.log(2.0 * reach)]]
    )
    found = np.array([0.0, 1.0, 0.0, math.log(min(sigma_px, reach))])
    errors, slopes = _linearised(found, distance_px, scaled)
    damping = 1e-3
    for _ in range(_MOST_STEPS):
        step = _damped_step(errors, slopes, damping)
        tried = np.clip(found + step, *limits)
        tried_errors, tried_slopes = _linearised(tried, distance_px, scaled)
        if _cost(tried_errors) > _cost(errors):
            damping *= 10.0
            continue
        found, errors, slopes = tried, tried_errors, tried_slopes
        damping = max(damping / 10.0, 1e-7)
        if abs(step).max() < _SMALL_STEP:
            break
    return ErfEdge(
        low=low + unit * float(found[0]),
        contrast=unit * float(found[1]),
        centre_px=float(found[2]),
        sigma_px=math.exp(found[3]),
    )


def _linearised(
    found: np.ndarray, distance_px: np.ndarray, scaled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Errors `(n,)` and their derivatives `(4, n)`.

    By the low level, the contrast, the centre and the logarithm of sigma.
    """
    low, contrast, centre, log_sigma = found
    share = (distance_px - centre) * math.exp(-log_sigma)
    step = scipy.special.ndtr(share)
    fall = -contrast / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * share**2)
    slopes = [
        np.ones_like(share),
        step,
        fall * math.exp(-log_sigma),
        fall * share,
    ]
    return low + contrast * step - scaled, np.stack(slopes)


def _damped_step(
    errors: np.ndarray, slopes: np.ndarray, damping: float
) -> np.ndarray:
    weighted = slopes / np.sqrt(1.0 + (errors / _ROBUST_SHARE) ** 2)
    normal = weighted @ slopes.T
    # Never singular, even where no pixel lies on the rise.
    normal[np.diag_indices(4)] += damping * normal.diagonal() + 1e-9
    return -np.linalg.solve(normal, weighted @ errors)


def _cost(errors: np.ndarray) -> float:
    """Square of small errors, linear in large ones."""
    return float(np.sum(np.sqrt(1.0 + (errors / _ROBUST_SHARE) ** 2) - 1.0))


def level(fit: ErfEdge, distance_px: np.ndarray, values: np.ndarray) -> ErfEdge:
    """Moves the fit's levels to those of the plateaus on either side.

    With ringing or a slope beside the edge the fit's own levels are
    compromises. A side too short to tell keeps them.
    """
    offset = distance_px - fit.centre_px
    residual = values - fit.value(distance_px)
    nearest = _PLATEAU_SIGMAS * fit.sigma_px
    first = min(-nearest, _PLATEAU_SHARE * float(offset.min()))
    last = max(nearest, _PLATEAU_SHARE * float(offset.max()))
    below = _clipped_mean(residual[offset < first])
    above = _clipped_mean(residual[offset > last])
    return dataclasses.replace(
        fit, low=fit.low + below, contrast=fit.contrast + above - below
    )


def _clipped_mean(values: np.ndarray) -> float:
    """Mean of the values within 2.5 robust deviations of their median."""
    if values.size < _LEAST_PLATEAU_PX:
        return 0.0
    gaps = abs(values - np.median(values))
    limit = 2.5 * 1.4826 * float(np.median(gaps))
    return float(values[gaps <= limit].mean())
