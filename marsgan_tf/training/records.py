"""Batches of training pairs from TFRecord shards.

The order is a function of the seed and the position alone: position `p` of
the endless stream is the same pair, cut, turned and mirrored the same way,
in every run. A run that resumes at a step asks for the stream from there on.
TensorFlow mixes its global seed in, so a program sets `GLOBAL_SEED` first.

Workers share the stream pair by pair, not file by file: what they take
together in a step is then the batch that one process would take, whatever
their number, and a run goes on with more or fewer of them. The price is that
each reads all shards and drops, unparsed, what is not its own; it parses,
cuts and turns its own part alone, which is most of the work.
"""

import numpy as np
import tensorflow as tf

from marsgan_tf.dataset import example

# The one that TensorFlow takes where none is set. Never 0: with a tensor for
# its own seed, `shuffle` then fails.
GLOBAL_SEED = 87654321

_SHUFFLE_BUFFER = 2048
_FILES_AT_ONCE = 8
_RECORDS_PER_SHARD = 2**32  # `record` = shard * 2**32 + number within it.
SCALE = 4  # High over low resolution of every pair.


def training_batches(
    manifest,
    *,
    hr_size,
    batch_size,
    seed,
    start=0,
    augment=True,
    pipeline=0,
    pipelines=1,
):
    """Endless batches of the train split, in an order that repeats exactly.

    Args:
        manifest: The dataset's `Manifest`.
        hr_size: Sides of the high-resolution patches, px; larger records are
            cut at random.
        batch_size: Pairs in a batch of this pipeline.
        seed: Integer; equal seeds give equal batches.
        start: Pairs of the stream that went before, over all pipelines.
        augment: Whether to turn and mirror at random.
        pipeline: Number of this pipeline among `pipelines`, each of which
            takes every `pipelines`-th pair.
        pipelines: Pipelines that share the stream.

    Returns:
        A `tf.data.Dataset` of dicts: `hr` `(b, hr_size, hr_size, 1)` and `lr`
        `(b, hr_size / 4, hr_size / 4, 1)` float32, stretched to [0, 1];
        `degradation` `(b, 2)`: blur in HR px, noise in stretched units;
        `record` `(b,)` int64, for `record_name`.
    """
    stream = _endless(manifest, seed, start).shard(pipelines, pipeline)
    seeds = tf.data.Dataset.counter(start + pipeline, pipelines, tf.int64)

    def prepare(number, payload, position):
        key = tf.stack([tf.cast(seed, tf.int64), position])
        draws = tf.random.stateless_uniform([3], key)  # In [0, 1).
        pair = _random_crop(_parse(number, payload), hr_size, draws[:2])
        return _random_dihedral(pair, draws[2]) if augment else pair

    return (
        tf.data.Dataset.zip(stream, seeds)
        .map(
            lambda record, position: prepare(*record, position),
            tf.data.AUTOTUNE,
        )
        .batch(batch_size, drop_remainder=True)
        # Or several workers would ask one another at each step for an end.
        .apply(
            tf.data.experimental.assert_cardinality(
                tf.data.experimental.INFINITE_CARDINALITY
            )
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def validation_batches(manifest, *, hr_size, batch_size, pairs):
    """The first `pairs` pairs of the validation split, once, in order.

    Larger records are cut in their middle. The last batch may be smaller.
    Otherwise as `training_batches`.
    """
    return (
        _files(manifest, "validation")
        .flat_map(lambda path, file: _numbered(manifest, path, file))
        .take(pairs)
        .map(
            lambda number, payload: _centre_crop(
                _parse(number, payload), hr_size
            ),
            tf.data.AUTOTUNE,
        )
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def record_name(manifest, record):
    """Says which pair of the train split a batch's `record` is."""
    shard, number = divmod(int(record), _RECORDS_PER_SHARD)
    return f"{manifest.train[shard].name} record {number}"


def _files(manifest, split):
    paths = manifest.shard_paths(split)
    return tf.data.Dataset.from_tensor_slices(
        (np.array(paths), np.arange(len(paths), dtype=np.int64))
    )


def _numbered(manifest, path, file):
    records = tf.data.TFRecordDataset(path, manifest.compression)
    first = file * _RECORDS_PER_SHARD
    return records.enumerate().map(
        lambda number, payload: (first + number, payload)
    )


def _endless(manifest, seed, start):
    """Epoch after epoch of `(record, payload)`, from position `start` on."""

    def epoch(number):
        files = _files(manifest, "train")
        return (
            files.shuffle(len(manifest.train), seed=_mix(seed, 2 * number))
            .interleave(
                lambda path, file: _numbered(manifest, path, file),
                cycle_length=_FILES_AT_ONCE,
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .shuffle(_SHUFFLE_BUFFER, seed=_mix(seed, 2 * number + 1))
        )

    first, skipped = divmod(start, manifest.record_count("train"))
    counter = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
    return (
        counter.take(1)
        .flat_map(epoch)
        .skip(skipped)
        .concatenate(counter.skip(1).flat_map(epoch))
    )


def _mix(seed, number):
    """A seed for the `number`-th of many draws."""
    return tf.cast(seed, tf.int64) * 1_000_003 + tf.cast(number, tf.int64)


def _parse(record, payload):
    features = tf.io.parse_single_example(
        payload,
        {
            name: tf.io.FixedLenFeature(feature.shape, _TF_TYPES[feature.kind])
            for name, feature in example.FEATURES.items()
        },
    )
    low, high = features["low"], features["high"]

    def image(name):
        pixels = _decode(features[name], features["dtype"])
        pixels = tf.reshape(pixels, features[f"{name}_shape"])
        return (pixels - low) / (high - low)

    degradation = [features["blur_sigma"], features["noise_sigma"]]
    return {
        "hr": image("hr"),
        "lr": image("lr"),
        "degradation": tf.stack(degradation),
        "record": record,
    }


_TF_TYPES = {"bytes": tf.string, "int64": tf.int64, "float": tf.float32}


def _decode(raw, dtype):
    """Raw little-endian bytes of one of `example.DTYPES` to float32."""
    branches = [
        lambda name=name: tf.cast(
            tf.io.decode_raw(raw, tf.as_dtype(name)), tf.float32
        )
        for name in example.DTYPES
    ]
    matches = tf.cast(tf.equal(dtype, list(example.DTYPES)), tf.int32)
    return tf.switch_case(tf.argmax(matches, output_type=tf.int32), branches)


def _random_crop(pair, hr_size, draws):
    spare = _spare(pair, hr_size)
    corner = tf.cast(draws * tf.cast(spare + 1, tf.float32), tf.int32)
    return _crop(pair, hr_size, corner)


def _centre_crop(pair, hr_size):
    return _crop(pair, hr_size, _spare(pair, hr_size) // 2)


def _spare(pair, hr_size):
    """Rows and columns of the LR image that a crop leaves over."""
    return tf.shape(pair["lr"])[:2] - hr_size // SCALE


def _crop(pair, hr_size, corner):
    """Cuts both images; `corner` in LR px keeps them registered."""

    def cut(image, scale):
        side = hr_size // SCALE * scale
        begin = tf.concat([corner * scale, [0]], 0)
        return tf.ensure_shape(
            tf.slice(image, begin, [side, side, 1]), (side, side, 1)
        )

    return {**pair, "hr": cut(pair["hr"], SCALE), "lr": cut(pair["lr"], 1)}


def _random_dihedral(pair, draw):
    """Applies one of the 8 square symmetries to both images."""
    symmetry = tf.cast(8 * draw, tf.int32)

    def transform(image):
        turned = tf.image.rot90(image, symmetry % 4)
        mirrored = tf.cond(
            symmetry < 4, lambda: turned, lambda: turned[:, ::-1]
        )
        return tf.ensure_shape(mirrored, image.shape)

    return {**pair, **{name: transform(pair[name]) for name in ("hr", "lr")}}
