"""Settings of the commands, as frozen dataclasses.

Standard library only: a wrong flag fails before TensorFlow loads.
"""

from marsgan_tf.config.assessment import (
    CoregisterConfig,
    DemoConfig,
    EvaluateConfig,
)
from marsgan_tf.config.fields import FREE, GAN, PRECISIONS, option, require
from marsgan_tf.config.networks import (
    EstimatorConfig,
    ExportConfig,
    InterpolateConfig,
    LevelConfig,
)
from marsgan_tf.config.prediction import PredictConfig, RestorationConfig
from marsgan_tf.config.training import (
    ARCHITECTURES,
    VGG19_CONVOLUTIONS,
    TrainConfig,
)

__all__ = [
    "ARCHITECTURES",
    "FREE",
    "GAN",
    "PRECISIONS",
    "VGG19_CONVOLUTIONS",
    "CoregisterConfig",
    "DemoConfig",
    "EstimatorConfig",
    "EvaluateConfig",
    "ExportConfig",
    "InterpolateConfig",
    "LevelConfig",
    "PredictConfig",
    "RestorationConfig",
    "TrainConfig",
    "option",
    "require",
]
