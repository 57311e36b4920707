"""How sharp an image is, from one slanted edge in it.

The edge-spread function of ISO 12233: pixels on both sides of a straight edge,
laid along its normal, sample the edge far more finely than the grid does. Of
an ideal edge under a Gaussian blur, seen by square pixels, the distance from
10 to 90 % of the rise is `2.563 * sqrt(sigma**2 + 1 / 12)` px.

Reference: ISO 12233:2017, annex D; the paper's section 3.1 uses the rise.
"""

import dataclasses
import math

import numpy as np

from marsgan_tf.assessment import edge_fit, edge_line, edge_profile
from marsgan_tf.assessment.edge_fit import ErfEdge
from marsgan_tf.assessment.edge_line import EdgeError, EdgeLine
from marsgan_tf.assessment.edge_profile import Profile

__all__ = ["EdgeError", "EdgeLine", "Profile", "SlantedEdge", "measure"]

_LEAST_SIDE_PX = 8
_FIRST_SIGMA_PX = 1.5
_ROUNDS = 16
_FITTED_ROUNDS = 3  # After these the window's width stays.
_STILL_PX = 0.002  # At the ends of the edge.
_WINDOW_SIGMAS = 3.0
# Half of the rise is 1.28 sigma; a little of the plateau must be seen too.
_LEAST_REACH_SIGMAS = 2.0
_LEAST_CONTRAST_TO_NOISE = 5.0
# Crossings that scatter by half a sigma widen the edge by 12 %.
_MOST_LINE_RESIDUAL_SIGMAS = 0.5
_MOST_ERF_RESIDUAL = 0.2


@dataclasses.dataclass(frozen=True, eq=False)
class SlantedEdge:
    """One measured edge. Lengths are px of the image it was measured in.

    Attributes:
        line: Where it is, in the region's own rows and columns.
        rise_px: From 10 to 90 % of the contrast, of the edge-spread function.
        marks_px: The two distances from `line` between which it rises.
        erf_rise_px: The same of the erf fit, 2.563 of its sigmas.
        mtf50_cycles_per_px: Frequency of half modulation.
        contrast: Bright level minus dark level, in the image's unit, above 0.
        noise: Robust deviation of the pixels on both plateaus about the fit,
            texture included, in the image's unit.
        line_residual_px: Root mean square of the rows' (columns') crossings
            about the line, px along the normal.
        erf_residual: Root mean square of the pixels about the erf fit,
            in units of the contrast.
        profile: The edge-spread function.
    """

    line: EdgeLine
    rise_px: float
    marks_px: tuple[float, float]
    erf_rise_px: float
    mtf50_cycles_per_px: float
    contrast: float
    noise: float
    line_residual_px: float
    erf_residual: float
    profile: Profile

    @property
    def slant_deg(self) -> float:
        """Angle between the edge and the nearer image axis, in [0, 45]."""
        return self.line.slant_deg

    @property
    def overshoot(self) -> float:
        """How far it passes its plateaus, as a share of the contrast."""
        return edge_profile.overshoot(self.profile)

    @property
    def contrast_to_noise(self) -> float:
        """Infinite without noise."""
        return self.contrast / self.noise if self.noise else math.inf


def measure(region: np.ndarray, valid: np.ndarray | None = None) -> SlantedEdge:
    """Measures the one nearly straight edge of a region.

    Args:
        region: Real `(height, width)`, sides of at least 8 px, any unit.
        valid: Boolean, of the same shape: pixels with data. Pixels that are
            not finite count as without.

    Returns:
        The edge, of either orientation and polarity.

    Raises:
        EdgeError: If there is no edge that one could trust: too few pixels,
            too little contrast, too crooked, or the rise does not fit into
            the region. The message says which.
        ValueError: If an array has other dimensions.
    """
    image, valid = _checked(region, valid)
    rows, cols = np.nonzero(valid)
    values = image[valid]
    found, sigma = _locate(image, valid)
    distance = found.line.distance(rows, cols)
    erf = _fit(distance, values, sigma)
    if found.residual_px > _MOST_LINE_RESIDUAL_SIGMAS * erf.sigma_px:
        raise EdgeError(
            f"the edge is crooked: it strays {found.residual_px:.2f} px from "
            f"a line, and its blur has a sigma of {erf.sigma_px:.2f} px"
        )
    return _assemble(found, erf, distance, values)


