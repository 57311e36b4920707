"""Settings of the commands, as frozen dataclasses; defaults are the paper's.

Standard library only: a wrong flag fails before TensorFlow loads.
"""

import dataclasses
import math
from typing import Any

# A field of this kind may change when a stage is resumed; any other is part
# of what the stage computes.
FREE = "free"
# A field of this kind is part of stage 2 alone.
GAN = "gan"

ARCHITECTURES = ("marsgan", "esrgan")
PRECISIONS = ("float32", "bfloat16")
VGG19_CONVOLUTIONS = tuple(
    f"block{block}_conv{index}"
    for block, depth in enumerate((2, 2, 4, 4, 4), start=1)
    for index in range(1, depth + 1)
)


def option(
    default: Any, text: str, kind: str = "", *, is_repeated: bool = False
) -> Any:
    """A field with its help.

    Args:
        default: Its value.
        text: The help.
        kind: `FREE`, `GAN` or nothing.
        is_repeated: Of a tuple of NAME=TEXT: the flag may be repeated, and
            commas count where another name follows at once.
    """
    metadata = {"help": text, "kind": kind, "is_repeated": is_repeated}
    return dataclasses.field(default=default, metadata=metadata)


def require(name: str, value: Any, is_right: bool, rule: str) -> None:
    """Raises a ValueError that names the field, unless `is_right`."""
    if not is_right:
        raise ValueError(f"`{name}` must be {rule}. Received: {name}={value}")


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
    strategy: str = option(
        "one", "Devices: one, or mirrored for all GPUs of this machine.", FREE
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
            "strategy": ("one", "mirrored"),
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
    weights: str = option("", "Generator file (.keras), instead of a run.")
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
            bool(self.weights) != bool(self.workdir),
            f"given, or workdir, not both (workdir={self.workdir})",
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
            "left out with weights",
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """`python -m marsgan_tf.predict`: images at a quarter of the pixel size."""

    input: tuple[str, ...] = option(
        (), "Images: paths and globs, separated by commas."
    )
    input_list: str = option("", "File with a path or glob a line.")
    output: str = option("", "GeoTIFF to write, for one image.")
    output_dir: str = option(
        "", "Folder of the results, NAME_sr.tif each; made if missing."
    )
    model: str = option(
        "saved_models/marsgan",
        "Exported model; of several versions the newest.",
    )
    interpolate: float = option(
        1.0,
        "Share of the model, 0 to 1; the rest is MODEL-psnr, the same network "
        "before its GAN stage: less invention, less sharpness.",
    )
    engine: str = option(
        "auto",
        "openvino, saved_model, or auto: OpenVINO where it is installed and "
        "there is no NVIDIA GPU.",
    )
    precision: str = option(
        "auto",
        "float32, bfloat16, or auto: bfloat16 where the processor has it.",
    )
    threads: int = option(0, "Processor threads; 0 for all.")

    bands: tuple[int, ...] = option(
        (), "Band numbers from 1, in the order wanted; default: all."
    )
    nodata: tuple[float, ...] = option(
        (), "Value of pixels without data, in the place of the file's own."
    )
    color: str = option(
        "auto",
        "hsv: the value passes the network, hue and saturation are enlarged; "
        "bands: each by itself; pan: the detail of one is added to all; "
        "auto: hsv for three bands, bands otherwise.",
    )
    pan_band: int = option(
        1, "With --color=pan: which of the bands, from 1 on."
    )
    stretch: str = option(
        "auto",
        "What the network sees as 0 and 1: LO,HI in the image's numbers; "
        "auto: from the scene; none: the whole range of integers, 0 and 1 of "
        "floats.",
    )
    blur_sigma: str = option(
        "auto",
        "Blur of the input, px of the output, for conditioned models and for "
        "--consistency; auto: read from the image where the model heeds it, "
        "otherwise what it was trained for.",
    )
    noise_sigma: str = option(
        "auto",
        "Noise of the input, in units of the stretched image, for conditioned "
        "models; auto: likewise.",
    )

    tile: int = option(
        0,
        "Largest side of a tile, px of the input; 0: 512, or less where that "
        "would leave threads idle.",
    )
    halo: int = option(16, "What a tile sees around itself, px of the input.")
    samples: int = option(
        0, "Draws of the noise ensemble, whose mean is written; 0: no noise."
    )
    seed: int = option(0, "Seed of the ensemble.")
    uncertainty_output: str = option(
        "", "With --samples: raster of the ensemble's standard deviation."
    )
    consistency: str = option(
        "none",
        "project: change the output as little as makes it, once degraded, "
        "equal the input.",
    )
    residual_output: str = option(
        "", "Raster of the input minus the degraded output."
    )

    format: str = option("GTiff", "GTiff or COG.")
    overviews: bool = option(False, "Add overviews.")
    overwrite: bool = option(
        False, "Replace outputs that exist, and leftovers of another run."
    )
    resume: bool = option(
        False,
        "Go on with an interrupted run; results that are finished stay as they "
        "are.",
    )

    def __post_init__(self) -> None:
        require(
            "input",
            self.input,
            bool(self.input or self.input_list),
            "given, or input_list",
        )
        require(
            "output",
            self.output,
            bool(self.output) != bool(self.output_dir),
            f"given, or output_dir, not both (output_dir={self.output_dir})",
        )
        choices = {
            "engine": ("auto", "openvino", "saved_model"),
            "precision": ("auto", *PRECISIONS),
            "color": ("auto", "hsv", "bands", "pan"),
            "consistency": ("none", "project"),
            "format": ("GTiff", "COG"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            require(
                name, value, value in allowed, f"one of {', '.join(allowed)}"
            )
        least = {"threads": 0, "pan_band": 1, "halo": 4, "seed": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            require(name, value, value >= lowest, f"at least {lowest}")
        require(
            "tile",
            self.tile,
            self.tile == 0 or self.tile >= 16,
            "0 or at least 16",
        )
        require(
            "interpolate",
            self.interpolate,
            0 <= self.interpolate <= 1,
            "from 0 to 1",
        )
        require("seed", self.seed, self.seed < 2**31 - 4096, "below 2**31")
        require(
            "samples",
            self.samples,
            self.samples == 0 or 2 <= self.samples <= 4096,
            "0, or from 2 to 4096",
        )
        require(
            "bands",
            self.bands,
            all(band >= 1 for band in self.bands)
            and len(set(self.bands)) == len(self.bands),
            "different numbers from 1 on",
        )
        require("nodata", self.nodata, len(self.nodata) <= 1, "one value")
        require(
            "stretch",
            self.stretch,
            self.stretch in ("auto", "none") or _is_range(self.stretch),
            "auto, none or LO,HI with LO below HI",
        )
        for name in ("blur_sigma", "noise_sigma"):
            value = getattr(self, name)
            require(name, value, _is_sigma(value), "auto, or at least 0")
        self._check_outputs()

    def _check_outputs(self) -> None:
        require(
            "uncertainty_output",
            self.uncertainty_output,
            not self.uncertainty_output or self.samples > 0,
            "empty, or samples at least 2",
        )
        for name in ("uncertainty_output", "residual_output"):
            value = getattr(self, name)
            require(
                name,
                value,
                not value or bool(self.output),
                "empty with output_dir",
            )


def _is_sigma(text: str) -> bool:
    if text == "auto":
        return True
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _is_range(text: str) -> bool:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        return False
    return math.isfinite(low) and math.isfinite(high) and low < high


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """`python -m marsgan_tf.evaluate`: what was gained, and how honestly."""

    images: tuple[str, ...] = option(
        (),
        "A registered image of the ground, NAME=PATH: super-resolved, or the "
        "input. Several: --images=a=A.tif,b=B.tif, or the flag once for each.",
        is_repeated=True,
    )
    reference: str = option("", "Image of what is there; none if left out.")
    reference_name: str = option("reference", "What tables call it.")
    lr: str = option(
        "",
        "Which of the images, by name, is the input; default: the only one "
        "with larger pixels.",
    )
    deviations: tuple[str, ...] = option(
        (),
        "Raster of an ensemble's deviation, NAME=PATH, of the image of that "
        "name.",
        is_repeated=True,
    )
    output_dir: str = option("", "Folder of the report; made if missing.")

    band: int = option(1, "Band that is looked at, in images with several.")
    nodata: tuple[float, ...] = option(
        (), "Value of pixels without data, in the place of the files' own."
    )
    stretch: str = option(
        "auto",
        "What becomes 0 and 1, black and white of all scores: LO,HI in the "
        "images' numbers; auto: from the reference, without one from the "
        "finest image; none: the whole range of integers, 0 and 1 of floats.",
    )
    match: bool = option(
        False,
        "Bring each image to the reference's unit by a gain and an offset: "
        "for another instrument's.",
    )
    crops: str = option(
        "",
        "CSV of the crops: name,row,col,height,width in px of the finest "
        "image; default: chosen.",
    )
    crop_count: int = option(8, "How many crops are chosen.")
    crop_size: int = option(256, "Their sides, px of the finest image.")
    edges: str = option(
        "",
        "CSV of regions with a slanted edge each, in px of the input; "
        "default: found.",
    )
    edge_count: int = option(20, "How many edges are looked for; 0: none.")
    blur_sigma: float = option(
        -1.0,
        "Blur by which an image becomes its input, px of the image; negative: "
        "what the prediction's NAME.tif.json says, or 1.6.",
    )
    brisque_model: str = option(
        "", "Model file of BRISQUE; default: an installed one."
    )
    brisque_range: str = option("", "Its range file, for one not known here.")
    viewer: bool = option(True, "Cut the tiles that the swipe viewer shows.")
    overwrite: bool = option(False, "Replace a report that exists.")

    def __post_init__(self) -> None:
        require("output_dir", self.output_dir, bool(self.output_dir), "given")
        require("images", self.images, bool(self.images), "given")
        for name in ("images", "deviations"):
            pairs = getattr(self, name)
            names = [pair.partition("=")[0].strip() for pair in pairs]
            require(
                name,
                pairs,
                all(names)
                and all(pair.partition("=")[2].strip() for pair in pairs)
                and len(set(names)) == len(names),
                "NAME=PATH each, with different names",
            )
            require(
                name,
                pairs,
                self.reference_name not in names,
                f"of other names than the reference's, {self.reference_name}",
            )
        least = {"band": 1, "crop_count": 0, "crop_size": 32, "edge_count": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            require(name, value, value >= lowest, f"at least {lowest}")
        require("nodata", self.nodata, len(self.nodata) <= 1, "one value")
        require(
            "stretch",
            self.stretch,
            self.stretch in ("auto", "none") or _is_range(self.stretch),
            "auto, none or LO,HI with LO below HI",
        )
        require(
            "blur_sigma",
            self.blur_sigma,
            math.isfinite(self.blur_sigma),
            "finite",
        )
        for name in ("match", "deviations"):
            value = getattr(self, name)
            require(
                name,
                value,
                not value or bool(self.reference),
                "left out without a reference",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoregisterConfig:
    """`python -m marsgan_tf.coregister`: one image onto another's pixels."""

    input: str = option("", "Image that is moved.")
    reference: str = option("", "Image of the same ground that stays.")
    output: str = option(
        "",
        "GeoTIFF to write; OUTPUT.json tells the map and how good it is, "
        "OUTPUT.png shows it.",
    )
    grid: str = option(
        "reference",
        "Pixels of the output: reference, the reference's very own; input, of "
        "the input's size, in the reference's coordinate reference system.",
    )
    scale: float = option(
        0.0,
        "Reference pixels along a pixel of the input, such as 4 or 0.25, "
        "instead of what georeferencing says; 0: by georeferencing, or where "
        "an image has none, estimated.",
    )
    max_rotation: float = option(
        5.0, "Largest turn against the reference, degrees."
    )
    model: str = option(
        "auto",
        "Map: similarity, affine, or auto: affine where the image asks for it.",
    )
    tolerance: float = option(
        1.0,
        "What local shifts may be off the map, px of the coarser image: more "
        "where terrain bends the image.",
    )
    band: int = option(
        0, "Band of the input that is compared, from 1; 0: the mean of all."
    )
    reference_band: int = option(
        0, "Band of the reference, from 1; 0: the mean of all."
    )
    nodata: tuple[float, ...] = option(
        (),
        "Value of the input's pixels without data, in the place of the file's "
        "own.",
    )
    reference_nodata: tuple[float, ...] = option(
        (), "Value of the reference's pixels without data."
    )
    format: str = option("GTiff", "GTiff or COG.")
    overviews: bool = option(False, "Add overviews.")
    overwrite: bool = option(False, "Replace outputs that exist.")

    def __post_init__(self) -> None:
        for name in ("input", "reference", "output"):
            require(
                name, getattr(self, name), bool(getattr(self, name)), "given"
            )
        choices = {
            "grid": ("reference", "input"),
            "model": ("auto", "similarity", "affine"),
            "format": ("GTiff", "COG"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            require(
                name, value, value in allowed, f"one of {', '.join(allowed)}"
            )
        require(
            "scale",
            self.scale,
            self.scale == 0.0 or 1e-3 <= self.scale <= 1e3,
            "0, or from 0.001 to 1000",
        )
        require(
            "max_rotation",
            self.max_rotation,
            0.0 <= self.max_rotation <= 180.0,
            "from 0 to 180",
        )
        require(
            "tolerance",
            self.tolerance,
            0.1 <= self.tolerance <= 3.0,
            "from 0.1 to 3",
        )
        for name in ("band", "reference_band"):
            value = getattr(self, name)
            require(name, value, value >= 0, "at least 0")
        for name in ("nodata", "reference_nodata"):
            value = getattr(self, name)
            require(name, value, len(value) <= 1, "one value")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """`python -m marsgan_tf.demo`: one strip, from end to end."""

    input: str = option(
        "", "Image to super-resolve; default: a generated colour strip."
    )
    output_dir: str = option("demo", "Folder of the results; made if missing.")
    model: str = option("saved_models/marsgan", "Exported model.")
    open: bool = option(False, "Open the page in the browser.")

    def __post_init__(self) -> None:
        for name in ("output_dir", "model"):
            require(
                name, getattr(self, name), bool(getattr(self, name)), "given"
            )
