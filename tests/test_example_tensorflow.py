"""TensorFlow reads what is written without it."""

import numpy as np
import pytest

from marsgan_tf.dataset import example, tfrecord

KINDS = {"bytes": "string", "int64": "int64", "float": "float32"}


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_tensorflow_parses_the_shard(tmp_path, compression):
    import tensorflow as tf

    pair = example.PatchPair(
        hr=np.arange(64, dtype=np.uint16).reshape(8, 8, 1),
        lr=np.arange(4, dtype=np.uint16).reshape(2, 2, 1),
        low=3.25,
        high=1020.5,
        observation_id="ESP_068294_1985",
        row=40_000,
        col=128,
        blur_sigma=1.5,
        noise_sigma=0.25,
    )
    path = str(tmp_path / "a.tfrecord")
    with tfrecord.open_writer(path, compression) as file:
        tfrecord.write_record(file, example.encode(pair))
    spec = {
        name: tf.io.FixedLenFeature(feature.shape, KINDS[feature.kind])
        for name, feature in example.FEATURES.items()
    }
    (record,) = tf.data.TFRecordDataset(path, compression).as_numpy_iterator()
    parsed = tf.io.parse_single_example(record, spec)
    hr = tf.reshape(tf.io.decode_raw(parsed["hr"], "uint16"), [8, 8, 1])
    np.testing.assert_array_equal(hr, pair.hr)
    np.testing.assert_array_equal(parsed["lr_shape"], [2, 2, 1])
    assert parsed["dtype"].numpy() == b"uint16"
    assert parsed["observation_id"].numpy() == b"ESP_068294_1985"
    for name in ("low", "high", "row", "col", "blur_sigma", "noise_sigma"):
        assert parsed[name].numpy() == getattr(pair, name)
    # The other way: what TensorFlow writes is read here, record by record.
    theirs = tf.train.Example.FromString(record).SerializeToString()
    with tf.io.TFRecordWriter(path, compression) as writer:
        writer.write(theirs)
    (decoded,) = example.read_pairs(path, compression)
    np.testing.assert_array_equal(decoded.hr, pair.hr)
