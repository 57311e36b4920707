"""Parts to shards: all records of a split in one order that a seed shuffles.

So every shard holds pairs of many scenes, and its bytes depend on nothing but
the parts and the seed. A shard is made in memory of about its own size.
"""

import dataclasses
import hashlib
import os
from collections.abc import Sequence

import numpy as np

from marsgan_tf import errors, staging
from marsgan_tf.dataset import manifest, tfrecord
from pipelines import parts


@dataclasses.dataclass(frozen=True, eq=False)
class ShardUnit:
    """The work of writing one shard.

    Attributes:
        path: The shard.
        compression: "" or "GZIP".
        part_paths: Records files of the parts.
        part: `(records,)` index of each record's part, in the shard's order.
        offset: `(records,)` where it starts in the part, bytes.
        length: `(records,)` its size, bytes.
    """

    path: str
    compression: str
    part_paths: tuple[str, ...]
    part: np.ndarray
    offset: np.ndarray
    length: np.ndarray

    def __str__(self) -> str:
        return self.path


def plan(
    units: Sequence[parts.Unit],
    *,
    split: str,
    output_dir: str,
    seed: int,
    shard_bytes: int,
    compression: str,
) -> list[ShardUnit]:
    """Distributes the records of a split over shards.

    Args:
        units: All parts, complete; those of other splits are passed over.
        split: "train" or "validation".
        output_dir: Where the shards go.
        seed: Of the order.
        shard_bytes: About how large a shard gets, before compression.
        compression: "" or "GZIP".

    Returns:
        One unit a shard; none if the split has no record.
    """
    chosen = [unit for unit in units if unit.split == split]
    lengths = [parts.load_lengths(unit) for unit in chosen]
    if not sum(map(len, lengths)):
        return []
    length = np.concatenate(lengths)
    part = np.repeat(np.arange(len(chosen)), [len(each) for each in lengths])
    offset = np.concatenate([np.cumsum(each) - each for each in lengths])
    order = np.random.default_rng((seed, manifest.SPLITS.index(split)))
    shuffled = order.permutation(len(length))
    count = min(len(length), max(1, round(int(length.sum()) / shard_bytes)))
    return [
        ShardUnit(
            os.path.join(
                output_dir, f"{split}-{index:05d}-of-{count:05d}.tfrecord"
            ),
            compression,
            tuple(unit.records_path for unit in chosen),
            part[records],
            offset[records],
            length[records],
        )
        for index, records in enumerate(np.array_split(shuffled, count))
    ]


def write(unit: ShardUnit) -> manifest.Shard:
    """Writes one shard from the parts.

    Raises:
        DatasetError: If a part is shorter than it was when it was complete.
    """
    records = _read(unit)
    with (
        # Among the parts, so that what a killed job leaves goes with them.
        staging.staged(unit.path, os.path.dirname(unit.part_paths[0])) as path,
        tfrecord.open_writer(path, unit.compression) as file,
    ):
        for record in records:
            file.write(record)
    with open(unit.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return manifest.Shard(
        name=os.path.basename(unit.path),
        records=len(records),
        bytes=os.path.getsize(unit.path),
        sha256=digest,
    )


def _read(unit: ShardUnit) -> list[bytes]:
    """The records in the shard's order, read in the order of the disk."""
    records = [b""] * len(unit.part)
    by_place = np.lexsort((unit.offset, unit.part))
    for part in np.unique(unit.part):
        with open(unit.part_paths[part], "rb") as file:
            for index in by_place[unit.part[by_place] == part]:
                file.seek(unit.offset[index])
                records[index] = file.read(unit.length[index])
    lengths = np.array([len(record) for record in records])
    if (lengths != unit.length).any():
        index = int(np.flatnonzero(lengths != unit.length)[0])
        raise errors.DatasetError(
            f"{unit.part_paths[unit.part[index]]}: changed while it was read: "
            "run the command again"
        )
    return records
