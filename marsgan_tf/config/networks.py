"""Settings of what is done to networks beside training them."""

import dataclasses
import math

from marsgan_tf.config.fields import PRECISIONS, option, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpolateConfig:
    """`python -m marsgan_tf.interpolate`: mix two generators of one kind."""

    psnr: str = option("", "Generator file of stage 1 (.keras).")
    gan: str = option("", "Generator file of stage 2 (.keras).")
    output: str = option("", "Generator file to write (.keras).")
    alpha: float = option(0.8, "Share of `gan`, 0 to 1.")
    overwrite: bool = option(False, "Replace an output that exists.")

    def __post_init__(self) -> None:
        for name in ("psnr", "gan", "output"):
            value = getattr(self, name)
            require(
                name, value, value.endswith(".keras"), "a path to a .keras file"
            )
        require("alpha", self.alpha, 0 <= self.alpha <= 1, "from 0 to 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelConfig:
    """`python -m marsgan_tf.level`: answers without a checkerboard."""

    weights: str = option("", "Generator file of a MARSGAN (.keras).")
    dataset: str = option(
        "datasets/shipped", "Folder of TFRecord shards to measure it on."
    )
    output: str = option("", "Generator file to write (.keras).")
    pairs: int = option(1024, "Pairs that are looked at.")
    seed: int = option(0, "Seed of their choice.")
    overwrite: bool = option(False, "Replace an output that exists.")

    def __post_init__(self) -> None:
        for name in ("weights", "output"):
            value = getattr(self, name)
            require(
                name, value, value.endswith(".keras"), "a path to a .keras file"
            )
        require("pairs", self.pairs, self.pairs > 0, "greater than 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EstimatorConfig:
    """`python -m marsgan_tf.train_estimator`: what reads blur and noise."""

    dataset: str = option(
        "datasets/shipped",
        "Folder of TFRecord shards with ranges of blur and noise.",
    )
    output: str = option("", "File to write (.npz); replaced if it exists.")
    steps: int = option(6_000, "Steps of training.")
    batch_size: int = option(64, "Patches in a step.")
    learning_rate: float = option(2e-3, "Adam's step size, decaying to 0.")
    validation_pairs: int = option(
        5_000, "Pairs of the validation split that are used."
    )
    seed: int = option(0, "Seed of weights, order and augmentation.")

    def __post_init__(self) -> None:
        require(
            "output",
            self.output,
            self.output.endswith(".npz"),
            "a path to a .npz file",
        )
        for name in (
            "steps",
            "batch_size",
            "learning_rate",
            "validation_pairs",
        ):
            value = getattr(self, name)
            require(name, value, value > 0, "greater than 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """`python -m marsgan_tf.export`: from a trained generator to a model."""

    workdir: str = option(
        "", "Folder of a run; its last finished stage is exported."
    )
    stage: str = option(
        "", "With workdir: psnr or gan, instead of the last finished stage."
    )
    weights: str = option(
        "",
        "Generator file (.keras), instead of the run's own; a run that is "
        "named as well tells how it was trained.",
    )
    output: str = option(
        "",
        "Folder of the model, such as saved_models/NAME: the next version is "
        "written below it. With --format=onnx, a file NAME.onnx.",
    )
    format: str = option("saved_model", "saved_model or onnx.")
    precision: str = option(
        "float32",
        "Of the dense blocks in `serving_default`: float32, which OpenVINO "
        "needs, or bfloat16, for TensorFlow Serving on Ampere or newer.",
    )
    blur_sigma: float = option(
        -1.0,
        "Blur of the images it is meant for, px of the output; negative: "
        "what it was trained on.",
    )
    noise_sigma: float = option(
        -1.0,
        "Their noise, in units of the stretched image; negative: what it was "
        "trained on.",
    )

    def __post_init__(self) -> None:
        require("output", self.output, bool(self.output), "given")
        require(
            "weights",
            self.weights,
            bool(self.weights or self.workdir),
            "given, or workdir",
        )
        for name, allowed in (
            ("stage", ("", "psnr", "gan")),
            ("format", ("saved_model", "onnx")),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, name)
            require(
                name, value, value in allowed, f"one of {', '.join(allowed)}"
            )
        require(
            "stage",
            self.stage,
            not self.stage or bool(self.workdir),
            "left out without workdir",
        )
        is_onnx = self.format == "onnx"
        require(
            "output",
            self.output,
            self.output.endswith(".onnx") == is_onnx,
            "a path to a .onnx file with format=onnx, and to a folder without",
        )
        require(
            "precision",
            self.precision,
            self.precision == "float32" or not is_onnx,
            "float32 with format=onnx",
        )
        for name in ("blur_sigma", "noise_sigma"):
            value = getattr(self, name)
            require(name, value, math.isfinite(value), "finite")
            require(
                name,
                value,
                value < 0 or not is_onnx,
                "left out with format=onnx, where it is an input",
            )
