import collections
import os

import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.dataset import manifest, tfrecord
from pipelines import cutting, parts, shards

RECIPE = cutting.Recipe(
    hr_size=32,
    stride=32,
    min_contrast=0.02,
    blur_sigma=(1.6, 1.6),
    noise_sigma=(0.0, 0.0),
    variants=1,
    seed=0,
)


def write_part(folder, name, payloads, split="train"):
    """A part's files without a scene."""
    unit = parts.Unit(
        path=name,
        observation_id=name,
        split=split,
        band=0,
        nodata=(),
        recipe=RECIPE,
        stem=str(folder / name),
    )
    with tfrecord.open_writer(unit.records_path) as file:
        for payload in payloads:
            tfrecord.write_record(file, payload)
    sizes = [tfrecord.record_bytes(len(payload)) for payload in payloads]
    np.array(sizes, "<u4").tofile(unit.lengths_path)
    return unit


@pytest.fixture
def units(tmp_path):
    """Three parts of 60, 0 and 40 records of about 1 kB; one to validate."""
    rng = np.random.default_rng(0)

    def payloads(name, count):
        return [
            f"{name}{index:03d}".encode() + rng.bytes(rng.integers(900, 1100))
            for index in range(count)
        ]

    return [
        write_part(tmp_path, "a", payloads("a", 60)),
        write_part(tmp_path, "b", []),
        write_part(tmp_path, "c", payloads("c", 40)),
        write_part(tmp_path, "d", payloads("d", 7), split="validation"),
    ]


def plan(units, folder, split="train", **changes):
    settings = {"seed": 0, "shard_bytes": 25_000, "compression": ""}
    return shards.plan(
        units, split=split, output_dir=str(folder), **{**settings, **changes}
    )


def write(units, folder, **changes):
    folder.mkdir()
    return [shards.write(unit) for unit in plan(units, folder, **changes)]


def read(folder, compression=""):
    return [
        list(tfrecord.read_records(folder / name, compression))
        for name in sorted(os.listdir(folder))
    ]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_every_record_is_in_one_shard(units, tmp_path, compression):
    written = write(units, tmp_path / "out", compression=compression)
    names = sorted(os.listdir(tmp_path / "out"))
    assert names == [f"train-0000{i}-of-00004.tfrecord" for i in range(4)]
    found = read(tmp_path / "out", compression)
    expected = [
        record
        for unit in units[:3]
        for record in tfrecord.read_records(unit.records_path)
    ]
    flat = [record for shard in found for record in shard]
    assert collections.Counter(flat) == collections.Counter(expected)
    for shard, records in zip(written, found, strict=True):
        path = tmp_path / "out" / shard.name
        assert shard.records == len(records) == 25
        assert shard.bytes == path.stat().st_size
        assert shard.sha256 == manifest.hash_file(path)


def test_every_shard_mixes_scenes(units, tmp_path):
    write(units, tmp_path / "out")
    for records in read(tmp_path / "out"):
        counts = collections.Counter(record[:1] for record in records)
        assert 9 <= counts[b"a"] <= 21  # 15 on average.


def test_order_depends_on_the_seed_alone(units, tmp_path):
    write(units, tmp_path / "first")
    write(units, tmp_path / "again")
    write(units, tmp_path / "other", seed=1)
    assert read(tmp_path / "first") == read(tmp_path / "again")
    assert read(tmp_path / "first") != read(tmp_path / "other")


def test_size_of_the_shards(units, tmp_path):
    assert len(plan(units, tmp_path, shard_bytes=10**9)) == 1
    assert len(plan(units, tmp_path, shard_bytes=1)) == 100
    assert len(plan(units, tmp_path, split="validation")) == 1
    assert plan(units[:3], tmp_path, split="validation") == []


def test_part_that_is_cut_off_is_not_complete(tmp_path):
    unit = write_part(tmp_path, "a", [b"payload"] * 3)
    (work,) = plan([unit], tmp_path)
    assert parts.load(unit) is None  # It has no JSON file.
    os.truncate(unit.records_path, 30)
    with pytest.raises(errors.DatasetError, match="a.tfrecord: changed"):
        shards.write(work)
