"""Tables of shares, residuals and calibration."""

import dataclasses
from collections.abc import Mapping, Sequence

from marsgan_tf.assessment import tables
from marsgan_tf.assessment.calibration import Reliability
from marsgan_tf.assessment.honesty_maps import HonestyTotals, ResidualTotals
from marsgan_tf.imaging.stretch import Stretch


def honesty_table(totals: Sequence[HonestyTotals]) -> tables.Table:
    """Found, missed and invented, a row an image."""
    return tables.Table(
        title="Honesty: shares of the pixels that count",
        columns=(
            tables.Column("image", "Image"),
            tables.Column("improvement", "Improvement", 3),
            tables.Column("omission", "Omission", 3),
            tables.Column("hallucination", "Hallucination", 3),
            tables.Column("counted", "Pixels that count", 3),
        ),
        rows=tuple(dataclasses.asdict(one) for one in totals),
    )


def residual_table(
    totals: Sequence[ResidualTotals],
    blur_sigmas: Mapping[str, float],
    stretch: Stretch,
) -> tables.Table:
    """Input less degraded image, in the stretch's unit and in the image's."""
    width = stretch.high - stretch.low
    return tables.Table(
        title="Residual: input less degraded image",
        columns=(
            tables.Column("image", "Image"),
            tables.Column("blur_sigma_px", "Blur (px)", 2),
            tables.Column("rms_percent", "rms (% of range)", 3),
            tables.Column("bias_percent", "Mean (% of range)", 3),
            tables.Column("largest_percent", "Largest (% of range)", 2),
            tables.Column("rms_native", "rms (image's numbers)", 4),
        ),
        rows=tuple(
            {
                "image": one.image,
                "blur_sigma_px": blur_sigmas[one.image],
                "rms_percent": 100 * one.rms,
                "bias_percent": 100 * one.bias,
                "largest_percent": 100 * one.largest,
                "rms_native": width * one.rms,
            }
            for one in totals
        ),
    )


def calibration_table(found: Mapping[str, Reliability]) -> tables.Table:
    """How an ensemble's deviation tells its error, a row an image."""
    return tables.Table(
        title="Calibration of the ensemble's deviation",
        columns=(
            tables.Column("image", "Image"),
            tables.Column("slope", "Slope (1)", 3),
            tables.Column("coverage_1", "Within 1 deviation (0.683)", 3),
            tables.Column("coverage_2", "Within 2 deviations (0.954)", 3),
            tables.Column("correlation", "Correlation", 3),
        ),
        rows=tuple(
            {
                "image": name,
                "slope": one.slope,
                "coverage_1": one.coverage[0],
                "coverage_2": one.coverage[1],
                "correlation": one.correlation,
            }
            for name, one in found.items()
        ),
    )


def reliability_table(found: Mapping[str, Reliability]) -> tables.Table:
    """The bins behind `calibration_table`."""
    return tables.Table(
        title="Predicted deviation and true error by bins, % of the range",
        columns=(
            tables.Column("image", "Image"),
            tables.Column("predicted_percent", "Predicted", 3),
            tables.Column("observed_percent", "Observed, rms", 3),
            tables.Column("pixels", "Pixels"),
        ),
        rows=tuple(
            {
                "image": name,
                "predicted_percent": 100 * float(predicted),
                "observed_percent": 100 * float(observed),
                "pixels": int(count),
            }
            for name, one in found.items()
            for predicted, observed, count in zip(
                one.predicted, one.observed, one.counts, strict=True
            )
        ),
    )
