"""One map from many local shifts, some of them wrong, and how far to trust it.

Points are `(n, 2)`, x (column) before y (row), in whatever px; a map takes
points of the image, where its georeference puts them, to the reference.
"""

import dataclasses
import math

import affine
import numpy as np

MODELS = ("similarity", "affine")

_TRIALS = 2000
_REFITS = 5
# What each of its parameters must gain, in logarithms of the observations: by
# BIC twice one for two; thrice that, since neighbouring shifts err alike.
_AFFINE_PENALTY = 6.0
# Votes without which no affine map is tried.
_LEAST_FOR_AFFINE = 10

# Votes that define a map.
_SAMPLES = {"similarity": 2, "affine": 3}
# Of a sample's determinant, in spreads of the votes: below, it defines none.
_LEAST_DETERMINANT = 1e-6


@dataclasses.dataclass(frozen=True)
class Votes:
    """Local shifts.

    Attributes:
        image: `(n, 2)`, where the georeference puts a tile's centre.
        reference: `(n, 2)`, where the tile was found.
        tried: Tiles that were looked for, found or not.
        range_px: How far to all sides they were looked for.
    """

    image: np.ndarray
    reference: np.ndarray
    tried: int
    range_px: float


@dataclasses.dataclass(frozen=True)
class Fit:
    """A map that many votes agree on.

    Attributes:
        matrix: The map.
        model: `similarity` or `affine`.
        inliers: `(n,)` booleans, votes within the tolerance.
        rms_px: Of the inliers' residuals, both axes together.
        log10_false_alarms: Logarithm of the number of fits as good as this
            one that chance is expected to give.
        covariance: Of the map's parameters.
    """

    matrix: affine.Affine
    model: str
    inliers: np.ndarray
    rms_px: float
    log10_false_alarms: float
    covariance: "Covariance"


@dataclasses.dataclass(frozen=True)
class Covariance:
    """Of a least-squares map, from the residuals' scatter alone.

    Attributes:
        model: `similarity` or `affine`.
        centre: `(2,)` of the points that were fitted.
        parameters: `(p, p)`.
    """

    model: str
    centre: np.ndarray
    parameters: np.ndarray

    def deviation(self, points: np.ndarray) -> np.ndarray:
        """Standard deviation at points, `(n,)`, both axes together."""
        rows = _design(points - self.centre, self.model)
        variance = np.einsum("ij,jk,ik->i", rows, self.parameters, rows)
        return np.sqrt(variance.reshape(-1, 2).sum(axis=1))


def fit(
    votes: Votes, *, tolerance_px: float, model: str, log10_tries: float
) -> Fit | None:
    """Finds the map that most votes agree on.

    Args:
        votes: The local shifts.
        tolerance_px: Residual up to which a vote agrees.
        model: `similarity`, `affine`, or `auto`: affine where it explains
            the votes better than its two more parameters would by chance
            (Bayesian information criterion).
        log10_tries: Logarithm of the number of coarse alignments of which
            the one that led to these votes was the best.

    Returns:
        None where no map has more votes than it has need of.
    """
    wanted = MODELS if model == "auto" else (model,)
    if model == "auto" and len(votes.image) < _LEAST_FOR_AFFINE:
        wanted = MODELS[:1]
    fits = [
        found
        for name in wanted
        if (found := _fit(votes, tolerance_px, name, log10_tries))
    ]
    if len(fits) < 2:
        return fits[0] if fits else None
    similarity, general = fits
    gain = _cost(votes, similarity, tolerance_px) - _cost(
        votes, general, tolerance_px
    )
    variance = max(general.rms_px**2 / 2.0, 1e-12)
    is_worth_it = gain / variance > _AFFINE_PENALTY * math.log(
        2 * len(votes.image)
    )
    return general if is_worth_it else similarity


def log10_false_alarms(
    *, tried: int, inliers: int, samples: int, chance: float, log10_tries: float
) -> float:
    """How many fits as good as this one unrelated images would give.

    Where there is nothing to find, a tile's best shift lies anywhere within
    its range; of `tried` tiles, `samples` define a map, with which each other
    agrees with the probability `chance`. All choices of the tiles that agree
    and of those that define the map, and all coarse alignments that were
    compared, are counted in: the number is an upper bound of the expectation.

    Reference: Moisan and Stival 2004, Int. J. Comput. Vis. 57, 201-218.
    """
    return (
        math.log10(max(tried - samples, 1))
        + _log10_choices(tried, inliers)
        + _log10_choices(inliers, samples)
        + (inliers - samples) * math.log10(chance)
        + log10_tries
    )


