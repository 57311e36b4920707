"""What a network in integers is calibrated on: the scene itself."""

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import degradation_estimator
from marsgan_tf.inference.scan import Survey
from marsgan_tf.inference.tile_restorer import SHOWN

# Half a second of a network of 8 blocks and 32 maps.
_IMAGES = 24


def images(path: str, survey: Survey) -> np.ndarray:
    """Patches from all over a scene, as the network is shown them.

    Args:
        path: Of the scene, for the error.
        survey: Of the scene, with its patches.

    Returns:
        float32 `(n, side, side, 1)`, stretched.

    Raises:
        errors.SettingsError: If there is none that is wholly valid.
    """
    stretched = [
        (patches - stretch.low) / (stretch.high - stretch.low)
        for patches, stretch in zip(
            survey.patches, survey.stretches, strict=True
        )
    ]
    found = np.concatenate(stretched)
    if not len(found):
        side = degradation_estimator.PATCH_PX
        raise errors.SettingsError(
            f"{path}: --precision=int8 takes its scales from the image, which "
            f"has no ground of {side} by {side} px with data; use "
            "--precision=bfloat16"
        )
    spread = np.linspace(0, len(found) - 1, min(_IMAGES, len(found)))
    chosen = found[np.rint(spread).astype(int), ..., np.newaxis]
    return np.clip(chosen, *SHOWN).astype(np.float32)
