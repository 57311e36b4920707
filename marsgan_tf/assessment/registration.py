"""Where one image belongs on another of the same ground.

Coarse to fine: the edges of both images are correlated under many turns, then
tile by tile on ever finer grids, where a robust map through the local shifts
is taken each time. Doubled phases measure the same tiles once more, which is
finer where brightness is linear in the slopes. Of all maps, the answer is the
one whose corners are the most certain, if chance does not explain it.

Points are `(x, y)`: columns and rows of the reference, counted from the corner
of its first pixel.
"""

import dataclasses
import math

import affine
import numpy as np

from marsgan_tf import errors
from marsgan_tf.assessment import registration_levels, registration_search
from marsgan_tf.assessment.registration_levels import Solution
from marsgan_tf.assessment.registration_scenery import (
    Frame,
    Scenery,
    window_of,
)

__all__ = ["Options", "Registration", "Scenery", "register"]

# Sides of what the coarse step holds, px.
_THUMB_PX = 1024
# Around ground that both images cover by their georeference.
_MARGIN_SHARE = 0.1
_LEAST_MARGIN_PX = 64

# Standard deviation at the corners that is good enough, px of the coarser.
_DEVIATION_PX = 0.5
# What a map may change lengths by, against a scale that is known.
_LARGEST_STRETCH = 0.1
_TURN_MARGIN_DEG = 1.0


@dataclasses.dataclass(frozen=True)
class Options:
    """How images are registered.

    Attributes:
        model: `similarity`, `affine` or `auto`; see `registration_fit.fit`.
        tolerance_px: Residual up to which a local shift agrees with the map,
            px of the grid on which it is measured.
        max_rotation_deg: Turns that are tried, both ways.
        is_placed: Whether the images' places are known but for small errors,
            by their georeference.
        is_scale_known: Whether their scales are.
    """

    model: str = "auto"
    tolerance_px: float = 1.0
    max_rotation_deg: float = 5.0
    is_placed: bool = False
    is_scale_known: bool = True


@dataclasses.dataclass(frozen=True)
class Registration:
    """A map that can be trusted, and why.

    Attributes:
        solution: The map, its figures of merit and the local shifts.
        pixel: Size of the coarser image's pixels, in reference px.
        image_pixel: Size of the image's pixels: as the georeference has it,
            or as found, where that does not know the scale.
        is_placed: Whether the image's place was known but for small errors.
    """

    solution: Solution
    pixel: float
    image_pixel: float
    is_placed: bool

    @property
    def correction(self) -> affine.Affine:
        """From where the image's georeference puts a point to its place."""
        return self.solution.fit.matrix


def register(
    reference: Scenery, image: Scenery, options: Options
) -> Registration:
    """Finds where an image belongs on a reference.

    Images are read in windows, never whole.

    Args:
        reference: It stays.
        image: It is mapped.
        options: How.

    Raises:
        errors.RegistrationError: If they have no ground in common, or no map
            can be trusted.
        errors.RasterError: If a file is damaged.
    """
    frame = Frame(reference.place)
    image_pixel = frame.pixel(image)
    coarse = _align(reference, image, frame, image_pixel, options)
    pixel = max(image_pixel * _scale(coarse.correction), 1.0)
    matcher = registration_levels.Matcher(
        reference,
        image,
        frame,
        options.model,
        options.tolerance_px,
        coarse.log10_tries,
    )
    chosen = _most_certain(
        matcher.descend(coarse.correction, coarse.factor, pixel)
    )
    _require_certain(chosen, pixel)
    _require_plausible(chosen.fit.matrix, options)
    if not options.is_scale_known:
        image_pixel *= _scale(chosen.fit.matrix)
    return Registration(chosen, pixel, image_pixel, options.is_placed)


