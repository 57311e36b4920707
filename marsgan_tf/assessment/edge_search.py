"""Finds the edges of an image by which its sharpness can be measured.

Wanted: high contrast, sharp, straight, alone, with flat ground on both sides.
The structure tensor proposes windows, `slanted_edge.measure` decides.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.ndimage

from marsgan_tf.assessment import slanted_edge
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.slanted_edge import EdgeError, SlantedEdge

_SMOOTHING_SIGMA = 1.0  # Px, of the gradient.
_BLOCK_PX = 1024  # Side of what is differentiated at once: memory.
# Far more than are wanted, since most that the tensor likes are rejected.
_PROPOSALS_PER_EDGE = 60
_ENOUGH_PER_EDGE = 4
_COHERENCE_POWER = 4
_LEAST_COHERENCE = 0.6

# Stricter than `slanted_edge`, which has to measure what it is given: here
# there is a choice. Real ground is no test chart, though: of its edges that
# could be measured at all, the median has a contrast of 8 times the texture
# and a residual of 0.15 (CTX, HiRISE, CaSSIS).
_LEAST_CONTRAST_TO_NOISE = 6.0
_MOST_ERF_RESIDUAL = 0.15
_MOST_LINE_RESIDUAL_SIGMAS = 0.35
_MOST_RISE_SHARE = 0.35  # Of the window's side: the rest shows plateaus.


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
            paper's were 11 to 27 px.

    Returns:
        The best first, named edge01, edge02 and so on; the edge passes
        through the middle of its window.

    Raises:
        ValueError: If an array has other dimensions, or `count` or `side_px`
            is too small.
    """
    valid = _checked(image, valid, count, side_px)
    accepted: list[_Found] = []
    for number, place in enumerate(_proposals(image, valid, side_px)):
        if (
            number >= _PROPOSALS_PER_EDGE * count
            or len(accepted) >= _ENOUGH_PER_EDGE * count
        ):
            break
        found = _examine(image, valid, place, side_px)
        if found is not None:
            accepted.append(found)
    accepted.sort(key=lambda found: found.merit, reverse=True)
    chosen: list[Region] = []
    for found in accepted:
        if not any(found.region.overlaps(other) for other in chosen):
            chosen.append(found.region)
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
    if count < 1 or side_px < 12:
        raise ValueError(
            "`count` must be at least 1 and `side_px` at least 12. Received: "
            f"count={count}, side_px={side_px}"
        )
    has_data = np.isfinite(image)
    return has_data if valid is None else has_data & valid.astype(bool)


def _proposals(
    image: np.ndarray, valid: np.ndarray, side_px: int
) -> list[tuple[int, int]]:
    """First rows and columns of windows, the most promising first."""
    scores: list[tuple[float, int, int]] = []
    for row in range(0, image.shape[0], _BLOCK_PX):
        for col in range(0, image.shape[1], _BLOCK_PX):
            scores.extend(_block_peaks(image, valid, (row, col), side_px))
    scores.sort(key=lambda peak: (-peak[0], peak[1:]))
    return [(row, col) for _, row, col in scores]


def _block_peaks(
    image: np.ndarray,
    valid: np.ndarray,
    first: tuple[int, int],
    side_px: int,
) -> Iterator[tuple[float, int, int]]:
    """`(score, row, col)` of the windows that begin in a block."""
    reach = 2 * side_px
    low = [max(start - reach, 0) for start in first]
    window = tuple(
        slice(start, stop + _BLOCK_PX + reach)
        for start, stop in zip(low, first, strict=True)
    )
    if min(image[window].shape) < side_px:
        return
    score = _window_scores(image[window], valid[window], side_px)
    peaks = score == scipy.ndimage.maximum_filter(score, side_px // 2)
    for row, col in np.argwhere(peaks & (score > 0.0)):
        place = low[0] + int(row), low[1] + int(col)
        if all(
            start <= at < start + _BLOCK_PX
            for start, at in zip(first, place, strict=True)
        ):
            yield float(score[row, col]), *place


def _window_scores(
    image: np.ndarray, valid: np.ndarray, side_px: int
) -> np.ndarray:
    """How much one straight edge fills each window, by its first pixel.

    The score is the squared step that the gradients add up to, times their
    energy, times a power of their coherence `(l1 - l2) / (l1 + l2)`, of the
    tensor's eigenvalues. A ridge adds up to nothing, texture to little, a
    soft edge has little energy, a bend is not coherent.
    """
    filled = np.where(valid, image, 0.0).astype(np.float64)
    if valid.any():
        filled[~valid] = filled[valid].mean()
    d_row, d_col = (
        scipy.ndimage.gaussian_filter(filled, _SMOOTHING_SIGMA, order=order)
        for order in ((1, 0), (0, 1))
    )
    row_row, col_col, row_col, step_row, step_col, share_valid = (
        _window_means(part, side_px)
        for part in (
            d_row**2,
            d_col**2,
            d_row * d_col,
            d_row,
            d_col,
            valid.astype(np.float64),
        )
    )
    energy = row_row + col_col
    difference = np.hypot(row_row - col_col, 2.0 * row_col)
    tiny = np.finfo(np.float64).tiny
    coherence = difference / np.maximum(energy, tiny)
    step = (step_row**2 + step_col**2) * energy
    score = step * coherence**_COHERENCE_POWER
    is_whole = share_valid > 1.0 - 0.5 / side_px**2
    return np.where(is_whole & (coherence > _LEAST_COHERENCE), score, 0.0)


def _window_means(values: np.ndarray, side_px: int) -> np.ndarray:
    """Means of all whole windows `(height - side + 1, width - side + 1)`."""
    means = scipy.ndimage.uniform_filter(
        values, side_px, origin=-(side_px // 2), mode="constant"
    )
    rows, cols = (side - side_px + 1 for side in values.shape)
    return means[:rows, :cols]


def _examine(
    image: np.ndarray,
    valid: np.ndarray,
    place: tuple[int, int],
    side_px: int,
) -> _Found | None:
    """Measures the edge in a window, moved so that the edge is its middle."""
    region = Region("", *place, side_px, side_px)
    edge = _measure(image, valid, region)
    if edge is None:
        return None
    middle = (side_px - 1) / 2
    shift = round(edge.line.row - middle), round(edge.line.col - middle)
    if any(shift):
        row, col = (
            min(max(start + by, 0), size - side_px)
            for start, by, size in zip(place, shift, image.shape, strict=True)
        )
        region = Region("", row, col, side_px, side_px)
        edge = _measure(image, valid, region)
    if edge is None or not _is_good(edge, side_px):
        return None
    return _Found(region, edge)


def _measure(
    image: np.ndarray, valid: np.ndarray, region: Region
) -> SlantedEdge | None:
    if not region.crop(valid).all():
        return None
    try:
        return slanted_edge.measure(region.crop(image))
    except EdgeError:
        return None


def _is_good(edge: SlantedEdge, side_px: int) -> bool:
    sigma = edge.profile.fit.sigma_px
    return (
        edge.contrast_to_noise >= _LEAST_CONTRAST_TO_NOISE
        and edge.erf_residual <= _MOST_ERF_RESIDUAL
        and edge.line_residual_px <= _MOST_LINE_RESIDUAL_SIGMAS * sigma
        and edge.rise_px <= _MOST_RISE_SHARE * side_px
    )
