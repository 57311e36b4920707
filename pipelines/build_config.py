"""Settings of the dataset builder; importing them loads nothing heavy."""

import dataclasses

from marsgan_tf.config import option, require
from marsgan_tf.dataset import tfrecord
from pipelines import hirise, patches
from pipelines.pool_config import PoolConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildConfig(PoolConfig):
    """What `python -m pipelines.build_tfrecords` can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    input: tuple[str, ...] = option(
        (), "Images: one or more globs, comma-separated; `**` enters folders."
    )
    input_list: str = option("", "A text file of image paths, one a line.")
    observation_ids: tuple[str, ...] = option(
        (), "HiRISE observations whose RED products lie below --archive_root."
    )
    observation_list: str = option(
        "", "A text file of such observations, one a line."
    )
    archive_root: str = option(
        "", "Copy of the HiRISE PDS archive: the folder that holds RDR."
    )
    output_dir: str = option("", "The dataset's folder.")
    hr_size: int = option(
        128, "Side of the high-resolution patches, px; a multiple of 4."
    )
    stride: int = option(
        0, "Step between patches, px; 0 is --hr_size: no overlap."
    )
    band: int = option(
        0, "The band to use, from 1; 0 makes three bands grey by their luma."
    )
    min_contrast: float = option(
        0.02,
        "Least standard deviation of a patch, in units of its scene's range.",
    )
    blur_sigma: tuple[float, ...] = option(
        (1.6,),
        "Gaussian between high and low resolution, high-resolution px; "
        "LOW,HIGH draws from a range.",
    )
    noise_sigma: tuple[float, ...] = option(
        (0.0,),
        "White noise on the low resolution, in units of the scene's range; "
        "LOW,HIGH draws from a range.",
    )
    pattern_sigma: tuple[float, ...] = option(
        (0.0,),
        "Offsets that rows and columns of the low resolution have in common, "
        "in units of the scene's range; LOW,HIGH draws from a range.",
    )
    defect_rate: tuple[float, ...] = option(
        (0.0,),
        "Share of dead and hot pixels in the low resolution; LOW,HIGH draws "
        "from a range.",
    )
    variants: int = option(
        1, "Degradations of each scene, each drawn from the ranges."
    )
    least_pairs: int = option(
        0,
        "Draw more degradations of a scene that has fewer pairs than these, "
        "so that large scenes do not drown small ones.",
    )
    validation_fraction: float = option(
        0.05, "Part of the scenes' area that is kept for validation."
    )
    validation_ids: tuple[str, ...] = option(
        (), "Observations that are kept for validation in any case."
    )
    exclude_ids: tuple[str, ...] = option(
        hirise.PAPER_VALIDATION_IDS,
        "Observations that are not used; by default the paper's test sites.",
    )
    nodata: tuple[float, ...] = option(
        (),
        "More DN that mean no data, besides the files' own; 0 for pictures "
        "with black margins.",
    )
    seed: int = option(0, "Of the split, the degradations and the order.")
    workers: int = option(
        0,
        "Processes; 0 is one a core. Each needs about 0.6 GiB of memory and, "
        "on the disk of --output_dir, its scene uncompressed.",
    )
    num_shards: int = option(
        1, "Jobs among which the scenes are shared, as in a SLURM array."
    )
    shard_index: int = option(0, "Which of the --num_shards jobs this is.")
    shard_megabytes: int = option(150, "Size of a shard before compression.")
    compression: str = option("", "Of the shards: GZIP, or empty for none.")
    verify: bool = option(
        False, "Only check the dataset in --output_dir against its manifest."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require("output_dir", self.output_dir, bool(self.output_dir), "given")
        if not self.verify:
            self._check_inputs()
        self._check_patches()
        self._check_ranges()
        self._check_sharing()

    def _check_inputs(self) -> None:
        if not (self.input or self.input_list or self._has_observations()):
            raise ValueError(
                "`input`, `input_list`, `observation_ids` or "
                "`observation_list` must be given. Received: none of them"
            )
        wrong = [
            identity
            for identity in self.observation_ids
            if not hirise.is_observation_id(identity)
        ]
        require(
            "observation_ids",
            ",".join(wrong),
            not wrong,
            "like ESP_068294_1985",
        )
        require(
            "archive_root",
            self.archive_root,
            bool(self.archive_root) or not self._has_observations(),
            "given with observations",
        )

    def _has_observations(self) -> bool:
        return bool(self.observation_ids or self.observation_list)

    def _check_patches(self) -> None:
        for name, least in (("hr_size", patches.SCALE), ("stride", 0)):
            value = getattr(self, name)
            is_whole = value >= least and value % patches.SCALE == 0
            require(name, value, is_whole, f"a multiple of 4, from {least} on")
        require("band", self.band, self.band >= 0, "at least 0")
        is_low = 0 <= self.min_contrast < 1
        require("min_contrast", self.min_contrast, is_low, "in [0, 1)")

    def _check_ranges(self) -> None:
        for name in _RANGES:
            value = getattr(self, name)
            is_range = len(value) in (1, 2) and 0 <= value[0] <= value[-1]
            text = ",".join(map(str, value))
            require(name, text, is_range, "one value or LOW,HIGH, from 0 on")
        rate = self.defect_rate[-1]
        require("defect_rate", rate, rate <= 1, "at most 1")
        require("variants", self.variants, self.variants >= 1, "at least 1")
        least = self.least_pairs
        require("least_pairs", least, least >= 0, "at least 0")
        fraction = self.validation_fraction
        require("validation_fraction", fraction, 0 <= fraction < 1, "in [0, 1)")

    def _check_sharing(self) -> None:
        require("workers", self.workers, self.workers >= 0, "at least 0")
        for name in ("num_shards", "shard_megabytes"):
            value = getattr(self, name)
            require(name, value, value >= 1, "at least 1")
        require(
            "shard_index",
            self.shard_index,
            0 <= self.shard_index < self.num_shards,
            "from 0 to `num_shards` - 1",
        )
        tfrecord.check_compression(self.compression)


_RANGES = ("blur_sigma", "noise_sigma", "pattern_sigma", "defect_rate")