def _align(
    reference: Scenery,
    image: Scenery,
    frame: Frame,
    pixel: float,
    options: Options,
) -> registration_search.Alignment:
    boxes = frame.box(reference), frame.box(image)
    if options.is_placed:
        boxes = _around_common_ground(*boxes, max(pixel, 1.0))
    found = registration_search.search(
        _thumb(reference, frame, boxes[0], 1.0, "reference"),
        _thumb(image, frame, boxes[1], pixel, "image"),
        frame,
        pixel=pixel,
        max_rotation_deg=options.max_rotation_deg,
        is_scale_known=options.is_scale_known,
    )
    if found is None:
        raise errors.RegistrationError(
            "the images have too little ground in common, or too few pixels "
            "with data: they cannot be registered"
        )
    return found


def _around_common_ground(
    reference: np.ndarray, image: np.ndarray, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    common = registration_levels.intersection(reference, image)
    if (common[1] <= common[0]).any():
        raise errors.RegistrationError(
            "the images have no ground in common by their georeferencing: "
            "choose others"
        )
    margin = max(
        _MARGIN_SHARE * float(np.ptp(common, axis=0).max()),
        _LEAST_MARGIN_PX * pixel,
    )
    grown = common + np.array([[-margin], [margin]])
    return (
        registration_levels.intersection(grown, reference),
        registration_levels.intersection(grown, image),
    )


def _thumb(
    scenery: Scenery, frame: Frame, box: np.ndarray, pixel: float, name: str
) -> Scenery:
    """An image brought down to what the coarse step can hold."""
    factor = max(float(np.ptp(box, axis=0).max()) / _THUMB_PX, pixel)
    panel = frame.panel(scenery, factor, window_of(box, factor))
    thumb = panel.scenery()
    if not thumb.source.read_valid(
        0, 0, thumb.source.height, thumb.source.width
    ).any():
        raise errors.RegistrationError(
            f"the {name} has no pixel with data on the common ground"
        )
    return thumb


def _most_certain(solutions: list[Solution]) -> Solution:
    trusted = [one for one in solutions if one.is_beyond_chance]
    if trusted:
        return registration_levels.best(trusted)
    if not solutions:
        raise errors.RegistrationError(
            "no local shifts agree with each other: the images do not show the "
            "same ground, or have too little detail in common"
        )
    nearest = min(solutions, key=lambda one: one.fit.log10_false_alarms)
    raise errors.RegistrationError(
        f"only {nearest.fit.inliers.sum()} of {nearest.votes.tried} local "
        "shifts agree, as they may by chance: the images do not show the same "
        "ground, or have too little detail in common"
    )


def _require_certain(chosen: Solution, pixel: float) -> None:
    deviation = chosen.corner_deviation_px / pixel
    if deviation > _DEVIATION_PX:
        raise errors.RegistrationError(
            f"the corners are known to {deviation:.1f} px only: the images "
            "have too little ground or detail in common"
        )


def _require_plausible(matrix: affine.Affine, options: Options) -> None:
    """Refuses maps that no small error of a georeference makes."""
    linear = np.array([[matrix.a, matrix.b], [matrix.d, matrix.e]])
    stretches = np.linalg.svd(linear, compute_uv=False)
    if not options.is_scale_known:
        stretches = stretches / math.sqrt(stretches[0] * stretches[1])
    turn = math.degrees(math.atan2(matrix.d - matrix.b, matrix.a + matrix.e))
    is_plausible = (
        np.abs(stretches - 1.0).max() < _LARGEST_STRETCH
        and np.linalg.det(linear) > 0.0
        and abs(turn) <= options.max_rotation_deg + _TURN_MARGIN_DEG
    )
    if not is_plausible:
        raise errors.RegistrationError(
            f"the best map turns by {turn:.1f} degrees and stretches to "
            f"{stretches[0]:.3f} by {stretches[1]:.3f}, which no georeference "
            "is wrong by"
        )


def _scale(matrix: affine.Affine) -> float:
    return math.sqrt(abs(matrix.determinant))
