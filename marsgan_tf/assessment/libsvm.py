"""Support vector regression from LIBSVM's text files, without LIBSVM.

Reference: Chang & Lin 2011, https://doi.org/10.1145/1961189.1961199
"""

import dataclasses
import math

import numpy as np

from marsgan_tf import errors


@dataclasses.dataclass(frozen=True, eq=False)
class Svr:
    """Regression with radial basis functions.

    Attributes:
        gamma: Of the kernel exp(-gamma |x - v|**2).
        rho: What is taken off the sum.
        weights: float64 `(vectors,)`.
        vectors: float64 `(vectors, features)`.
    """

    gamma: float
    rho: float
    weights: np.ndarray
    vectors: np.ndarray

    def predict(self, features: np.ndarray) -> float:
        """The value at scaled features `(features,)`."""
        squares = np.sum((self.vectors - features) ** 2, axis=1)
        return float(self.weights @ np.exp(-self.gamma * squares) - self.rho)


def read_svr(text: str, source: str, *, features: int) -> Svr:
    """Reads a model file: a header, the line "SV", a line for each vector.

    Args:
        text: The file's content.
        source: Its name, for messages.
        features: How many features a vector has; those that a line leaves
            out are 0.

    Raises:
        ModelError: If it is not a whole epsilon- or nu-SVR with an RBF kernel.
    """
    header, found, body = text.replace("\r\n", "\n").partition("\nSV\n")
    fields = dict(
        line.split(maxsplit=1) for line in header.split("\n") if " " in line
    )
    kind = fields.get("svm_type"), fields.get("kernel_type")
    if not found or kind not in (("epsilon_svr", "rbf"), ("nu_svr", "rbf")):
        raise errors.ModelError(
            f"{source} is not a regression with an RBF kernel in LIBSVM's "
            "text format: give the model file of a BRISQUE release"
        )
    try:
        svr = _svr(fields, body, features)
    except (KeyError, ValueError, IndexError) as error:
        raise errors.ModelError(
            f"{source} is damaged or is not of {features} features "
            f"({error}): download it again"
        ) from error
    return svr


def read_range(text: str, source: str, *, features: int) -> np.ndarray:
    """Reads the range file of `svm-scale`: "x", "-1 1", then a line a feature.

    Args:
        text: The file's content.
        source: Its name, for messages.
        features: How many features it must have.

    Returns:
        float64 `(features, 2)`: what becomes -1 and 1.

    Raises:
        ModelError: If it is not such a file.
    """
    rows = [line.split() for line in text.splitlines() if line.strip()]
    try:
        if rows[0] != ["x"] or [float(end) for end in rows[1]] != [-1, 1]:
            raise ValueError("no x, -1 1 at its head")
        indices = [int(row[0]) for row in rows[2:]]
        ends = np.array([row[1:] for row in rows[2:]], np.float64)
        if indices != list(range(1, features + 1)) or ends.shape[1] != 2:
            raise ValueError(f"not features 1 to {features}")
        if not (ends[:, 0] < ends[:, 1]).all():
            raise ValueError("an empty range")
    except (ValueError, IndexError) as error:
        raise errors.ModelError(
            f"{source} is not a range file of svm-scale for {features} "
            f"features to [-1, 1] ({error}): give the one of the model"
        ) from error
    return ends


def _svr(fields: dict[str, str], body: str, features: int) -> Svr:
    lines = [line.split() for line in body.split("\n") if line.strip()]
    if len(lines) != int(fields["total_sv"]):
        raise ValueError(
            f"{len(lines)} of {fields['total_sv']} support vectors"
        )
    weights = np.array([line[0] for line in lines], np.float64)
    vectors = np.zeros((len(lines), features))
    for vector, line in zip(vectors, lines, strict=True):
        for entry in line[1:]:
            index, value = entry.split(":")
            if int(index) < 1:
                raise ValueError(f"feature {index}")
            vector[int(index) - 1] = float(value)
    svr = Svr(float(fields["gamma"]), float(fields["rho"]), weights, vectors)
    sums = svr.gamma + svr.rho + weights.sum() + vectors.sum()
    if not math.isfinite(sums):
        raise ValueError("a number that is not finite")
    return svr
