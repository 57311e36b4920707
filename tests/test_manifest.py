import dataclasses
import json
import os
import pathlib

import datasets
import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.dataset import example, manifest, tfrecord

SHARD = "train-00000-of-00001.tfrecord"


def write_dataset(directory, records=3):
    """A dataset of one shard."""
    path = directory / SHARD
    with tfrecord.open_writer(path) as file:
        for row in range(records):
            pair = example.PatchPair(
                hr=np.full((8, 8, 1), row, np.uint8),
                lr=np.full((2, 2, 1), row, np.uint8),
                low=0.0,
                high=255.0,
                observation_id="ESP_012383_1905",
                row=row,
                col=0,
                blur_sigma=1.6,
                noise_sigma=0.0,
            )
            tfrecord.write_record(file, example.encode(pair))
    made = manifest.Manifest(
        directory=str(directory),
        hr_size=8,
        scale=4,
        compression="",
        parameters={"seed": 1},
        train=(
            manifest.Shard(
                name=SHARD,
                records=records,
                bytes=os.path.getsize(path),
                sha256=manifest.hash_file(path),
            ),
        ),
        validation=(),
        sources=(
            manifest.Source(
                name="ESP_012383_1905_RED.JP2",
                bytes=10,
                sha256="0",
                observation_id="ESP_012383_1905",
                split="train",
                kept=records,
                rejected_no_data=1,
                rejected_contrast=2,
                low=0.0,
                high=255.0,
            ),
        ),
    )
    manifest.write(made)
    return made


def test_round_trip(tmp_path):
    made = write_dataset(tmp_path)
    assert manifest.load(str(tmp_path)) == made
    assert manifest.verify(str(tmp_path)) == made
    assert made.record_count("train") == 3
    assert made.record_count("validation") == 0
    assert made.shard_paths("train") == [str(tmp_path / SHARD)]
    assert str(tmp_path) not in (tmp_path / "manifest.json").read_text()
    assert sorted(os.listdir(tmp_path)) == ["manifest.json", SHARD]


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`split`.*'test'"):
        write_dataset(tmp_path).shard_paths("test")


def test_missing_folder_says_how_to_build(tmp_path):
    with pytest.raises(errors.DatasetError) as caught:
        manifest.load(str(tmp_path / "none"))
    assert "no such folder" in str(caught.value)
    assert "python -m pipelines.build_tfrecords --input=" in str(caught.value)
    assert "python -m pipelines.quickstart" in str(caught.value)


def test_missing_manifest_says_how_to_build(tmp_path):
    with pytest.raises(errors.DatasetError, match="manifest.json: missing.*-m"):
        manifest.load(str(tmp_path))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda body: body[:40], "malformed"),
        (lambda body: "[]", "malformed"),
        (lambda body: body.replace('"scale"', '"zoom"'), "malformed.*zoom"),
        (lambda body: body.replace('"sha256"', '"md5"'), "malformed.*md5"),
        (
            lambda body: body.replace(' "version": 1', ' "version": 9'),
            "another",
        ),
    ],
)
def test_unusable_manifest_is_named(tmp_path, edit, reason):
    write_dataset(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(edit(path.read_text()))
    with pytest.raises(errors.DatasetError, match=f"manifest.json: .*{reason}"):
        manifest.load(str(tmp_path))


def change_shard(directory, edit):
    path = directory / SHARD
    path.write_bytes(edit(path.read_bytes()))


def flip_middle(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def drop_last_record(data):
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda data: data[:-3], "record 2 is damaged .truncated"),
        (flip_middle, "record 1 is damaged .wrong checksum"),
        (drop_last_record, "records is 2, the manifest says 3"),
    ],
)
def test_verify_names_shard_and_record(tmp_path, edit, reason):
    write_dataset(tmp_path)
    change_shard(tmp_path, edit)
    with pytest.raises(errors.DatasetError, match=f"{SHARD}: {reason}"):
        manifest.verify(str(tmp_path))


def test_verify_misses_a_shard(tmp_path):
    write_dataset(tmp_path)
    os.remove(tmp_path / SHARD)
    with pytest.raises(errors.DatasetError, match=f"{SHARD}: missing"):
        manifest.verify(str(tmp_path))


def test_verify_tells_another_shard_of_equal_length(tmp_path):
    made = write_dataset(tmp_path)
    shard = dataclasses.replace(made.train[0], sha256="0" * 64)
    manifest.write(dataclasses.replace(made, train=(shard,)))
    with pytest.raises(errors.DatasetError, match=f"{SHARD}: sha256 is"):
        manifest.verify(str(tmp_path))


def test_verify_checks_the_promised_size(tmp_path):
    made = write_dataset(tmp_path)
    manifest.write(dataclasses.replace(made, hr_size=16))
    with pytest.raises(errors.CorruptRecordError, match="record 0.*8, 8, 1"):
        manifest.verify(str(tmp_path))


def _put_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: None, ""),
        (lambda path: path.unlink(), "No such file"),
        (_put_folder, "Is a directory"),
        (lambda path: path.write_bytes(b""), "bytes is 0, the manifest says"),
        (lambda path: path.write_bytes(b"a" * 99), "bytes is 99, the manifest"),
    ],
)
@pytest.mark.parametrize("split", manifest.SPLITS)
def test_shards_are_held_to_what_can_be_seen_at_once(
    tmp_path, change, reason, split
):
    made = datasets.write_dataset(tmp_path, train=(1,), validation=(1,))
    path = pathlib.Path(made.shard_paths(split)[-1])
    change(path)
    if not reason:
        manifest.require_shards(made)
        return
    with pytest.raises(errors.DatasetError, match=f"{path}: {reason}"):
        manifest.require_shards(made)


def test_manifest_is_plain_json(tmp_path):
    write_dataset(tmp_path)
    body = json.loads((tmp_path / "manifest.json").read_text())
    assert body["version"] == manifest.VERSION
    assert body["train"][0]["name"] == SHARD


@pytest.mark.parametrize(
    "name", ["../a", "/etc/hostname", "a/b", "a\\b", "..", ".", "", "a\0", 5]
)
def test_shards_lie_in_the_folder(tmp_path, name):
    write_dataset(tmp_path)
    path = tmp_path / manifest.FILE_NAME
    body = json.loads(path.read_text())
    body["train"][0]["name"] = name
    path.write_text(json.dumps(body))
    with pytest.raises(errors.DatasetError, match="malformed"):
        manifest.load(str(tmp_path))


@pytest.mark.parametrize(
    "field, value",
    [
        ("hr_size", "8"),
        ("hr_size", 0),
        ("scale", None),
        ("parameters", []),
        ("compression", 1),
        ("train", {"a": 1}),
        ("sources", [{"name": "a"}]),
    ],
)
def test_fields_have_their_types(tmp_path, field, value):
    write_dataset(tmp_path)
    path = tmp_path / manifest.FILE_NAME
    body = {**json.loads(path.read_text()), field: value}
    path.write_text(json.dumps(body))
    with pytest.raises(errors.DatasetError, match="malformed"):
        manifest.load(str(tmp_path))


def test_nesting_without_end_is_refused(tmp_path):
    write_dataset(tmp_path)
    (tmp_path / manifest.FILE_NAME).write_text("[" * 100000)
    with pytest.raises(errors.DatasetError, match="malformed"):
        manifest.load(str(tmp_path))
