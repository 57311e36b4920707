"""The erf that a Gaussian-blurred edge is, fitted to single pixels.

Distances are px along the edge's normal, positive on the bright side.
"""

import dataclasses
import math

import numpy as np
import scipy.optimize
import scipy.special

RISE_PER_SIGMA = 2.0 * float(scipy.special.ndtri(0.9))  # 2.563, 10 to 90 %.

_LEAST_SIGMA = 0.05  # Px; a pixel's own aperture is 0.29.
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

    Args:
        distance_px: `(n,)`, n of at least 4.
        values: `(n,)`, in the image's unit.
        sigma_px: Where the search begins.
    """
    dark, bright = distance_px < 0.0, distance_px > 0.0
    low, high = np.median(values[dark]), np.median(values[bright])
    unit = float(max(high - low, np.ptp(values) * 0.01))
    scaled = (values - low) / unit

    def parts(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = (distance_px - p[2]) / p[3]
        return share, np.exp(-0.5 * share**2) / math.sqrt(2.0 * math.pi)

    def errors(p: np.ndarray) -> np.ndarray:
        return p[0] + p[1] * scipy.special.ndtr(parts(p)[0]) - scaled

    def jacobian(p: np.ndarray) -> np.ndarray:
        share, density = parts(p)
        slope = -p[1] * density / p[3]
        return np.stack(
            [np.ones_like(share), scipy.special.ndtr(share)]
            + [slope, slope * share],
            axis=1,
        )

    reach = float(abs(distance_px).max())
    solution = scipy.optimize.least_squares(
        errors,
        [0.0, 1.0, 0.0, min(sigma_px, reach)],
        jacobian,
        bounds=(
            [-np.inf, -np.inf, -reach, _LEAST_SIGMA],
            [np.inf, np.inf, reach, 2.0 * reach],
        ),
        loss="soft_l1",
        f_scale=_ROBUST_SHARE,
        xtol=1e-6,
        ftol=1e-9,
    ).x
    return ErfEdge(
        low=float(low + unit * solution[0]),
        contrast=float(unit * solution[1]),
        centre_px=float(solution[2]),
        sigma_px=float(solution[3]),
    )


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
