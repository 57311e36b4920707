"""From a coarse alignment to maps on ever finer grids.

Points are `(x, y)` of the reference's frame; see `registration_scenery`.
"""

import dataclasses
import math

import affine
import numpy as np

from marsgan_tf.assessment import registration_tiles
from marsgan_tf.assessment.registration_fit import Fit, Votes, fit
from marsgan_tf.assessment.registration_scenery import Frame, Scenery

# What chance may explain at most: one fit in a thousand pairs of images.
LOG10_FALSE_ALARMS = -3.0

# Of the share of tiles that agree by edges, which phases must exceed.
_PHASE_SHARE = 0.8
_VOTES = {
    "edges": registration_tiles.vote_by_edges,
    "phases": registration_tiles.vote_by_phases,
}

# Grids beside that of the pixels, and what they must be large enough for.
_SPARE_OCTAVES = 2
_LEAST_SIDE_PX = 112

# Each round sees the image where the one before put it.
_ROUNDS = 3
# Corners that move less, px of the grid, need no further round.
_STILL_PX = 0.05


@dataclasses.dataclass(frozen=True)
class Solution:
    """A map and the local shifts that it came from, in reference px.

    Attributes:
        fit: The map.
        votes: The shifts.
        method: What measured them: `edges` or `phases`.
        factor: Size of the pixels on which they were measured.
        corners: `(4, 2)`, where the image's georeference puts the corners of
            the common ground.
        disagreement_px: Distance of the maps by edges and by phases at the
            worst corner; None if only one of them can be trusted.
    """

    fit: Fit
    votes: Votes
    method: str
    factor: float
    corners: np.ndarray
    disagreement_px: float | None

    @property
    def inlier_share(self) -> float:
        """Tiles that agree, of those that were looked for."""
        return float(self.fit.inliers.sum()) / self.votes.tried

    @property
    def corner_deviation_px(self) -> float:
        """Standard deviation of the map at the worst corner."""
        return float(self.fit.covariance.deviation(self.corners).max())

    @property
    def is_beyond_chance(self) -> bool:
        """Whether unrelated images would hardly ever give such a map."""
        return self.fit.log10_false_alarms < LOG10_FALSE_ALARMS


@dataclasses.dataclass(frozen=True)
class Matcher:
    """Two images, and how their tiles are matched.

    Attributes:
        reference: It stays.
        image: It is mapped.
        frame: The reference's.
        model: See `registration_fit.fit`.
        tolerance_px: Residual up to which a vote agrees, px of the grid.
        log10_tries: Logarithm of the number of coarse alignments compared.
    """

    reference: Scenery
    image: Scenery
    frame: Frame
    model: str
    tolerance_px: float
    log10_tries: float

    def descend(
        self, correction: affine.Affine, coarse: float, pixel: float
    ) -> list[Solution]:
        """The map of each grid on which any was found, coarse to fine.

        Args:
            correction: The coarse alignment.
            coarse: Factor of the grid on which that was found.
            pixel: Size of the coarser image's pixels: the last factor.
        """
        common = common_ground(
            self.frame, self.reference, self.image, correction
        )
        if common is None:
            return []
        shorter = float(np.ptp(common, axis=0).min())
        found: list[Solution] = []
        for factor in factors(coarse, pixel, shorter):
            solution = self._solve(correction, factor)
            if solution is None:
                continue
            found.append(solution)
            if solution.is_beyond_chance:
                correction = solution.fit.matrix
        return found

    def _solve(
        self, correction: affine.Affine, factor: float
    ) -> Solution | None:
        common = common_ground(
            self.frame, self.reference, self.image, correction
        )
        if common is None:
            return None
        tiling = registration_tiles.cover(common, factor)
        corners = np.stack(~correction @ _corners(common), axis=1)
        reference = self.frame.panel(self.reference, factor, tiling.area)

        def settle(method: str, correction: affine.Affine) -> Solution | None:
            """The last round to be trusted, or the first if none is."""
            settled: Solution | None = None
            for _ in range(_ROUNDS):
                image = self.frame.panel(
                    self.image, factor, tiling.area, correction
                )
                votes = _VOTES[method](
                    reference,
                    image,
                    tiling,
                    factor=factor,
                    correction=correction,
                )
                found = self._fit(votes, method, factor, corners)
                if found is None or not found.is_beyond_chance:
                    return settled or found
                settled = found
                moved = distance(found.fit.matrix, correction, corners)
                if moved < _STILL_PX * factor:
                    break
                correction = found.fit.matrix
            return settled

        edges = settle("edges", correction)
        # Phases are drawn to no shift, by the windows' taper, even where there
        # is nothing to find: they refine a map, and never prove one.
        if edges is None or not edges.is_beyond_chance:
            return edges
        return _choose(edges, settle("phases", edges.fit.matrix))

    def _fit(
        self, votes: Votes, method: str, factor: float, corners: np.ndarray
    ) -> Solution | None:
        found = fit(
            votes,
            tolerance_px=self.tolerance_px * factor,
            model=self.model,
            log10_tries=self.log10_tries,
        )
        if found is None:
            return None
        return Solution(found, votes, method, factor, corners, None)


def _choose(edges: Solution, phases: Solution | None) -> Solution:
    """Phases, which are finer and less biased, where they find as much."""
    if phases is None or not phases.is_beyond_chance:
        return edges
    apart = distance(edges.fit.matrix, phases.fit.matrix, edges.corners)
    is_sound = phases.inlier_share > _PHASE_SHARE * edges.inlier_share
    chosen = phases if is_sound else edges
    return dataclasses.replace(chosen, disagreement_px=apart)


def factors(coarse: float, pixel: float, shorter: float) -> list[float]:
    """Of the grids from the coarse alignment's to that of the pixels.

    Two octaves of them at least, where they have room, for images whose
    finest detail is noise or lost to blur.

    Args:
        coarse: The coarse alignment's.
        pixel: Size of the coarser image's pixels.
        shorter: Shorter side of the common ground.
    """
    room = math.floor(math.log2(max(shorter / (_LEAST_SIDE_PX * pixel), 1.0)))
    steps = round(math.log2(max(coarse / pixel, 1.0)))
    octaves = max(steps, min(room, _SPARE_OCTAVES))
    return [pixel * 2.0**octave for octave in range(octaves, -1, -1)]


def best(solutions: list[Solution]) -> Solution:
    """The one whose corners are the most certain."""
    return min(solutions, key=lambda one: one.corner_deviation_px)


def common_ground(
    frame: Frame,
    reference: Scenery,
    image: Scenery,
    correction: affine.Affine,
) -> np.ndarray | None:
    """The box that both images' boxes share, `(2, 2)`, or None."""
    common = intersection(frame.box(reference), frame.box(image, correction))
    return common if (common[1] > common[0]).all() else None


def intersection(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of two boxes, `(2, 2)`; its ends are before its starts if empty."""
    return np.stack(
        [np.maximum(one[0], other[0]), np.minimum(one[1], other[1])]
    )


def _corners(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Their x and y, `(4,)` each."""
    (left, top), (right, bottom) = box
    return (
        np.array([left, right, left, right]),
        np.array([top, top, bottom, bottom]),
    )


def distance(
    one: affine.Affine, other: affine.Affine, points: np.ndarray
) -> float:
    """The largest distance between where two maps put points."""
    x, y = points[:, 0], points[:, 1]
    (x1, y1), (x2, y2) = one @ (x, y), other @ (x, y)
    return float(np.hypot(x1 - x2, y1 - y2).max())