def _locate(
    image: np.ndarray, valid: np.ndarray
) -> tuple[edge_line.LineFit, float]:
    """The line, refined until it stands still, and the edge's sigma, px."""
    rows, cols = np.nonzero(valid)
    line = edge_line.first_guess(image, valid)
    sigma = _FIRST_SIGMA_PX
    for number in range(_ROUNDS):
        if number < _FITTED_ROUNDS:
            distance = line.distance(rows, cols)
            sigma = _fit(distance, image[valid], sigma).sigma_px
        found = edge_line.refine(
            image, valid, line, half_width_px=_WINDOW_SIGMAS * sigma + 1.0
        )
        moved = _moved_px(line, found.line, image.shape)
        line = found.line
        if moved < _STILL_PX:
            break
    return found, sigma


def _checked(
    region: np.ndarray, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    image = np.asarray(region, np.float64)
    if image.ndim != 2:
        raise ValueError(
            "`region` must be (height, width). Received: "
            f"region.shape={image.shape}"
        )
    if min(image.shape) < _LEAST_SIDE_PX:
        raise EdgeError(
            f"the region is {image.shape[0]} x {image.shape[1]} px, its sides "
            f"must be at least {_LEAST_SIDE_PX} px"
        )
    has_data = np.isfinite(image)
    if valid is not None:
        if valid.shape != image.shape:
            raise ValueError(
                "`valid` must have the shape of `region`. Received: "
                f"valid.shape={valid.shape}, region.shape={image.shape}"
            )
        has_data &= valid.astype(bool)
    if has_data.sum() < _LEAST_SIDE_PX**2:
        raise EdgeError(f"only {has_data.sum()} pixels of the region are valid")
    return np.where(has_data, image, 0.0), has_data


def _fit(distance: np.ndarray, values: np.ndarray, sigma: float) -> ErfEdge:
    if not (distance.min() < 0.0 < distance.max()):
        raise EdgeError("the edge leaves the region")
    fit = edge_fit.fit_erf(distance, values, sigma_px=sigma)
    if fit.contrast <= 0.0:
        raise EdgeError("there is no step from one level to another")
    reach = min(fit.centre_px - distance.min(), distance.max() - fit.centre_px)
    if reach < _LEAST_REACH_SIGMAS * fit.sigma_px:
        raise EdgeError(
            f"the rise, about {fit.sigma_px * edge_fit.RISE_PER_SIGMA:.1f} px "
            f"at {reach:.1f} px from the side, does not fit into the region"
        )
    return fit


def _moved_px(old: EdgeLine, new: EdgeLine, shape: tuple[int, ...]) -> float:
    """How far the line moved, half a side away from its middle."""
    shift = abs(float(old.distance(np.asarray(new.row), np.asarray(new.col))))
    sine = old.normal_row * new.normal_col - old.normal_col * new.normal_row
    return shift + abs(sine) * max(shape) / 2


def _assemble(
    found: edge_line.LineFit,
    erf: ErfEdge,
    distance: np.ndarray,
    values: np.ndarray,
) -> SlantedEdge:
    levelled = edge_fit.level(erf, distance, values)
    if levelled.contrast <= 0.0:
        raise EdgeError("both sides are equally bright away from the edge")
    noise = _noise(levelled, distance, values)
    if noise * _LEAST_CONTRAST_TO_NOISE > levelled.contrast:
        raise EdgeError(
            f"the contrast is {levelled.contrast / noise:.1f} times the noise, "
            f"it must be at least {_LEAST_CONTRAST_TO_NOISE:g} times"
        )
    rms = float(np.sqrt(np.mean((values - erf.value(distance)) ** 2)))
    if rms > _MOST_ERF_RESIDUAL * levelled.contrast:
        raise EdgeError("the profile is no single step between two levels")
    profile = edge_profile.gather(levelled, distance, values)
    marks = edge_profile.crossings(profile)
    if marks is None:
        raise EdgeError("the profile does not rise from 10 to 90 %")
    return SlantedEdge(
        line=found.line,
        rise_px=marks[1] - marks[0],
        marks_px=marks,
        erf_rise_px=edge_fit.RISE_PER_SIGMA * erf.sigma_px,
        mtf50_cycles_per_px=edge_profile.mtf50(profile),
        contrast=levelled.contrast,
        noise=noise,
        line_residual_px=found.residual_px,
        erf_residual=rms / levelled.contrast,
        profile=profile,
    )


def _noise(fit: ErfEdge, distance: np.ndarray, values: np.ndarray) -> float:
    share = abs(distance - fit.centre_px) / fit.sigma_px
    # The outer half, if the region shows no plateau.
    outer = share > min(2.0, float(np.median(share)))
    residual = (values - fit.value(distance))[outer]
    return 1.4826 * float(np.median(abs(residual)))
