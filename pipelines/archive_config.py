"""Settings of archive runs; importing them loads nothing heavy."""

import dataclasses
from typing import Any

from marsgan_tf.config import RestorationConfig, option, require
from pipelines.pool_config import PoolConfig

# They change how fast the pixels come, or where from, not the pixels.
_INDIFFERENT = frozenset({"model", "threads", "patience_s"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchiveConfig(RestorationConfig, PoolConfig):
    """What `python -m pipelines.predict_archive` can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    inputs: str = option("", "File with the path or glob of an image a line.")
    output_dir: str = option(
        "", "Folder of the results, NAME_sr.tif each, and of ledger.jsonl."
    )
    workers: int = option(
        1,
        "Processes or jobs, each with the model in its memory; processes of "
        "one machine share --threads, or all cores.",
    )
    gpu_workers: bool = option(
        False,
        "With --pool=dask or slurm: restore where a worker offers the resource "
        "GPU, one scene at a time each.",
    )
    retry_failed: bool = option(
        False, "Try the scenes again that the ledger says have failed."
    )

    def __post_init__(self) -> None:
        RestorationConfig.__post_init__(self)
        PoolConfig.__post_init__(self)
        require("inputs", self.inputs, bool(self.inputs), "given")
        require("output_dir", self.output_dir, bool(self.output_dir), "given")
        require(
            "gpu_workers",
            self.gpu_workers,
            not self.gpu_workers or self.pool != "local",
            "off with --pool=local",
        )
        require("workers", self.workers, self.workers >= 1, "at least 1")

    def chosen(self) -> dict[str, Any]:
        """Settings that the pixels depend on and that are not the default.

        Returns:
            Name to what JSON can hold and gives back the same.
        """
        found = {
            field.name: (getattr(self, field.name), field.default)
            for field in dataclasses.fields(RestorationConfig)
            if field.name not in _INDIFFERENT
        }
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, (value, default) in found.items()
            if value != default
        }
