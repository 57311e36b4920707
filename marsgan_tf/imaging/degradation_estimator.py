"""Blur and noise of an image, read from patches of it.

A small convolutional network tells both for each patch, and how sure it is:
edges tell the blur, flat ground the noise. Its forward pass is plain NumPy,
so that prediction needs no other engine for it. `models.degradation_estimator`
is the same network to train.
"""

import dataclasses
import functools
import os
import zipfile
from collections.abc import Sequence

import numpy as np

from marsgan_tf import errors

# Sides of the patches that the estimator in the package sees.
PATCH_PX = 40
WEIGHTS = os.path.join(os.path.dirname(__file__), "degradation_estimator.npz")

# Added to the noise before its logarithm is taken: half of what 8 bits round.
NOISE_FLOOR = 0.003
# Added to a patch's deviation, so that a flat one is not divided by nothing.
CONTRAST_FLOOR = 1e-3

# What is believed of an image before it is seen: mean (px) and precision of
# its blur. Rather sharp, since an input taken for softer than it is comes out
# with rings, and one taken for sharper only keeps some of its blur.
_BELIEF = (0.4, 0.5)
# Share of the evidence of a plane's patches that tells no more noise than is
# believed. At a tenth, the network gains most, on clean and on noisy scenes.
_NOISE_QUANTILE = 0.1
# Beyond these, the network's word on how sure it is does not count.
LOG_VARIANCE_LIMITS = (-6.0, 4.0)
# Steps that are told, so that machines that round otherwise tell the same.
_STEPS = np.array([0.05, 0.0005])
# Patches at once: what keeps the largest intermediate array below 100 MB.
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Estimator:
    """The trained network.

    Attributes:
        strides: Of its convolutions.
        kernels: Of its convolutions, then of its dense layers.
        biases: Likewise.
        largest: `(2,)`, the blur and the noise up to which it was trained.
    """

    strides: tuple[int, ...]
    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    largest: np.ndarray

    def estimate(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """The degradation of each plane of one image; they share the blur.

        Args:
            planes: One `(patches, PATCH_PX, PATCH_PX)` for each, in stretched
                units; at least one patch in all. A plane without patches is
                told the noise that all others tell together.

        Returns:
            `(planes, 2)`: the blur in px of the output, and the noise in
            stretched units, not above what the network was trained for.
        """
        told = [self.forward(patches) for patches in planes]
        every = np.concatenate(told)
        blur = _blur(every[:, 0], every[:, 2], float(self.largest[0]))
        noises = [
            _noise(plane[:, 1], plane[:, 3])
            for plane in (plane if len(plane) else every for plane in told)
        ]
        found = np.minimum([(blur, noise) for noise in noises], self.largest)
        return np.rint(found / _STEPS) * _STEPS

    def forward(self, patches: np.ndarray) -> np.ndarray:
        """What the network tells of each patch.

        Args:
            patches: `(n, PATCH_PX, PATCH_PX)`, in stretched units.

        Returns:
            float32 `(n, 4)`: blur in px of the output, the logarithm of the
            noise above `NOISE_FLOOR`, and the logarithms of their variances.
        """
        answers = [np.empty((0, 4), np.float32)]
        for first in range(0, len(patches), _BATCH):
            answers.append(self._forward(patches[first : first + _BATCH]))
        return np.concatenate(answers)

    def _forward(self, patches: np.ndarray) -> np.ndarray:
        maps, log_std = normalise(patches.astype(np.float32))
        depth = len(self.strides)
        for layer in zip(
            self.kernels[:depth], self.biases[:depth], self.strides, strict=True
        ):
            maps = np.maximum(_convolve(maps, *layer), 0.0)
        pooled = [maps.mean(axis=(1, 2)), maps.max(axis=(1, 2)), log_std]
        hidden = np.concatenate(pooled, axis=1)
        hidden = hidden @ self.kernels[depth] + self.biases[depth]
        hidden = np.maximum(hidden, 0.0)
        return hidden @ self.kernels[depth + 1] + self.biases[depth + 1]


@functools.cache
def load(path: str = WEIGHTS) -> Estimator:
    """Reads a network that `train_estimator` wrote.

    Raises:
        errors.ModelError: If the file is missing or no such network.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            layers = range(int(arrays["layers"]))
            return Estimator(
                strides=tuple(arrays["strides"].tolist()),
                kernels=tuple(arrays[f"kernel_{i}"] for i in layers),
                biases=tuple(arrays[f"bias_{i}"] for i in layers),
                largest=arrays["largest"],
            )
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise errors.ModelError(
            f"{path}: no estimator of blur and noise ({error}); make it again "
            "by python -m marsgan_tf.train_estimator, or give --blur_sigma "
            "and --noise_sigma"
        ) from None


def normalise(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patches of mean 0 and deviation 1, and the deviations' logarithms.

    Returns:
        `(n, h, w, 1)` and `(n, 1)`.
    """
    mean = patches.mean(axis=(1, 2), keepdims=True)
    std = patches.std(axis=(1, 2), keepdims=True) + CONTRAST_FLOOR
    return ((patches - mean) / std)[..., np.newaxis], np.log(std[:, :, 0])


def _blur(
    means: np.ndarray, log_variances: np.ndarray, largest: float
) -> float:
    """The image's blur, from what its patches tell.

    Each patch tells a mean between its own evidence and the blurs of the
    training, drawn evenly up to `largest`. Those are taken out again, once,
    and the belief is put in their place. Patches of an image err together, as
    its ground is more or less sharp by itself: many are no surer than one.
    """
    weights = _weights(log_variances)
    mean, precision = np.average(means, weights=weights), weights.mean()
    drawn_mean, drawn_precision = largest / 2.0, 12.0 / largest**2
    evidence, moment = 0.0, 0.0
    if precision > drawn_precision:
        evidence = precision - drawn_precision
        moment = precision * mean - drawn_precision * drawn_mean
    believed_mean, belief = _BELIEF
    told = (moment + belief * believed_mean) / (evidence + belief)
    return max(float(told), 0.0)


def _noise(means: np.ndarray, log_variances: np.ndarray) -> float:
    """A plane's noise, from what its patches tell.

    The noise is the same in all of them, and fine texture can look like it, but
    never like less of it: those count that tell the least.
    """
    order = np.argsort(means)
    weights = np.cumsum(_weights(log_variances)[order])
    place = np.searchsorted(weights, _NOISE_QUANTILE * weights[-1])
    return max(float(np.exp(means[order][place])) - NOISE_FLOOR, 0.0)


def _weights(log_variances: np.ndarray) -> np.ndarray:
    return np.exp(-np.clip(log_variances, *LOG_VARIANCE_LIMITS))


def _convolve(
    maps: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int
) -> np.ndarray:
    """Without padding: `(n, h, w, c)` with `(k, k, c, f)`."""
    windows = np.lib.stride_tricks.sliding_window_view(
        maps, kernel.shape[:2], axis=(1, 2)
    )[:, ::stride, ::stride]
    return np.tensordot(windows, kernel, ((4, 5, 3), (0, 1, 2))) + bias
