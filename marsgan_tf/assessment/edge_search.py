"""Finds the edges of an image by which its sharpness can be measured.

Wanted: high contrast, sharp, straight, alone, with flat ground on both sides.
`edge_proposals` proposes windows, `slanted_edge.measure` decides.
"""

import dataclasses
import math

import numpy as np

from marsgan_tf.assessment import edge_proposals, slanted_edge
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.slanted_edge import EdgeError, SlantedEdge
from marsgan_tf.assessment.watching import watched

# More than are wanted, since most are rejected on real ground.
_PROPOSALS_PER_EDGE = 15
_ENOUGH_PER_EDGE = 2
# Of the wanted side: where there are too few edges that stay straight and alone
# for so long, shorter ones will do. The paper's were as short as 11 px.
_SIDE_SHARES = (1.0, 0.7, 0.6)
_LEAST_SIDE_PX = 12

# Stricter than `slanted_edge`, which has to measure what it is given: here
# there is a choice. Real ground is no test chart, though: of its edges that
# could be measured at all, the median has a contrast of 8 times the texture
# and a residual of 0.15 (CTX, HiRISE, CaSSIS).
_LEAST_CONTRAST_TO_NOISE = 6.0
_MOST_ERF_RESIDUAL = 0.15
_MOST_LINE_RESIDUAL_SIGMAS = 0.35
_MOST_OFF_MIDDLE_PX = 1.5  # At the image's border windows cannot follow.
_MOST_RISE_SHARE = 0.35  # Of the window's side: the rest shows plateaus.
# A pixel's own aperture is 0.29: of less, the fit jumped to a single pixel.
_LEAST_SIGMA_PX = 0.2
# Px beyond the window in which both sides must still be nearer their own level
# than the other's, by this share of the contrast: else it is a narrow band.
_BEYOND_PX = 3
_LEAST_BEYOND = 0.15
# Of the pixels, that have the window's lowest or highest value. A side that is
# one number was clipped or has no data, and the edge is none of the ground's.
_MOST_EQUAL_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class _Found:
    region: Region
    edge: SlantedEdge

    @property
    def merit(self) -> float:
        """Contrast over misfit and rise.

        An edge that is soft on the ground tells little of the image.
        """
        misfit = max(self.edge.erf_residual, 1e-3)
        return self.edge.contrast / misfit / self.edge.rise_px


def find_edges(
    image: np.ndarray,
    valid: np.ndarray | None = None,
    *,
    count: int = 20,
    side_px: int = 20,
) -> list[Region]:
    """Finds the best edges, in square windows that do not overlap.

    Args:
        image: Real `(height, width)`, any unit; of a pair, the coarse one.
        valid: Boolean, of the same shape: pixels with data. Pixels that are
            not finite count as without. Windows hold none of either.
        count: How many are wanted; fewer come back where there are fewer.
        side_px: Of a window, at least 12 px; three times the rise or more. The
            paper's were 11 to 27 px. Where there are fewer than `count`,
            windows of 0.7 times that follow.

    Returns:
        The best first of each size, named edge01, edge02 and so on; the edge
        passes through the middle of its window.

    Raises:
        ValueError: If an array has other dimensions, or `count` or `side_px`
            is too small.
    """
    valid = _checked(image, valid, count, side_px)
    chosen: list[Region] = []
    for share in _SIDE_SHARES:
        side = max(round(share * side_px), _LEAST_SIDE_PX)
        if len(chosen) < count:
            chosen.extend(_of_side(image, valid, chosen, count, side))
    return [
        dataclasses.replace(region, name=f"edge{number:02d}")
        for number, region in enumerate(chosen[:count], start=1)
    ]


def _checked(
    image: np.ndarray, valid: np.ndarray | None, count: int, side_px: int
) -> np.ndarray:
    if image.ndim != 2 or (valid is not None and valid.shape != image.shape):
        raise ValueError(
            "`image` and `valid` must be (height, width), both the same. "
            f"Received: image.shape={image.shape}, valid.shape="
            f"{None if valid is None else valid.shape}"
        )
    if count < 1 or side_px < _LEAST_SIDE_PX:
        raise ValueError(
            "`count` must be at least 1 and `side_px` at least 12. Received: "
            f"count={count}, side_px={side_px}"
        )
    has_data = np.isfinite(image)
    return has_data if valid is None else has_data & valid.astype(bool)


