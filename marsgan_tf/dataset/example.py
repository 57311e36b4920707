"""One training pair on the wire: a `tf.train.Example`, without TensorFlow.

Pixels are raw little-endian bytes in the source's own dtype; the scene's
stretch travels beside them and is applied when they are read for training.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
)

from marsgan_tf import errors
from marsgan_tf.dataset import tfrecord

DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclasses.dataclass(frozen=True)
class Feature:
    """What a feature of the example holds.

    Attributes:
        kind: "bytes", "int64" or "float" (32 bits).
        shape: () for one value, (3,) for three.
    """

    kind: str
    shape: tuple[int, ...] = ()


FEATURES: Mapping[str, Feature] = {
    "hr": Feature("bytes"),
    "lr": Feature("bytes"),
    "hr_shape": Feature("int64", (3,)),
    "lr_shape": Feature("int64", (3,)),
    "dtype": Feature("bytes"),
    "low": Feature("float"),
    "high": Feature("float"),
    "observation_id": Feature("bytes"),
    "row": Feature("int64"),
    "col": Feature("int64"),
    "blur_sigma": Feature("float"),
    "noise_sigma": Feature("float"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class PatchPair:
    """A high-resolution patch, its low-resolution twin and their origin.

    Attributes:
        hr: `(height, width, 1)` DN, one of `DTYPES`.
        lr: `(height / 4, width / 4, 1)` DN of the same dtype.
        low: DN that the scene's stretch takes to 0.
        high: DN that it takes to 1.
        observation_id: The scene, such as `ESP_068294_1985`.
        row: First row of `hr` in the scene, HR px.
        col: First column of `hr` in the scene, HR px.
        blur_sigma: Gaussian blur between `hr` and `lr`, HR px.
        noise_sigma: White noise on `lr`, in units of the stretched [0, 1].
    """

    hr: np.ndarray
    lr: np.ndarray
    low: float
    high: float
    observation_id: str
    row: int
    col: int
    blur_sigma: float
    noise_sigma: float


def encode(pair: PatchPair) -> bytes:
    """Serializes a pair; equal pairs give equal bytes.

    Raises:
        ValueError: If a patch is not `(height, width, 1)`, or the dtypes
            differ or are none of `DTYPES`.
    """
    _check_patch("hr", pair.hr, pair.hr.dtype)
    _check_patch("lr", pair.lr, pair.hr.dtype)
    values = {
        "hr": [_to_wire(pair.hr)],
        "lr": [_to_wire(pair.lr)],
        "hr_shape": pair.hr.shape,
        "lr_shape": pair.lr.shape,
        "dtype": [pair.hr.dtype.name.encode()],
        "low": [pair.low],
        "high": [pair.high],
        "observation_id": [pair.observation_id.encode()],
        "row": [pair.row],
        "col": [pair.col],
        "blur_sigma": [pair.blur_sigma],
        "noise_sigma": [pair.noise_sigma],
    }
    example = _Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        getattr(feature, f"{FEATURES[name].kind}_list").value.extend(value)
    return example.SerializeToString(deterministic=True)


def decode(payload: bytes) -> PatchPair:
    """Parses what `encode` made; the arrays are read-only views.

    Raises:
        DatasetError: If it is not an example, or lacks a feature, or a
            patch's bytes do not fill its shape, or the stretch is no range.
    """
    example = _Example()
    try:
        example.ParseFromString(payload)
    except message.DecodeError:
        raise errors.DatasetError("not a tf.train.Example") from None
    values = {name: _read_feature(example, name) for name in FEATURES}
    dtype = values.pop("dtype").decode(errors="replace")
    if dtype not in DTYPES:
        raise errors.DatasetError(f"feature `dtype` is {dtype!r}")
    for name in ("hr", "lr"):
        shape = values.pop(f"{name}_shape")
        values[name] = _from_wire(name, values[name], shape, dtype)
    if not -np.inf < values["low"] < values["high"] < np.inf:
        raise errors.DatasetError(
            f"its stretch is {values['low']:g} to {values['high']:g}"
        )
    identity = values.pop("observation_id").decode(errors="replace")
    return PatchPair(observation_id=identity, **values)


def read_pairs(path: str, compression: str = "") -> Iterator[PatchPair]:
    """Yields the pairs of a shard in order, each checked.

    Raises:
        CorruptRecordError: At the first record that cannot be read or
            decoded; the message names the file and the record.
    """
    records = tfrecord.read_records(path, compression)
    for number, payload in enumerate(records):
        try:
            pair = decode(payload)
        except errors.DatasetError as error:
            raise tfrecord.corrupt(path, number, str(error)) from None
        yield pair


def _check_patch(name: str, patch: np.ndarray, dtype: np.dtype) -> None:
    if patch.ndim != 3 or patch.shape[2] != 1:
        raise ValueError(
            f"`{name}` must be (height, width, 1). "
            f"Received: {name}.shape={patch.shape}"
        )
    if patch.dtype != dtype or dtype.name not in DTYPES:
        raise ValueError(
            f"`{name}` must have the dtype of `hr`, one of "
            f"{', '.join(DTYPES)}. Received: {name}.dtype={patch.dtype}"
        )


def _to_wire(patch: np.ndarray) -> bytes:
    return patch.astype(patch.dtype.newbyteorder("<"), copy=False).tobytes()


def _from_wire(
    name: str, raw: bytes, shape: list[int], dtype: str
) -> np.ndarray:
    kind = np.dtype(dtype).newbyteorder("<")
    if min(shape) < 1 or shape[2] != 1:  # NumPy would fill in a -1.
        raise errors.DatasetError(f"feature `{name}_shape` is {shape}")
    try:
        patch = np.frombuffer(raw, kind).reshape(shape)
    except ValueError:
        raise errors.DatasetError(
            f"feature `{name}` has {len(raw)} bytes for shape {shape} {dtype}"
        ) from None
    return patch.astype(np.dtype(dtype), copy=False)


def _read_feature(example: Any, name: str) -> Any:
    """The value, or the list of values, of one feature."""
    kind, shape = FEATURES[name].kind, FEATURES[name].shape
    feature = example.features.feature
    present = name in feature and feature[name].WhichOneof("kind")
    if present != f"{kind}_list":
        raise errors.DatasetError(f"feature `{name}` is missing")
    values = list(getattr(feature[name], present).value)
    if len(values) != (shape[0] if shape else 1):
        raise errors.DatasetError(f"feature `{name}` has {len(values)} values")
    return values if shape else values[0]


def _example_class() -> Any:
    """The message class of `tf.train.Example`, from a pool of its own.

    TensorFlow registers its own `tensorflow.Example` in the default pool; a
    second definition there would fail. Names are not part of the wire format.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="marsgan_tf/example.proto", package="marsgan_tf", syntax="proto3"
    )
    types = descriptor_pb2.FieldDescriptorProto
    for kind, scalar in (
        ("Bytes", types.TYPE_BYTES),
        ("Float", types.TYPE_FLOAT),
        ("Int64", types.TYPE_INT64),
    ):
        owner = file.message_type.add(name=f"{kind}List")
        _add_field(owner, "value", 1, scalar, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(("Bytes", "Float", "Int64"), start=1):
        field = _add_field(
            feature, f"{kind.lower()}_list", number, f"{kind}List"
        )
        field.oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, types.TYPE_STRING)
    _add_field(entry, "value", 2, "Feature")
    _add_field(features, "feature", 1, "Features.FeatureEntry", repeated=True)
    _add_field(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("marsgan_tf.Example")
    )


def _add_field(
    owner: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: int | str,
    *,
    repeated: bool = False,
) -> descriptor_pb2.FieldDescriptorProto:
    """Adds a field of a scalar type (its number) or a message type (name)."""
    types = descriptor_pb2.FieldDescriptorProto
    field = owner.field.add(name=name, number=number)
    field.label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type = types.TYPE_MESSAGE
        field.type_name = f".marsgan_tf.{kind}"
    else:
        field.type = kind
    return field


_Example = _example_class()
