"""What a conditioned model is told of a scene, read from the scene."""

from absl import logging

from marsgan_tf.deployment.description import Degradation
from marsgan_tf.imaging import degradation_estimator as estimator
from marsgan_tf.inference.scan import Survey


def read(survey: Survey, assumed: Degradation) -> tuple[Degradation, ...]:
    """Blur and noise of each plane.

    Args:
        survey: Of the scene, with its patches.
        assumed: What to take where no patch is wholly valid.

    Raises:
        errors.ModelError: If the estimator is missing.
    """
    if not any(len(patches) for patches in survey.patches):
        logging.warning(
            "the image has no ground of %d by %d px with data, too little to "
            "read its blur and noise from",
            estimator.PATCH_PX,
            estimator.PATCH_PX,
        )
        return (assumed,) * survey.planes.count
    found = estimator.load().estimate(
        [
            (patches - stretch.low) / (stretch.high - stretch.low)
            for patches, stretch in zip(
                survey.patches, survey.stretches, strict=True
            )
        ]
    )
    return tuple(
        Degradation(blur_sigma=round(blur, 2), noise_sigma=round(noise, 4))
        for blur, noise in found.tolist()
    )
