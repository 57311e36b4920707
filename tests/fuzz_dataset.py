"""Damaged data sets: their shards, and the manifest that names these."""

import dataclasses
import json

import datasets
import fuzz_mutations
import fuzz_texts
import numpy as np

from marsgan_tf.dataset import example, manifest, tfrecord


def prepare_shards(folder):
    made = []
    for compression in ("", "GZIP"):
        named = folder / f"set{compression}"
        datasets.write_dataset(
            named, train=(3,), validation=(1,), compression=compression
        )
        shard = next(named.glob("train-*"))
        made.append((compression, shard.read_bytes()))
    whole = list(example.read_pairs(str(next(folder.glob("set/train-*")))))
    return made, [example.encode(pair) for pair in whole]


def read_shard(state, work, random):
    shards, payloads = state
    path = work / "a.tfrecord"
    if random.integers(2):
        compression, data = shards[random.integers(len(shards))]
        path.write_bytes(fuzz_mutations.damage(data, random))
        found = list(example.read_pairs(str(path), compression))
        found = [example.encode(pair) for pair in found]
        # Every byte of a record is under a checksum: all is as it was.
        assert all(one in payloads for one in found)
        return
    payload = payloads[random.integers(len(payloads))]
    payload = fuzz_mutations.damage(payload, random)
    length = int(fuzz_mutations.ODD_VALUES[5]) if payload == b"" else None
    with tfrecord.open_writer(str(path)) as file:
        if length or random.integers(8) == 0:
            header = (2 ** int(random.integers(20, 64))).to_bytes(9, "little")[
                :8
            ]
            crc = tfrecord.masked_crc(header).to_bytes(4, "little")
            file.write(header + crc + payload)
        else:
            tfrecord.write_record(file, payload)
    for pair in example.read_pairs(str(path)):
        for patch in (pair.hr, pair.lr):
            assert patch.ndim == 3 and patch.size
        assert np.isfinite([pair.low, pair.high]).all()


def prepare_manifest(folder):
    datasets.write_dataset(folder / "set", train=(1,), validation=(1,))
    path = folder / "set" / manifest.FILE_NAME
    tree = json.loads(path.read_text())
    tree["sources"] = [
        dataclasses.asdict(
            manifest.Source(
                name="a.tif",
                bytes=5,
                sha256="0",
                observation_id="a",
                split="train",
                kept=1,
                rejected_no_data=0,
                rejected_contrast=0,
                low=0.0,
                high=1.0,
            )
        )
    ]
    return json.dumps(tree), folder / "set"


def read_manifest(state, work, random):
    text, whole = state
    for shard in whole.glob("*.tfrecord"):
        (work / shard.name).symlink_to(shard)
    (work / manifest.FILE_NAME).write_bytes(fuzz_texts.damaged(text, random))
    found = manifest.verify(str(work))
    for split in manifest.SPLITS:
        for path in found.shard_paths(split):
            assert path.startswith(f"{work}/") and ".." not in path
        assert found.record_count(split) >= 0
