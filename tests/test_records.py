import itertools
import re

import datasets
import numpy as np
import pytest

from marsgan_tf.dataset import example
from marsgan_tf.training import records

SEED = 3


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return datasets.write_dataset(tmp_path_factory.mktemp("pairs"))


def take(manifest, count, **options):
    settings = {"hr_size": 32, "batch_size": 4, "seed": SEED, **options}
    batches = records.training_batches(manifest, **settings)
    return [
        {name: value.numpy() for name, value in batch.items()}
        for batch in itertools.islice(batches, count)
    ]


def stored_pairs(manifest, split="train"):
    return {
        f"{path.rpartition('/')[2]} record {number}": pair
        for path in manifest.shard_paths(split)
        for number, pair in enumerate(
            example.read_pairs(path, manifest.compression)
        )
    }


def stretched(pair, image):
    pixels = np.float32(getattr(pair, image))
    return (pixels - pair.low) / (pair.high - pair.low)


def test_batches_hold_the_stretched_pairs(manifest):
    stored = stored_pairs(manifest)
    for batch in take(manifest, 3, augment=False):
        for index, record in enumerate(batch["record"]):
            pair = stored[records.record_name(manifest, record)]
            for image in ("hr", "lr"):
                np.testing.assert_allclose(
                    batch[image][index], stretched(pair, image), atol=1e-6
                )
            np.testing.assert_allclose(
                batch["degradation"][index], (datasets.BLUR_SIGMA, 0.0)
            )


def test_shapes_are_static(manifest):
    batches = records.training_batches(
        manifest, hr_size=16, batch_size=3, seed=0
    )
    shapes = {k: tuple(v.shape) for k, v in batches.element_spec.items()}
    assert shapes == {
        "hr": (3, 16, 16, 1),
        "lr": (3, 4, 4, 1),
        "degradation": (3, 2),
        "record": (3,),
    }


def test_every_epoch_holds_every_pair_once_in_another_order(manifest):
    count = manifest.record_count("train")
    batches = take(manifest, 3, batch_size=count)
    orders = [tuple(batch["record"]) for batch in batches]
    assert len(set(orders)) == 3
    assert {frozenset(order) for order in orders} == {frozenset(orders[0])}
    assert len(set(orders[0])) == count


def assert_same(one, other):
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_same_seed_same_batches(manifest):
    for one, other in zip(take(manifest, 6), take(manifest, 6), strict=True):
        assert_same(one, other)
    first, second = take(manifest, 1)[0], take(manifest, 1, seed=4)[0]
    assert np.any(first["record"] != second["record"])


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9])
def test_a_later_start_gives_the_rest_of_the_stream(manifest, steps):
    whole = take(manifest, steps + 4, hr_size=16)
    resumed = take(manifest, 4, start=4 * steps, hr_size=16)
    for one, other in zip(whole[steps:], resumed, strict=True):
        assert_same(one, other)


def test_pipelines_share_the_stream(manifest):
    whole = take(manifest, 4, batch_size=4)
    parts = [
        take(manifest, 4, batch_size=2, pipeline=k, pipelines=2)
        for k in range(2)
    ]
    for index, batch in enumerate(whole):
        merged = np.stack([part[index]["hr"] for part in parts], axis=1)
        np.testing.assert_array_equal(
            merged.reshape(batch["hr"].shape), batch["hr"]
        )


def symmetries(image):
    """The eight symmetries of a square, by NumPy."""
    for mirrored in (image, image[:, ::-1]):
        for turns in range(4):
            yield np.rot90(mirrored, turns)


def test_augmentation_is_one_of_eight_symmetries_of_both_images(manifest):
    stored = stored_pairs(manifest)
    seen = set()
    for batch in take(manifest, 40):
        for index, record in enumerate(batch["record"]):
            pair = stored[records.record_name(manifest, record)]
            matches = [
                {
                    number
                    for number, turned in enumerate(
                        symmetries(stretched(pair, image))
                    )
                    if np.allclose(turned, batch[image][index], atol=1e-6)
                }
                for image in ("hr", "lr")
            ]
            both = matches[0] & matches[1]
            assert len(both) == 1
            seen |= both
    assert seen == set(range(8))


def test_crops_stay_registered(manifest):
    stored = stored_pairs(manifest)
    corners = set()
    for batch in take(manifest, 10, hr_size=16, augment=False):
        for index, record in enumerate(batch["record"]):
            pair = stored[records.record_name(manifest, record)]
            hr, lr = stretched(pair, "hr"), stretched(pair, "lr")
            found = [
                (row, col)
                for row, col in itertools.product(range(5), repeat=2)
                if np.allclose(
                    lr[row : row + 4, col : col + 4],
                    batch["lr"][index],
                    atol=1e-6,
                )
            ]
            assert len(found) == 1
            row, col = (4 * corner for corner in found[0])
            np.testing.assert_allclose(
                hr[row : row + 16, col : col + 16],
                batch["hr"][index],
                atol=1e-6,
            )
            corners.add(found[0])
    assert len(corners) > 15


def test_validation_comes_once_in_order(manifest):
    batches = records.validation_batches(
        manifest, hr_size=32, batch_size=3, pairs=100
    )
    images = np.concatenate([batch["hr"] for batch in batches])
    stored = stored_pairs(manifest, "validation").values()
    expected = [stretched(pair, "hr") for pair in stored]
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_validation_can_be_cut_short(manifest):
    batches = records.validation_batches(
        manifest, hr_size=16, batch_size=2, pairs=3
    )
    assert [batch["hr"].shape for batch in batches] == [
        (2, 16, 16, 1),
        (1, 16, 16, 1),
    ]


def test_gzip_shards_read_the_same(manifest, tmp_path):
    packed = datasets.write_dataset(tmp_path, compression="GZIP")
    for one, other in zip(take(manifest, 2), take(packed, 2), strict=True):
        assert_same(one, other)


def test_record_name(manifest):
    names = {
        records.record_name(manifest, record)
        for batch in take(manifest, 6)
        for record in batch["record"]
    }
    assert all(
        re.fullmatch(r"train-0000\d-of-00002\.tfrecord record \d", name)
        for name in names
    )
    assert names == set(stored_pairs(manifest))