def _of_side(
    image: np.ndarray,
    valid: np.ndarray,
    taken: list[Region],
    count: int,
    side_px: int,
) -> list[Region]:
    """The best edges in windows of one size that do not overlap, in order."""
    accepted: list[_Found] = []
    places = edge_proposals.propose(image, valid, side_px)
    places = places[: _PROPOSALS_PER_EDGE * count]
    label = f"edges of {side_px} px"
    for place in watched(places, label, unit="candidates"):
        region = Region("", *place, side_px, side_px)
        if any(region.overlaps(other) for other in taken):
            continue
        found = _examine(image, valid, region)
        if found is not None:
            accepted.append(found)
        if len(accepted) >= _ENOUGH_PER_EDGE * count:
            break
    accepted.sort(key=lambda found: found.merit, reverse=True)
    chosen: list[Region] = []
    for found in accepted:
        if not any(found.region.overlaps(one) for one in (*taken, *chosen)):
            chosen.append(found.region)
    return chosen


def _examine(
    image: np.ndarray, valid: np.ndarray, region: Region
) -> _Found | None:
    """Measures the edge in a window, moved so that the edge is its middle."""
    side_px = region.height
    edge = _measure(image, valid, region)
    if edge is None:
        return None
    shift = [round(by) for by in _off_middle(edge, side_px)]
    if any(shift):
        row, col = (
            min(max(start + by, 0), size - side_px)
            for start, by, size in zip(
                (region.row, region.col), shift, image.shape, strict=True
            )
        )
        region = Region("", row, col, side_px, side_px)
        edge = _measure(image, valid, region)
    if edge is None or not _is_good(edge, side_px):
        return None
    if not _is_alone(image, valid, region, edge):
        return None
    return _Found(region, edge)


def _is_alone(
    image: np.ndarray, valid: np.ndarray, region: Region, edge: SlantedEdge
) -> bool:
    """Whether both sides go on beyond the window, as far as one can see."""
    rows, cols = (
        np.arange(max(start - _BEYOND_PX, 0), min(start + side, size))
        for start, side, size in zip(
            (region.row, region.col),
            (region.height + _BEYOND_PX, region.width + _BEYOND_PX),
            image.shape,
            strict=True,
        )
    )
    place = np.ix_(rows, cols)
    from_row, from_col = rows[:, np.newaxis] - region.row, cols - region.col
    across = edge.line.distance(from_row, from_col)
    along = (from_row - edge.line.row) * edge.line.normal_col - (
        from_col - edge.line.col
    ) * edge.line.normal_row
    half = region.height / 2
    is_beyond = (abs(across) > half) & (abs(along) < half) & valid[place]
    fit = edge.profile.fit
    share = (image[place] - fit.low) / fit.contrast - 0.5
    return all(
        np.median(sign * share[is_side]) > _LEAST_BEYOND
        for sign in (-1, 1)
        if (is_side := is_beyond & (sign * across > 0)).any()
    )


def _off_middle(edge: SlantedEdge, side_px: int) -> tuple[float, float]:
    middle = (side_px - 1) / 2
    return edge.line.row - middle, edge.line.col - middle


def _measure(
    image: np.ndarray, valid: np.ndarray, region: Region
) -> SlantedEdge | None:
    values = region.crop(image)
    if not region.crop(valid).all() or _is_clipped(values):
        return None
    try:
        return slanted_edge.measure(values)
    except EdgeError:
        return None


def _is_clipped(values: np.ndarray) -> bool:
    equal = max(np.mean(values == end) for end in (values.min(), values.max()))
    return bool(equal > _MOST_EQUAL_SHARE)


def _is_good(edge: SlantedEdge, side_px: int) -> bool:
    sigma = edge.profile.fit.sigma_px
    return (
        edge.contrast_to_noise >= _LEAST_CONTRAST_TO_NOISE
        and edge.erf_residual <= _MOST_ERF_RESIDUAL
        and edge.line_residual_px <= _MOST_LINE_RESIDUAL_SIGMAS * sigma
        and edge.rise_px <= _MOST_RISE_SHARE * side_px
        and sigma >= _LEAST_SIGMA_PX
        and math.hypot(*_off_middle(edge, side_px)) <= _MOST_OFF_MIDDLE_PX
    )
