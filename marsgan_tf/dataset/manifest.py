"""The manifest of a dataset folder: what its shards hold and came from.

`manifest.json` is written last, so a folder that has one is complete.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from marsgan_tf import errors, field_types, staging
from marsgan_tf.dataset import example, tfrecord

FILE_NAME = "manifest.json"
VERSION = 1
SPLITS = ("train", "validation")
_REASON_CHARACTERS = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of records.

    Attributes:
        name: File name within the dataset folder.
        records: How many pairs it holds.
        bytes: Its size on disk.
        sha256: Of the file as it lies on disk, in hexadecimal.
    """

    name: str
    records: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        field_types.require(self)
        # A manifest may be a stranger's: it names nothing outside its folder.
        if self.name in ("", os.curdir, os.pardir) or set(self.name) & set(
            "/\\\0"
        ):
            raise ValueError(f"{self.name!r} is no name of a shard")
        if self.records < 0:
            raise ValueError(f"{self.name!r} of {self.records} records")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A scene that pairs were cut from.

    Attributes:
        name: File name, without its folder.
        bytes: Its size on disk.
        sha256: Of the file, in hexadecimal.
        observation_id: Such as `ESP_068294_1985`.
        split: "train" or "validation".
        kept: Pairs cut from it, all variants counted.
        rejected_no_data: Windows that touch pixels without data.
        rejected_contrast: Windows with too little contrast.
        low: DN that its stretch takes to 0.
        high: DN that it takes to 1.
        scaling_factor: I/F = DN * scaling_factor + offset, from its label;
            None where the label gives none.
        offset: See `scaling_factor`.
    """

    name: str
    bytes: int
    sha256: str
    observation_id: str
    split: str
    kept: int
    rejected_no_data: int
    rejected_contrast: int
    low: float
    high: float
    scaling_factor: float | None = None
    offset: float | None = None

    def __post_init__(self) -> None:
        field_types.require(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """A complete dataset.

    Attributes:
        directory: Its folder; not written to the file.
        hr_size: Side of the high-resolution patches, px.
        scale: High over low resolution.
        compression: Of the shards, "" or "GZIP".
        parameters: What the builder was told, by name.
        train: Shards to train on.
        validation: Shards of other observations, to validate on.
        sources: The scenes.
    """

    directory: str
    hr_size: int
    scale: int
    compression: str
    parameters: dict[str, Any]
    train: tuple[Shard, ...]
    validation: tuple[Shard, ...]
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        field_types.require(self)
        if min(self.hr_size, self.scale) < 1:
            raise ValueError(f"hr_size {self.hr_size}, scale {self.scale}")

    def shards(self, split: str) -> tuple[Shard, ...]:
        """Shards of "train" or "validation".

        Raises:
            ValueError: If `split` is neither.
        """
        if split not in SPLITS:
            raise ValueError(
                "`split` must be 'train' or 'validation'. "
                f"Received: split={split!r}"
            )
        return self.train if split == "train" else self.validation

    def shard_paths(self, split: str) -> list[str]:
        """Paths of the shards of a split, in order."""
        return [
            os.path.join(self.directory, shard.name)
            for shard in self.shards(split)
        ]

    def record_count(self, split: str) -> int:
        """Pairs of a split, over all its shards."""
        return sum(shard.records for shard in self.shards(split))

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        body = dataclasses.asdict(self)
        del body["directory"]
        return json.dumps({"version": VERSION, **body}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, directory: str) -> Self:
        """Parses `to_json`'s text.

        Raises:
            DatasetError: If it is malformed or of another version.
        """
        try:
            body = json.loads(text)
            version = body.pop("version")
            if version == VERSION:
                return cls(directory=directory, **_with_classes(body))
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ) as error:
            reason = " ".join(str(error).split())[:_REASON_CHARACTERS]
            raise errors.DatasetError(
                f"{os.path.join(directory, FILE_NAME)}: malformed ({reason}); "
                + _rebuild(directory)
            ) from None
        raise errors.DatasetError(
            f"{os.path.join(directory, FILE_NAME)}: written by another "
            f"version of the builder (format {version!r}, this one reads "
            f"{VERSION}); " + _rebuild(directory)
        )


def load(dataset_dir: str) -> Manifest:
    """Reads the manifest of a dataset folder.

    Raises:
        DatasetError: If the folder or the manifest is missing, malformed or
            of another version; the message says how to build a dataset.
    """
    path = os.path.join(dataset_dir, FILE_NAME)
    if not os.path.isdir(dataset_dir):
        raise errors.DatasetError(
            f"{dataset_dir!r}: no such folder; {_build(dataset_dir)}"
        )
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise errors.DatasetError(
            f"{path}: missing, so this is no complete dataset; "
            + _build(dataset_dir)
        ) from None
    except UnicodeDecodeError:
        text = ""
    return Manifest.from_json(text, dataset_dir)


def write(manifest: Manifest) -> None:
    """Writes `manifest.json` into the manifest's folder, in one step."""
    path = os.path.join(manifest.directory, FILE_NAME)
    with (
        staging.staged(path) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        file.write(manifest.to_json())


def require_shards(manifest: Manifest) -> None:
    """Holds shards against a manifest as far as no record need be read.

    Raises:
        DatasetError: If one is missing, closed to the user or of another size.
    """
    for split in SPLITS:
        for shard in manifest.shards(split):
            path = os.path.join(manifest.directory, shard.name)
            try:
                with open(path, "rb") as file:
                    size = os.fstat(file.fileno()).st_size
            except OSError as error:
                raise errors.DatasetError(
                    f"{path}: {error.strerror}; "
                    f"mend that, or {_rebuild(manifest.directory)}"
                ) from None
            _require_same(manifest, shard, {"bytes": size})


def verify(
    dataset_dir: str, on_shard: Callable[[Shard], None] | None = None
) -> Manifest:
    """Holds every shard of a dataset against its manifest.

    Every record is read and decoded, then the count, the size and the
    SHA-256 are compared. Memory does not grow with the dataset.

    Args:
        dataset_dir: The dataset folder.
        on_shard: Called after each shard, to show progress.

    Raises:
        DatasetError: At the first defect, named by shard and, where it is
            one record's, by record.
    """
    manifest = load(dataset_dir)
    for split in SPLITS:
        for shard in manifest.shards(split):
            _verify_shard(manifest, shard)
            if on_shard is not None:
                on_shard(shard)
    return manifest


def hash_file(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_shard(manifest: Manifest, shard: Shard) -> None:
    path = os.path.join(manifest.directory, shard.name)
    if not os.path.isfile(path):
        raise errors.DatasetError(
            f"{path}: missing; " + _rebuild(manifest.directory)
        )
    records = 0
    for number, pair in enumerate(
        example.read_pairs(path, manifest.compression)
    ):
        expected = (manifest.hr_size, manifest.hr_size, 1)
        if pair.hr.shape != expected:
            reason = f"a patch of {pair.hr.shape} where {expected} is promised"
            raise tfrecord.corrupt(path, number, reason)
        records += 1
    found = {
        "records": records,
        "bytes": os.path.getsize(path),
        "sha256": hash_file(path),
    }
    _require_same(manifest, shard, found)


def _require_same(
    manifest: Manifest, shard: Shard, found: Mapping[str, Any]
) -> None:
    path = os.path.join(manifest.directory, shard.name)
    for name, value in found.items():
        if value != getattr(shard, name):
            raise errors.DatasetError(
                f"{path}: {name} is {value}, the manifest says "
                f"{getattr(shard, name)}; " + _rebuild(manifest.directory)
            )


def _with_classes(body: dict[str, Any]) -> dict[str, Any]:
    """The keywords of `Manifest`, from parsed JSON."""
    keywords = dict(body)
    for split in SPLITS:
        keywords[split] = tuple(Shard(**entry) for entry in body[split])
    keywords["sources"] = tuple(Source(**entry) for entry in body["sources"])
    tfrecord.check_compression(keywords["compression"])
    return keywords


def _build(dataset_dir: str) -> str:
    return (
        "build one with `python -m pipelines.build_tfrecords --input=... "
        f"--output_dir={dataset_dir or '...'}`, or try generated terrain with "
        "`python -m pipelines.quickstart`"
    )


def _rebuild(dataset_dir: str) -> str:
    return "delete the folder, then " + _build(dataset_dir)
