"""Network interpolation of exported models: two of one architecture, mixed.

The folded weights are mixed. At the ends that is either model; in between it
differs a little from mixing before folding (`python -m marsgan_tf.interpolate`
does that), since each fifth convolution is folded with its λr.

Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219, section 3.4
"""

import dataclasses

import numpy as np

from marsgan_tf import errors
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment.description import Description

# Beside a model after the GAN stage lies that after stage 1, by this name.
_SUFFIX = "-psnr"


@dataclasses.dataclass(frozen=True)
class Blend:
    """What is mixed into a model.

    Attributes:
        folder: Of the other model's version.
        description: The other's.
        share: Of the first model, below 1.
    """

    folder: str
    description: Description
    share: float

    def mix(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Mixes a weight of the first model with that of the other."""
        return self.share * one + (1.0 - self.share) * other


def find(model: str, description: Description, share: float) -> Blend | None:
    """The other model that `--interpolate` mixes in, or None at a share of 1.

    Args:
        model: Folder of the first model, as the user names it.
        description: The first model's.
        share: Of the first model.

    Raises:
        errors.ModelError: If there is no other model beside it, or it is of
            another architecture.
    """
    if share == 1.0:
        return None
    folder = descriptions.find(model.rstrip("/") + _SUFFIX)
    other = descriptions.load(folder)
    for name in ("architecture", "scale", "conditioned", "has_noise"):
        if getattr(other, name) != getattr(description, name):
            raise errors.ModelError(
                f"{folder}: its {name} is {getattr(other, name)}, that of "
                f"{model} is {getattr(description, name)}: they cannot be mixed"
            )
    return Blend(folder, other, share)
