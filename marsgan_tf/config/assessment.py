"""Settings of assessment: evaluation, registration, the demonstration."""

import dataclasses
import math

from marsgan_tf.config.fields import is_range, option, require


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
            self.stretch in ("auto", "none") or is_range(self.stretch),
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
