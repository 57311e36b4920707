"""The coarse alignment: turned, scaled and shifted until the edges match.

Points are `(x, y)` of the reference's frame; see `registration_scenery`.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable

import affine
import numpy as np
import scipy.fft

from marsgan_tf.assessment import registration_features as features
from marsgan_tf.assessment.registration_correlation import (
    Spectra,
    find_anywhere,
)
from marsgan_tf.assessment.registration_scenery import (
    Frame,
    Scenery,
    window_of,
)

# Sides of what is searched at first, and for an unknown scale.
_SIDE_PX = 384
_SMALL_SIDE_PX = 192

_ROTATION_STEP_DEG = 1.0
# Of an unknown scale: two octaves and a half both ways.
_SCALE_STEP = 1.035
_OCTAVES = 2.5
# Around the best of the first round.
_FINE_ROTATIONS_DEG = (-0.5, 0.0, 0.5)
_FINE_SCALES = (0.985, 1.0, 1.015)

# Of the smaller image, that must lie on the other.
_LEAST_SHARE = 0.25
_LEAST_PX = 256


@dataclasses.dataclass(frozen=True)
class Alignment:
    """The best of many coarse alignments.

    Attributes:
        correction: Where a point belongs that the georeference puts
            elsewhere.
        score: See `registration_correlation.Peak`.
        factor: Of the grid on which it was found.
        log10_tries: Logarithm of the number of alignments compared.
    """

    correction: affine.Affine
    score: float
    factor: float
    log10_tries: float


@dataclasses.dataclass(frozen=True)
class _Candidate:
    scale: float
    rotation_deg: float

    def about(self, centre: np.ndarray) -> affine.Affine:
        to_centre = affine.Affine.translation(*centre)
        return (
            to_centre
            @ affine.Affine.rotation(self.rotation_deg)
            @ affine.Affine.scale(self.scale)
            @ ~to_centre
        )


class _Search:
    """Correlates the reference with the image under many candidates."""

    def __init__(
        self, reference: Scenery, image: Scenery, frame: Frame, pixel: float
    ) -> None:
        self._reference = reference
        self._image = image
        self._frame = frame
        self._pixel = pixel
        self._box = frame.box(reference)
        self._image_box = frame.box(image)
        self._edges: dict[float, features.Masked] = {}
        self._spectra: dict[tuple, Spectra] = {}
        self.tries = 0

    def best(
        self, candidates: Iterable[_Candidate], side: int
    ) -> tuple[_Candidate, Alignment] | None:
        """The candidate with the highest peak; None where nothing overlaps."""
        found = [
            (candidate, alignment)
            for candidate in candidates
            if (alignment := self._align(candidate, side)) is not None
        ]
        return max(found, key=lambda pair: pair[1].score, default=None)

    def _align(self, candidate: _Candidate, side: int) -> Alignment | None:
        factor = self._factor(candidate.scale, side)
        correction = candidate.about(self._image_box.mean(axis=0))
        window = window_of(self._frame.box(self._image, correction), factor)
        panel = self._frame.panel(self._image, factor, window, correction)
        moving = features.edges(*panel.read(window))
        fixed = self._reference_edges(factor)
        least = _LEAST_SHARE * min(fixed.valid.sum(), moving.valid.sum())
        if least < _LEAST_PX:
            return None
        sides = zip(fixed.valid.shape, moving.valid.shape, strict=True)
        rows, columns = (scipy.fft.next_fast_len(a + b, True) for a, b in sides)
        peak = find_anywhere(
            self._reference_spectra(factor, (rows, columns)),
            Spectra(moving, (rows, columns)),
            least,
        )
        self.tries += rows * columns
        first = window_of(self._box, factor)
        down = peak.shift[0] + first.row - window.row
        across = peak.shift[1] + first.col - window.col
        shift = affine.Affine.translation(factor * across, factor * down)
        return Alignment(shift @ correction, peak.score, factor, 0.0)

    def _factor(self, scale: float, side: int) -> float:
        extent = float(np.ptp(self._box, axis=0).max())
        other = scale * float(np.ptp(self._image_box, axis=0).max())
        # Of images that differ much in size, the smaller one must stay large.
        smallest = max(extent / side, other / (2 * side))
        return max(smallest, self._pixel * scale, 1.0)

    def _reference_edges(self, factor: float) -> features.Masked:
        if factor not in self._edges:
            window = window_of(self._box, factor)
            panel = self._frame.panel(self._reference, factor, window)
            self._edges[factor] = features.edges(*panel.read(window))
        return self._edges[factor]

    def _reference_spectra(
        self, factor: float, shape: tuple[int, int]
    ) -> Spectra:
        key = (factor, shape)
        if key not in self._spectra:  # Candidates of one scale come together.
            edges = self._reference_edges(factor)
            self._spectra = {key: Spectra(edges, shape)}
        return self._spectra[key]


def search(
    reference: Scenery,
    image: Scenery,
    frame: Frame,
    *,
    pixel: float,
    max_rotation_deg: float,
    is_scale_known: bool,
) -> Alignment | None:
    """Aligns two images that are small enough to be tried many times.

    Args:
        reference: Its edges.
        image: The other's.
        frame: The reference's.
        pixel: Size of the image's pixels where its georeference is right, in
            reference px.
        max_rotation_deg: Turns that are tried, both ways.
        is_scale_known: Whether the georeference tells the scale to 2 %;
            otherwise all are tried, from a sixth to six times.

    Returns:
        None where nothing overlaps enough.
    """
    place = _Search(reference, image, frame, pixel)
    side = _SIDE_PX if is_scale_known else _SMALL_SIDE_PX
    found = place.best(_first_round(max_rotation_deg, is_scale_known), side)
    if found is None:
        return None
    around, _ = found
    second = [
        _Candidate(around.scale * scale, around.rotation_deg + turn)
        for scale, turn in itertools.product(_FINE_SCALES, _FINE_ROTATIONS_DEG)
    ]
    finer = place.best(second, _SIDE_PX)
    if finer is None:
        return None
    return dataclasses.replace(finer[1], log10_tries=math.log10(place.tries))


def _first_round(
    max_rotation_deg: float, is_scale_known: bool
) -> list[_Candidate]:
    step = _ROTATION_STEP_DEG * (1.0 if is_scale_known else 2.0)
    steps = math.ceil(max_rotation_deg / step)
    rotations = [step * index for index in range(-steps, steps + 1)]
    scales = [1.0]
    if not is_scale_known:
        count = round(_OCTAVES / math.log2(_SCALE_STEP))
        scales = [_SCALE_STEP**power for power in range(-count, count + 1)]
    return [
        _Candidate(scale, rotation)
        for scale, rotation in itertools.product(scales, rotations)
    ]
