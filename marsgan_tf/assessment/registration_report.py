"""`<output>.json`: the map in numbers, and how far it can be trusted."""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import affine
import numpy as np

from marsgan_tf import __version__, staging
from marsgan_tf.assessment.registration import Registration
from marsgan_tf.assessment.registration_output import Pair

_POINTS = 21
_CONVENTION = (
    "px are the reference's; maps are rows [a, b, c], [d, e, f] of x' = a x + "
    "b y + c, y' = d x + e y + f, x columns and y rows counted from the corner "
    "of the first pixel"
)


def summary(found: Registration) -> str:
    """The figures of merit in a line; px are those of the coarser image."""
    solution, unit = found.solution, found.pixel
    apart = solution.disagreement_px
    note = (
        ""
        if apart is None
        else f"; edges and phases {apart / unit:.2f} px apart"
    )
    return (
        f"{solution.fit.model} map by {solution.method}: "
        f"{solution.fit.inliers.sum()} of {solution.votes.tried} local shifts "
        f"agree, to {solution.fit.rms_px / unit:.2f} px rms; corners to "
        f"±{solution.corner_deviation_px / unit:.2f} px{note}"
    )


def write(
    path: str, pair: Pair, found: Registration, settings: Mapping[str, Any]
) -> None:
    """Writes all that is known of a registration.

    Args:
        path: The file; it appears whole or not at all.
        pair: The images.
        found: Their registration.
        settings: Of the command.

    Raises:
        OSError: If it cannot be written; it names the file.
    """
    body = {
        "marsgan_tf": __version__,
        "input": os.path.basename(pair.image_file.path),
        "reference": os.path.basename(pair.reference_file.path),
        "settings": dict(settings),
        "map": _map(pair, found),
        "merit": _merit(found),
        "shifts": _shifts(found),
    }
    with (
        staging.staged(path) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        json.dump(body, file, indent=1, allow_nan=False)
        file.write("\n")


def _map(pair: Pair, found: Registration) -> dict[str, Any]:
    to_reference, departure = _from_image(pair, found)
    matrix = found.correction
    middle = found.solution.corners.mean(axis=0)
    moved = np.array(matrix @ tuple(middle)) - middle
    told: dict[str, Any] = {
        "convention": _CONVENTION,
        "input_to_reference": _rows(to_reference),
        "reference_to_input": _rows(~to_reference),
        # Between unlike projections, no affine map is all of it.
        "largest_departure_px": departure,
        "correction": _rows(matrix),
        "shift_px": moved.tolist(),
        "rotation_deg": math.degrees(
            math.atan2(matrix.d - matrix.b, matrix.a + matrix.e)
        ),
        "scale": math.sqrt(matrix.determinant),
    }
    reference = pair.reference_file
    if reference.is_georeferenced:
        transform = reference.transform @ to_reference
        told["input_transform_in_reference_crs"] = _rows(transform)
    return told


def _merit(found: Registration) -> dict[str, Any]:
    solution = found.solution
    told = {
        "residual_rms": solution.fit.rms_px,
        "corner_deviation": solution.corner_deviation_px,
        "edges_against_phases": solution.disagreement_px,
    }
    merit: dict[str, Any] = {
        "model": solution.fit.model,
        "measured_by": solution.method,
        "tiles": solution.votes.tried,
        "inliers": int(solution.fit.inliers.sum()),
        "inlier_share": solution.inlier_share,
        "log10_expected_false_fits": solution.fit.log10_false_alarms,
        "coarser_pixel_px": found.pixel,
        "measured_on_pixel_px": solution.factor,
    }
    for name, value in told.items():
        merit[f"{name}_px"] = value
        merit[f"{name}_coarser_px"] = value and value / found.pixel
    return merit


def _shifts(found: Registration) -> list[dict[str, Any]]:
    """Each local shift, from where the georeference put the tile."""
    votes, inliers = found.solution.votes, found.solution.fit.inliers
    return [
        {"from": start.tolist(), "to": end.tolist(), "inlier": bool(agrees)}
        for start, end, agrees in zip(
            votes.image, votes.reference, inliers, strict=True
        )
    ]


def _from_image(pair: Pair, found: Registration) -> tuple[affine.Affine, float]:
    """The affine map from image to reference, and its largest error, px."""
    along = np.linspace(0.0, 1.0, _POINTS)
    grid = np.meshgrid(
        along * pair.image_file.width, along * pair.image_file.height
    )
    columns, rows = (points.ravel() for points in grid)
    view = pair.frame.view(pair.image, 1.0, found.correction)
    targets = np.stack(view.appearances(columns, rows), axis=1)
    design = np.stack([columns, rows, np.ones_like(rows)], axis=1)
    answer, _, _, _ = np.linalg.lstsq(design, targets)
    off = np.hypot(*(design @ answer - targets).T)
    return affine.Affine(*answer.T.ravel()), float(off.max())


def _rows(matrix: affine.Affine) -> list[list[float]]:
    return [list(matrix[:3]), list(matrix[3:6])]
