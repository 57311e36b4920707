"""Settings of the dataset builder; importing them loads nothing heavy."""

import dataclasses
from typing import Any

from marsgan_tf.dataset import tfrecord
from pipelines import hirise, patches


def _field(default: Any, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": help})


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What `python -m pipelines.build_tfrecords` can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    input: tuple[str, ...] = _field(
        (), "Images: one or more globs, comma-separated; `**` enters folders."
    )
    input_list: str = _field("", "A text file of image paths, one a line.")
    observation_ids: tuple[str, ...] = _field(
        (), "HiRISE observations whose RED products lie below --archive_root."
    )
    archive_root: str = _field(
        "", "Copy of the HiRISE PDS archive: the folder that holds RDR."
    )
    output_dir: str = _field("", "The dataset's folder.")
    hr_size: int = _field(
        128, "Side of the high-resolution patches, px; a multiple of 4."
    )
    stride: int = _field(
        0, "Step between patches, px; 0 is --hr_size: no overlap."
    )
    band: int = _field(
        0, "The band to use, from 1; 0 makes three bands grey by their luma."
    )
    min_contrast: float = _field(
        0.02,
        "Least standard deviation of a patch, in units of its scene's range.",
    )
    blur_sigma: tuple[float, ...] = _field(
        (1.6,),
        "Gaussian between high and low resolution, high-resolution px; "
        "LOW,HIGH draws from a range.",
    )
    noise_sigma: tuple[float, ...] = _field(
        (0.0,),
        "White noise on the low resolution, in units of the scene's range; "
        "LOW,HIGH draws from a range.",
    )
    variants: int = _field(
        1, "Degradations of each scene, each drawn from the ranges."
    )
    validation_fraction: float = _field(
        0.05, "Part of the scenes' area that is kept for validation."
    )
    validation_ids: tuple[str, ...] = _field(
        (), "Observations that are kept for validation in any case."
    )
    exclude_ids: tuple[str, ...] = _field(
        hirise.PAPER_VALIDATION_IDS,
        "Observations that are not used; by default the paper's test sites.",
    )
    nodata: tuple[float, ...] = _field(
        (), "More DN that mean no data, besides the files' own."
    )
    seed: int = _field(0, "Of the split, the degradations and the order.")
    workers: int = _field(
        0,
        "Processes; 0 is one a core. Each needs about 0.5 GiB, and for a JPEG "
        "2000 of a single tile its whole image several times over.",
    )
    num_shards: int = _field(
        1, "Jobs among which the scenes are shared, as in a SLURM array."
    )
    shard_index: int = _field(0, "Which of the --num_shards jobs this is.")
    shard_megabytes: int = _field(150, "Size of a shard before compression.")
    compression: str = _field("", "Of the shards: GZIP, or empty for none.")
    verify: bool = _field(
        False, "Only check the dataset in --output_dir against its manifest."
    )

    def __post_init__(self) -> None:
        _require(bool(self.output_dir), "output_dir", "given", self.output_dir)
        if not self.verify:
            self._check_inputs()
        self._check_patches()
        self._check_ranges()
        self._check_sharing()

    def _check_inputs(self) -> None:
        if not (self.input or self.input_list or self.observation_ids):
            raise ValueError(
                "`input`, `input_list` or `observation_ids` must be given. "
                "Received: none of them"
            )
        wrong = [
            identity
            for identity in self.observation_ids
            if not hirise.is_observation_id(identity)
        ]
        _require(
            not wrong,
            "observation_ids",
            "like ESP_068294_1985",
            ",".join(wrong),
        )
        _require(
            bool(self.archive_root) or not self.observation_ids,
            "archive_root",
            "given with `observation_ids`",
            self.archive_root,
        )

    def _check_patches(self) -> None:
        is_whole = self.hr_size > 0 and self.hr_size % patches.SCALE == 0
        _require(is_whole, "hr_size", "a multiple of 4", self.hr_size)
        is_whole = self.stride >= 0 and self.stride % patches.SCALE == 0
        _require(is_whole, "stride", "a multiple of 4, or 0", self.stride)
        _require(self.band >= 0, "band", "at least 0", self.band)
        is_low = 0 <= self.min_contrast < 1
        _require(is_low, "min_contrast", "in [0, 1)", self.min_contrast)

    def _check_ranges(self) -> None:
        for name in ("blur_sigma", "noise_sigma"):
            value = getattr(self, name)
            is_range = len(value) in (1, 2) and 0 <= value[0] <= value[-1]
            text = ",".join(map(str, value))
            _require(is_range, name, "one value or LOW,HIGH, from 0 on", text)
        _require(self.variants >= 1, "variants", "at least 1", self.variants)
        fraction = self.validation_fraction
        is_part = 0 <= fraction < 1
        _require(is_part, "validation_fraction", "in [0, 1)", fraction)

    def _check_sharing(self) -> None:
        _require(self.workers >= 0, "workers", "at least 0", self.workers)
        _require(
            self.num_shards >= 1, "num_shards", "at least 1", self.num_shards
        )
        _require(
            0 <= self.shard_index < self.num_shards,
            "shard_index",
            "from 0 to `num_shards` - 1",
            self.shard_index,
        )
        _require(
            self.shard_megabytes >= 1,
            "shard_megabytes",
            "at least 1",
            self.shard_megabytes,
        )
        tfrecord.check_compression(self.compression)


def _require(is_right: bool, name: str, rule: str, value: Any) -> None:
    if not is_right:
        raise ValueError(f"`{name}` must be {rule}. Received: {name}={value}")
