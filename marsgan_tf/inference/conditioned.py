"""What engines that run a model's signatures tell it of the input."""

import copy
from typing import Self

import numpy as np

from marsgan_tf.deployment.description import Degradation, Description


class Conditioned:
    """Holds the degradation that goes with each request, if any.

    Attributes:
        told_inputs: `{"degradation": (1, 2) float32}`, the blur in px of the
            output and the noise in stretched units; empty where the model is
            not conditioned.

    Args:
        description: The model's.
        degradation: What it is told at first.
    """

    def __init__(
        self, description: Description, degradation: Degradation
    ) -> None:
        self.told_inputs: dict[str, np.ndarray] = {}
        if description.conditioned:
            self.told_inputs = _inputs(degradation)

    def told(self, degradation: Degradation) -> Self:
        """The same model, conditioned, told another degradation."""
        other = copy.copy(self)
        other.told_inputs = _inputs(degradation)
        return other


def _inputs(degradation: Degradation) -> dict[str, np.ndarray]:
    pair = [[degradation.blur_sigma, degradation.noise_sigma]]
    return {"degradation": np.array(pair, np.float32)}
