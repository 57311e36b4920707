import dataclasses

import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.dataset import example, tfrecord


def make_pair(dtype="uint16", **changes):
    rng = np.random.default_rng(0)
    fields = {
        "hr": (rng.random((8, 12, 1)) * 200).astype(dtype),
        "lr": (rng.random((2, 3, 1)) * 200).astype(dtype),
        "low": 3.25,
        "high": 1020.5,
        "observation_id": "ESP_068294_1985",
        "row": 40_000,
        "col": 128,
        "blur_sigma": 1.625,
        "noise_sigma": 0.0,
    }
    return example.PatchPair(**{**fields, **changes})


@pytest.mark.parametrize("dtype", example.DTYPES)
def test_round_trip(dtype):
    pair = make_pair(dtype)
    decoded = example.decode(example.encode(pair))
    for field in dataclasses.fields(pair):
        expected = getattr(pair, field.name)
        np.testing.assert_array_equal(getattr(decoded, field.name), expected)
    assert decoded.hr.dtype == decoded.lr.dtype == np.dtype(dtype)


def test_bytes_depend_on_the_values_alone():
    assert example.encode(make_pair()) == example.encode(make_pair())


def test_big_endian_pixels_are_stored_little_endian():
    pair = make_pair()
    swapped = make_pair(hr=pair.hr.astype(">u2"), lr=pair.lr.astype(">u2"))
    assert example.encode(swapped) == example.encode(pair)


def test_every_feature_of_the_pair_is_declared():
    names = {field.name for field in dataclasses.fields(example.PatchPair)}
    assert set(example.FEATURES) == names | {"hr_shape", "lr_shape", "dtype"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hr": np.zeros((8, 8), np.uint16)}, r"`hr` must be.*\(8, 8\)"),
        ({"lr": np.zeros((2, 2, 1), np.uint8)}, "`lr`.*uint8"),
        (
            {
                "hr": np.zeros((8, 8, 1)),
                "lr": np.zeros((2, 2, 1)),
            },
            "`hr`.*float64",
        ),
    ],
)
def test_error_names_argument_and_value(changes, message):
    with pytest.raises(ValueError, match=message):
        example.encode(make_pair(**changes))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"\xff\xff\xff", "not a tf.train.Example"),
        (b"", "feature `hr` is missing"),
        (
            example.encode(make_pair()).replace(
                b"\x08\x0c\x01", b"\x08\x0d\x01"
            ),
            "feature `hr` has 192 bytes for shape",
        ),
        (
            example.encode(make_pair()).replace(b"uint16", b"uint64"),
            "`dtype` is 'uint64'",
        ),
    ],
)
def test_wrong_payload_is_told(payload, message):
    with pytest.raises(errors.DatasetError, match=message):
        example.decode(payload)


def test_undecodable_record_is_named(tmp_path):
    with tfrecord.open_writer(tmp_path / "a") as file:
        tfrecord.write_record(file, example.encode(make_pair()))
        tfrecord.write_record(file, b"")
    with pytest.raises(
        errors.CorruptRecordError, match="a: record 1 is .*`hr`"
    ):
        list(example.read_pairs(str(tmp_path / "a")))


@pytest.mark.parametrize("side", [-1, 0, -8])
def test_sides_that_numpy_would_fill_in_are_refused(side):
    message = example._Example()
    message.ParseFromString(example.encode(make_pair()))
    message.features.feature["hr_shape"].int64_list.value[0] = side
    with pytest.raises(errors.DatasetError, match="hr_shape"):
        example.decode(message.SerializeToString())


@pytest.mark.parametrize(
    "low, high", [(5.0, 5.0), (6.0, 5.0), (float("nan"), 1.0), (0.0, 1e39)]
)
def test_a_stretch_that_is_no_range_is_refused(low, high):
    message = example._Example()
    message.ParseFromString(example.encode(make_pair()))
    message.features.feature["low"].float_list.value[0] = low
    high = float(np.float32(min(high, 3e38))) if high < 1e38 else float("inf")
    message.features.feature["high"].float_list.value[0] = high
    with pytest.raises(errors.DatasetError, match="stretch"):
        example.decode(message.SerializeToString())
