"""Settings of training; defaults are the paper's."""

import dataclasses
import math

from marsgan_tf.config.fields import FREE, GAN, option, require

ARCHITECTURES = ("marsgan", "esrgan")
VGG19_CONVOLUTIONS = tuple(
    f"block{block}_conv{index}"
    for block, depth in enumerate((2, 2, 4, 4, 4), start=1)
    for index in range(1, depth + 1)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """`python -m marsgan_tf.train`: one experiment, two stages.

    Stage 1 (`psnr`) minimises L1 alone; stage 2 (`gan`) goes on from its
    generator with `sum(perceptual_weights * VGG) + adversarial_weight * Ra +
    content_weight * content_loss`.
    """

    dataset: str = option(
        "datasets/hirise",
        "Folder of TFRecord shards, from pipelines.build_tfrecords.",
        FREE,
    )
    workdir: str = option("runs/train", "Folder of the run.", FREE)
    psnr_workdir: str = option(
        "",
        "Folder of the run whose stage 1 is used, and made if it is missing; "
        "default: workdir.",
        FREE,
    )
    start_from: str = option(
        "",
        "Generator file that stage 1 starts from, to train it on or on other "
        "images; default: fresh weights.",
        FREE,
    )

    architecture: str = option("marsgan", "Generator: marsgan or esrgan.")
    blocks: int = option(23, "Residual blocks of the generator.")
    features: int = option(64, "Maps of the generator's trunk.")
    growth: int = option(32, "Maps added by each convolution of a block.")
    reconstruction_channels: int = option(
        16, "MARSGAN: maps at high resolution before the last convolution."
    )
    noise_weight: float = option(0.0, "MARSGAN: start value of every λn.")
    per_channel: bool = option(
        False, "MARSGAN: one λ for each channel instead of one in all."
    )
    trunk_skip: bool = option(False, "MARSGAN: close the trunk as ESRGAN does.")
    conditioned: bool = option(
        False, "MARSGAN: tell the generator the blur and the noise."
    )
    discriminator_filters: int = option(
        64, "Maps of the discriminator's first convolution.", GAN
    )
    discriminator_units: int = option(
        1024, "Width of the discriminator's hidden dense layer.", GAN
    )

    psnr_steps: int = option(600_000, "Steps of stage 1.", FREE)
    gan_steps: int = option(600_000, "Steps of stage 2; 0 leaves it out.", FREE)
    batch_size: int = option(64, "Pairs in a step, over all devices.")
    hr_size: int = option(128, "Sides of the high-resolution patches, px.")
    learning_rate: float = option(
        1e-4, "Adam's step size, both networks.", FREE
    )
    halve_at: tuple[int, ...] = option(
        (50_000, 100_000, 300_000, 500_000),
        "Steps of a stage at which the learning rate is halved.",
        FREE,
    )
    perceptual_layers: tuple[str, ...] = option(
        ("block5_conv4", "block2_conv2"),
        "VGG19 layers of the perceptual loss, read before the activation.",
        GAN,
    )
    perceptual_weights: tuple[float, ...] = option(
        (0.5, 0.5), "Weight of each perceptual layer; eq. 12's γ and 1-γ.", GAN
    )
    adversarial_weight: float = option(5e-3, "λ of eq. 12 and 13.", GAN)
    content_loss: str = option(
        "mse", "Content loss of stage 2: mse or l1.", GAN
    )
    content_weight: float = option(0.5, "η of eq. 12 and 13.", GAN)
    vgg_weights: str = option(
        "imagenet",
        "VGG19 weights: a Keras .h5 file, or imagenet, which downloads.",
        FREE,
    )

    augment: bool = option(True, "Turn and mirror the pairs at random.")
    ema_decay: float = option(
        0.0, "Decay of the generator's running mean, 0 for none."
    )
    precision: str = option(
        "float32", "float32, mixed_bfloat16 or mixed_float16."
    )
    micro_batches: int = option(
        1, "Parts of a batch whose gradients are summed, to save memory.", FREE
    )
    remat: bool = option(
        False,
        "Compute dense blocks again in the backward pass: less memory.",
        FREE,
    )
    xla: bool = option(
        False,
        "Compile the step with XLA, for a GPU; with --strategy=one.",
        FREE,
    )
    strategy: str = option(
        "one",
        "Devices: one, mirrored for all GPUs of this machine, or multi_worker "
        "for those of several, by TF_CONFIG or SLURM.",
        FREE,
    )
    seed: int = option(0, "Seed of weights, order, augmentation and noise.")
    deterministic: bool = option(
        False, "Same bits in every run, at some cost in speed."
    )

    log_every: int = option(100, "Steps between two log entries.", FREE)
    validate_every: int = option(
        5_000, "Steps between two validations, with previews.", FREE
    )
    validation_pairs: int = option(
        256, "Pairs of the validation split that are used.", FREE
    )
    checkpoint_every: int = option(
        5_000, "Steps between two checkpoints.", FREE
    )
    keep_checkpoints: int = option(3, "Newest checkpoints that stay.", FREE)

    def __post_init__(self) -> None:
        choices = {
            "architecture": ARCHITECTURES,
            "content_loss": ("mse", "l1"),
            "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
            "strategy": ("one", "mirrored", "multi_worker"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            require(
                name, value, value in allowed, f"one of {', '.join(allowed)}"
            )
        for name in ("dataset", "workdir", "vgg_weights"):
            require(name, getattr(self, name), getattr(self, name), "given")
        for name in _POSITIVE:
            value = getattr(self, name)
            require(name, value, value > 0, "greater than 0")
        for name in ("psnr_steps", "gan_steps", "noise_weight"):
            value = getattr(self, name)
            require(name, value, value >= 0, "at least 0")
        require(
            "ema_decay",
            self.ema_decay,
            0 <= self.ema_decay < 1,
            "at least 0 and below 1",
        )
        require(
            "hr_size", self.hr_size, self.hr_size % 16 == 0, "a multiple of 16"
        )
        require(
            "micro_batches",
            self.micro_batches,
            self.batch_size % self.micro_batches == 0,
            f"a divisor of batch_size={self.batch_size}",
        )
        require(
            "halve_at",
            self.halve_at,
            list(self.halve_at) == sorted(set(self.halve_at)),
            "rising steps",
        )
        require(
            "xla",
            self.xla,
            not self.xla or self.strategy == "one",
            f"off with strategy={self.strategy}",
        )
        self._check_losses()
        require(
            "architecture",
            self.architecture,
            self.architecture == "marsgan" or not self._has_marsgan_options(),
            "marsgan, with noise_weight, per_channel, trunk_skip or "
            "conditioned",
        )

    def _check_losses(self) -> None:
        layers, weights = self.perceptual_layers, self.perceptual_weights
        is_known = bool(layers) and set(layers) <= set(VGG19_CONVOLUTIONS)
        require(
            "perceptual_layers",
            layers,
            is_known and len(set(layers)) == len(layers),
            "different names from block1_conv1 to block5_conv4",
        )
        require(
            "perceptual_weights",
            weights,
            len(weights) == len(layers) and all(map(math.isfinite, weights)),
            f"finite, and as many as perceptual_layers={layers}",
        )
        for name in ("adversarial_weight", "content_weight"):
            value = getattr(self, name)
            require(name, value, math.isfinite(value), "finite")

    def _has_marsgan_options(self) -> bool:
        return bool(
            self.noise_weight
            or self.per_channel
            or self.trunk_skip
            or self.conditioned
        )


_POSITIVE = (
    "blocks",
    "features",
    "growth",
    "reconstruction_channels",
    "discriminator_filters",
    "discriminator_units",
    "batch_size",
    "hr_size",
    "learning_rate",
    "micro_batches",
    "log_every",
    "validate_every",
    "validation_pairs",
    "checkpoint_every",
    "keep_checkpoints",
)
