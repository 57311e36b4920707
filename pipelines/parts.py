"""The pairs of one scene in files of their own, until all scenes are done.

A part is complete when its JSON file is there, which is renamed into place
last: a build that was killed goes on with the scenes that lack one.
"""

import collections
import dataclasses
import io
import json
import os
import tempfile
from typing import BinaryIO

import numpy as np

from marsgan_tf import errors, staging
from marsgan_tf.dataset import example, manifest, tfrecord
from pipelines import cutting, decoding
from pipelines.patches import Verdict

_LENGTH_DTYPE = np.dtype("<u4")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """The work of making one part.

    Attributes:
        path: The image.
        observation_id: What it is named.
        split: "train" or "validation".
        band: The band to use, from 1; 0 for grey from one or three bands.
        nodata: DN that mean no data, besides the image's own.
        recipe: How to cut it.
        stem: Path of the part's files, without their extension.
    """

    path: str
    observation_id: str
    split: str
    band: int
    nodata: tuple[float, ...]
    recipe: cutting.Recipe
    stem: str

    def __str__(self) -> str:
        return self.path

    @property
    def records_path(self) -> str:
        """The records, framed as in a shard."""
        return f"{self.stem}.tfrecord"

    @property
    def lengths_path(self) -> str:
        """Each record's size in `records_path`, little-endian uint32."""
        return f"{self.stem}.lengths"

    @property
    def source_path(self) -> str:
        """The scene's entry of the manifest, as JSON."""
        return f"{self.stem}.json"


def build(unit: Unit) -> manifest.Source:
    """Makes a part, in place of what may be there of it.

    Returns:
        The scene's entry of the manifest.

    Raises:
        MarsganError: If the scene cannot be used; the message names it.
    """
    try:
        with (
            tempfile.TemporaryFile(dir=os.path.dirname(unit.stem)) as scratch,
            staging.staged(unit.records_path) as path,
            tfrecord.open_writer(path) as records,
        ):
            source, lengths = _write_records(unit, scratch, records)
    except MemoryError:
        raise errors.DatasetError(
            f"{unit.path}: the memory does not suffice to decode it: use fewer "
            "--workers, or convert it to a tiled GeoTIFF"
        ) from None
    with staging.staged(unit.lengths_path) as path:
        np.array(lengths, _LENGTH_DTYPE).tofile(path)
    with (
        staging.staged(unit.source_path) as path,
        open(path, "w", encoding="utf-8") as file,
    ):
        json.dump(dataclasses.asdict(source), file)
    return source


def load(unit: Unit) -> manifest.Source | None:
    """What `build` returned, if the part is complete; else None."""
    try:
        with open(unit.source_path, encoding="utf-8") as file:
            source = manifest.Source(**json.load(file))
        is_whole = os.path.getsize(unit.records_path) == int(
            load_lengths(unit).sum()
        )
    except FileNotFoundError:
        return None
    return source if is_whole else None


def load_lengths(unit: Unit) -> np.ndarray:
    """`(records,)` int64: each record's size in the part's file, bytes."""
    return np.fromfile(unit.lengths_path, _LENGTH_DTYPE).astype(np.int64)


def _write_records(
    unit: Unit, scratch: BinaryIO, records: io.BufferedIOBase
) -> tuple[manifest.Source, list[int]]:
    """Writes the pairs; returns the scene's entry and the records' sizes."""
    scene = decoding.decode(
        unit.path, scratch, band=unit.band, nodata=unit.nodata
    )
    verdicts: collections.Counter[Verdict] = collections.Counter()
    lengths = []
    for verdict, pairs in cutting.windows(
        scene, unit.observation_id, unit.recipe
    ):
        verdicts[verdict] += 1
        for payload in map(example.encode, pairs):
            tfrecord.write_record(records, payload)
            lengths.append(tfrecord.record_bytes(len(payload)))
    source = manifest.Source(
        name=os.path.basename(unit.path),
        bytes=os.path.getsize(unit.path),
        sha256=manifest.hash_file(unit.path),
        observation_id=unit.observation_id,
        split=unit.split,
        kept=len(lengths),
        rejected_no_data=verdicts[Verdict.NO_DATA],
        rejected_contrast=verdicts[Verdict.LOW_CONTRAST],
        low=scene.stretch.low,
        high=scene.stretch.high,
        scaling_factor=scene.label.scaling_factor,
        offset=scene.label.offset,
    )
    return source, lengths
