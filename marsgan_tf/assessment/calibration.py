"""Whether an ensemble's deviation tells the error that it stands for.

A deviation is calibrated where, of all pixels of which it is about s, the
error's root mean square is s too.
"""

import dataclasses

import numpy as np

from marsgan_tf.assessment.arguments import checked_valid

# Of a Gaussian error: the share within one and within two deviations.
EXPECTED_COVERAGE = (0.6827, 0.9545)


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted against true error. Errors are in the images' unit.

    Attributes:
        predicted: Root mean square of the deviations in each bin, rising,
            float64 `(bins,)`.
        observed: Root mean square of the errors there.
        counts: Pixels in each bin; they differ by one at most.
        slope: Of the line through 0 that fits `observed` to `predicted` by
            least squares, by pixels: 1 if calibrated, above it if the ensemble
            is too sure of itself. NaN where nothing was predicted.
        coverage: Shares of the pixels whose error is within one and two
            deviations; `EXPECTED_COVERAGE` if calibrated and Gaussian.
        correlation: Pearson's, of the deviation and the error's magnitude;
            NaN where one of them is constant. Far below 1 even if calibrated:
            an error is a draw.
    """

    predicted: np.ndarray
    observed: np.ndarray
    counts: np.ndarray
    slope: float
    coverage: tuple[float, float]
    correlation: float


def reliability(
    deviation: np.ndarray,
    error: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    bins: int = 10,
) -> Reliability:
    """Holds an ensemble's deviation against the true error.

    Args:
        deviation: `(height, width)`, at least 0.
        error: Of the ensemble's mean against the reference, same unit.
        valid: bool `(height, width)`; None for everywhere.
        bins: Of as many pixels each, from the least to the greatest deviation.

    Raises:
        ValueError: If shapes differ, a valid pixel is not finite or its
            deviation negative, or there are fewer valid pixels than bins.
    """
    valid = checked_valid(valid, deviation=deviation, error=error)
    predicted = deviation[valid].astype(np.float64)
    missed = np.abs(error[valid].astype(np.float64))
    if predicted.min() < 0:
        raise ValueError(
            "`deviation` must be at least 0. Received: "
            f"deviation.min()={predicted.min()}"
        )
    if not 1 <= bins <= predicted.size:
        raise ValueError(
            "`bins` must be from 1 to the number of valid pixels, "
            f"{predicted.size}. Received: bins={bins}"
        )
    parts = np.array_split(np.argsort(predicted, kind="stable"), bins)
    counts = np.array([part.size for part in parts])
    p = np.array([_rms(predicted[part]) for part in parts])
    o = np.array([_rms(missed[part]) for part in parts])
    return Reliability(
        predicted=p,
        observed=o,
        counts=counts,
        slope=_ratio(float(counts @ (p * o)), float(counts @ (p * p))),
        coverage=(
            float(np.mean(missed <= predicted)),
            float(np.mean(missed <= 2 * predicted)),
        ),
        correlation=_correlation(predicted, missed),
    )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _ratio(above: float, below: float) -> float:
    return above / below if below else float("nan")


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    return _ratio(float(x @ y), float(np.sqrt((x @ x) * (y @ y))))
