import dataclasses
import pathlib
import re

import pytest

from marsgan_tf import config as configs

ROOT = pathlib.Path(__file__).parent.parent
CONFIGS = {
    configs.TrainConfig: "marsgan_tf/training/*.py",
    configs.InterpolateConfig: "marsgan_tf/interpolate.py",
    configs.CoregisterConfig: "marsgan_tf/assessment/registration_run.py",
    configs.EvaluateConfig: "marsgan_tf/assessment/evaluating.py",
    configs.PredictConfig: "marsgan_tf/inference/predicting.py",
    configs.ExportConfig: "marsgan_tf/deployment/exporting.py",
    configs.EstimatorConfig: "marsgan_tf/training/estimator_run.py",
    configs.LevelConfig: "marsgan_tf/training/levelling_run.py",
    configs.DemoConfig: "marsgan_tf/demonstration/run.py",
}


@pytest.mark.parametrize("config_class", CONFIGS)
def test_every_flag_is_read(config_class):
    source = "".join(
        path.read_text() for path in ROOT.glob(CONFIGS[config_class])
    )
    for field in dataclasses.fields(config_class):
        pattern = rf"config\.{field.name}\b"
        assert re.search(pattern, source), f"{field.name} is read nowhere"


def test_defaults_are_the_papers():
    config = configs.TrainConfig()
    assert (config.blocks, config.features, config.growth) == (23, 64, 32)
    assert (config.batch_size, config.hr_size) == (64, 128)
    assert config.learning_rate == 1e-4
    assert config.halve_at == (50_000, 100_000, 300_000, 500_000)
    assert config.perceptual_layers == ("block5_conv4", "block2_conv2")
    assert config.perceptual_weights == (0.5, 0.5)
    assert (config.adversarial_weight, config.content_weight) == (5e-3, 0.5)
    assert config.content_loss == "mse"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"architecture": "unet"}, "`architecture` must be one of marsgan"),
        ({"content_loss": "l2"}, "`content_loss`.*content_loss=l2"),
        ({"precision": "int8"}, "`precision`"),
        ({"strategy": "tpu"}, "`strategy`"),
        ({"xla": True, "strategy": "mirrored"}, "`xla` must be off with"),
        ({"blocks": 0}, "`blocks` must be greater than 0"),
        ({"learning_rate": -1.0}, "`learning_rate`"),
        ({"gan_steps": -1}, "`gan_steps` must be at least 0"),
        ({"ema_decay": 1.0}, "`ema_decay`.*below 1"),
        ({"hr_size": 100}, "`hr_size` must be a multiple of 16"),
        ({"micro_batches": 3}, "`micro_batches`.*divisor of batch_size=64"),
        ({"halve_at": (5, 5)}, "`halve_at` must be rising"),
        ({"perceptual_weights": (1.0,)}, "`perceptual_weights`.*as many as"),
        ({"perceptual_layers": ("block6_conv1",)}, "`perceptual_layers`"),
        (
            {"perceptual_layers": ("block1_conv1", "block1_conv1")},
            "`perceptual_layers` must be different",
        ),
        ({"perceptual_weights": (1.0, float("nan"))}, "`perceptual_weights`"),
        ({"adversarial_weight": float("inf")}, "`adversarial_weight`"),
        ({"workdir": ""}, "`workdir` must be given"),
        (
            {"architecture": "esrgan", "conditioned": True},
            "`architecture` must be marsgan, with",
        ),
    ],
)
def test_wrong_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        configs.TrainConfig(**options)


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        configs.TrainConfig().blocks = 5