def _log10_choices(total: int, chosen: int) -> float:
    return math.log10(math.comb(total, chosen))


def _fit(
    votes: Votes, tolerance: float, model: str, log10_tries: float
) -> Fit | None:
    samples = _SAMPLES[model]
    if len(votes.image) <= samples:
        return None
    inliers = _consensus(votes, tolerance, model)
    if inliers.sum() <= samples:
        return None
    for _ in range(_REFITS):
        matrix, covariance = _least_squares(votes, inliers, model)
        residuals = _residuals(votes, matrix)
        agreeing = residuals < tolerance
        if agreeing.sum() <= samples or np.array_equal(agreeing, inliers):
            break
        inliers = agreeing
    chance = math.pi * tolerance**2 / (2.0 * votes.range_px + 1.0) ** 2
    return Fit(
        matrix,
        model,
        inliers,
        float(np.sqrt(np.mean(residuals[inliers] ** 2))),
        log10_false_alarms(
            tried=votes.tried,
            inliers=int(inliers.sum()),
            samples=samples,
            chance=min(chance, 1.0),
            log10_tries=log10_tries,
        ),
        covariance,
    )


def _consensus(votes: Votes, tolerance: float, model: str) -> np.ndarray:
    """The votes that agree with the best of many maps through a few of them.

    The best has the smallest sum of squared residuals, none of which counts
    for more than the tolerance.

    Returns:
        `(n,)` booleans.

    Reference: Torr and Zisserman 2000, Comput. Vis. Image Underst. 78,
    138-156.
    """
    count, samples = len(votes.image), _SAMPLES[model]
    points = votes.image - votes.image.mean(axis=0)
    points = points / max(float(points.std()), np.finfo(np.float64).tiny)
    order = np.random.default_rng(0).random((_TRIALS, count))
    picks = np.argpartition(order, samples - 1)[:, :samples]
    rows = _design(points[picks], model)
    is_sound = np.abs(np.linalg.det(rows)) > _LEAST_DETERMINANT
    if not is_sound.any():
        return np.zeros(count, bool)
    targets = votes.reference[picks[is_sound]].reshape(-1, 2 * samples, 1)
    maps = np.linalg.solve(rows[is_sound], targets)[..., 0]
    off = maps @ _design(points, model).T - votes.reference.ravel()
    squares = (off**2).reshape(-1, count, 2).sum(axis=2)
    costs = np.minimum(squares, tolerance**2).sum(axis=1)
    return squares[costs.argmin()] < tolerance**2


def _least_squares(
    votes: Votes, inliers: np.ndarray, model: str
) -> tuple[affine.Affine, Covariance]:
    points, targets = votes.image[inliers], votes.reference[inliers]
    centre = points.mean(axis=0)
    rows = _design(points - centre, model)
    answer, _, _, _ = np.linalg.lstsq(rows, targets.ravel())
    left = targets.ravel() - rows @ answer
    freedom = max(len(left) - len(answer), 1)
    covariance = np.linalg.pinv(rows.T @ rows) * (left @ left / freedom)
    x, y = answer[:2]
    if model == "similarity":
        a, b = answer[2:]
        linear = affine.Affine(a, -b, x, b, a, y)
    else:
        linear = affine.Affine(*answer[2:4], x, *answer[4:], y)
    shift = affine.Affine.translation(-centre[0], -centre[1])
    return linear @ shift, Covariance(model, centre, covariance)


def _design(points: np.ndarray, model: str) -> np.ndarray:
    """Rows of `(..., n, 2)` points, `(..., 2 n, p)`: x and y in turn.

    The first two parameters are the shift.
    """
    x, y = points[..., 0], points[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    if model == "similarity":
        across, down = [one, zero, x, -y], [zero, one, y, x]
    else:
        across = [one, zero, x, y, zero, zero]
        down = [zero, one, zero, zero, x, y]
    rows = np.stack(
        [np.stack(across, axis=-1), np.stack(down, axis=-1)], axis=-2
    )
    return rows.reshape(*x.shape[:-1], -1, len(across))


def _residuals(votes: Votes, matrix: affine.Affine) -> np.ndarray:
    x, y = matrix @ (votes.image[:, 0], votes.image[:, 1])
    return np.hypot(x - votes.reference[:, 0], y - votes.reference[:, 1])


def _cost(votes: Votes, found: Fit, tolerance: float) -> float:
    residuals = np.minimum(_residuals(votes, found.matrix), tolerance)
    return float(residuals @ residuals)
