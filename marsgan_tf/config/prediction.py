"""Settings of prediction."""

import dataclasses
import math

from marsgan_tf.config import endpoint
from marsgan_tf.config.fields import (
    PRECISIONS,
    is_range,
    is_sigma,
    option,
    require,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestorationConfig:
    """How an image is super-resolved, whichever command does it."""

    model: str = option(
        "",
        "Exported model; of several versions the newest. Default: "
        "saved_models/marsgan, or with a server what that one tells.",
    )
    interpolate: float = option(
        1.0,
        "Share of the model, 0 to 1; the rest is MODEL-psnr, the same network "
        "before its GAN stage: less invention, less sharpness.",
    )
    engine: str = option(
        "auto",
        f"openvino, saved_model, {endpoint.FORM} of a TensorFlow Serving, or "
        "auto: OpenVINO where it is installed and there is no NVIDIA GPU.",
    )
    precision: str = option(
        "auto",
        "float32, bfloat16, int8 (by OpenVINO, which calibrates it on each "
        "image), or auto: bfloat16 where the processor has it; with a server: "
        "what the model was exported for.",
    )
    threads: int = option(
        0,
        "Processor threads, or tiles that a server has at once; 0: all "
        "threads, 4 tiles.",
    )
    patience_s: float = option(
        120.0,
        "With a server: seconds that it may take for a tile, and that a tile "
        "is asked for again while the server is away or overloaded.",
    )

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
    consistency: str = option(
        "none",
        "project: change the output as little as makes it, once degraded, "
        "equal the input.",
    )

    format: str = option("GTiff", "GTiff or COG.")
    overviews: bool = option(False, "Add overviews.")

    def __post_init__(self) -> None:
        is_served = endpoint.parse(self.engine) is not None
        engines = ("auto", "openvino", "saved_model", endpoint.FORM)
        require(
            "engine",
            self.engine,
            is_served or self.engine in engines[:-1],
            f"one of {', '.join(engines)}",
        )
        require(
            "interpolate",
            self.interpolate,
            self.interpolate == 1.0 or not is_served,
            "1 with a server, which mixes no models",
        )
        require(
            "patience_s",
            self.patience_s,
            0 < self.patience_s < math.inf,
            "above 0, and finite",
        )
        # A server has no more signatures.
        precisions = PRECISIONS if is_served else (*PRECISIONS, "int8")
        choices = {
            "precision": ("auto", *precisions),
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
            self.stretch in ("auto", "none") or is_range(self.stretch),
            "auto, none or LO,HI with LO below HI",
        )
        for name in ("blur_sigma", "noise_sigma"):
            value = getattr(self, name)
            require(name, value, is_sigma(value), "auto, or at least 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(RestorationConfig):
    """`python -m marsgan_tf.predict`: images at a quarter of the pixel size."""

    input: tuple[str, ...] = option(
        (), "Images: paths and globs, separated by commas."
    )
    input_list: str = option("", "File with a path or glob a line.")
    output: str = option("", "GeoTIFF to write, for one image.")
    output_dir: str = option(
        "", "Folder of the results, NAME_sr.tif each; made if missing."
    )
    uncertainty_output: str = option(
        "", "With --samples: raster of the ensemble's standard deviation."
    )
    residual_output: str = option(
        "", "Raster of the input minus the degraded output."
    )
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
        super().__post_init__()
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
