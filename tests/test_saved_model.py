import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tiny_generators import images, quiet, scattered

from marsgan_tf.deployment import folding, forward, saved_model
from marsgan_tf.deployment.position_noise import position_noise

ASSUMED = (1.25, 0.01)
REACH_PX = 21  # One block's 15 convolutions, one before, an 11x11 after.


class Written:
    """A generator, and the SavedModel that was made of it."""

    def __init__(self, generator, folder, precision):
        self.generator = generator
        self.network = folding.fold(generator)
        self.folder = folder
        saved_model.write(
            str(folder), self.network, degradation=ASSUMED, precision=precision
        )
        self.signatures = tf.saved_model.load(str(folder)).signatures

    def call(self, name, lr, **inputs):
        """The answer of a signature, as an array."""
        tensors = {k: tf.convert_to_tensor(v) for k, v in inputs.items()}
        return self.signatures[name](lr=tf.constant(lr), **tensors)[
            "sr"
        ].numpy()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Conditioned, with noise, in float32."""
    folder = tmp_path_factory.mktemp("told") / "1"
    return Written(scattered(conditioned=True), folder, "float32")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Not conditioned, without noise, in bfloat16."""
    folder = tmp_path_factory.mktemp("plain") / "1"
    return Written(quiet(scattered()), folder, "bfloat16")


def close(found, expected, tolerance=1e-5):
    """Whether two answers agree but for the outermost ring."""
    inner = (slice(None), slice(1, -1), slice(1, -1))
    error = np.abs(found - expected)[inner].max()
    return error < tolerance * np.abs(expected).max()


def test_signatures_are_those_promised(told, plain):
    precisions = {"float32", "bfloat16"}
    assert set(plain.signatures) == precisions | {"serving_default"}
    assert set(told.signatures) == precisions | {
        "serving_default",
        "restore",
        "sample",
    }


def test_inputs_and_outputs_are_named_and_typed(told, plain):
    lr = {"lr": ((None, None, None, 1), tf.float32)}
    degradation = {"degradation": ((None, 2), tf.float32)}
    place = {"origin": ((2,), tf.int32), "seed": ((), tf.int32)}
    expected = {
        "serving_default": lr,
        "float32": lr | degradation,
        "bfloat16": lr | degradation,
        "restore": lr | degradation,
        "sample": lr | degradation | place,
    }
    for name, inputs in expected.items():
        check_signature(told.signatures[name], inputs)
    for name in plain.signatures:
        check_signature(plain.signatures[name], lr)


def check_signature(signature, inputs):
    _, found = signature.structured_input_signature
    assert {
        name: (tuple(spec.shape), spec.dtype) for name, spec in found.items()
    } == inputs
    (output,) = signature.structured_outputs.items()
    assert output[0] == "sr"
    assert output[1].dtype == tf.float32
    assert output[1].shape.as_list() == [None, None, None, 1]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 9), (2, 17, 4)])
def test_any_batch_and_sides(plain, shape):
    lr = images(*shape, seed=1)
    found = plain.call("float32", lr)
    batch, height, width = shape
    assert found.shape == (batch, 4 * height, 4 * width, 1)
    assert close(found, np.asarray(plain.generator(lr)))


def test_each_image_is_told_its_degradation(told):
    lr = images(2, 9, 8, seed=2)
    pairs = np.float32([[0.2, 0.03], [2.0, 0.002]])
    expected = np.asarray(told.generator([lr, pairs]))
    for name in ("float32", "restore"):
        assert close(told.call(name, lr, degradation=pairs), expected)
    assert not close(
        told.call("restore", lr, degradation=pairs[::-1]), expected, 0.01
    )


def test_serving_default_assumes_what_was_recorded(told):
    lr = images(3, 7, 8, seed=3)
    pairs = np.float32([ASSUMED] * 3)
    expected = np.asarray(told.generator([lr, pairs]))
    assert close(told.call("serving_default", lr), expected)
    other = told.call("restore", lr, degradation=2 * pairs)
    assert not close(other, expected, 0.01)


def test_serving_default_has_the_chosen_precision(told, plain):
    lr = images(1, 12, 13, seed=4)
    answer = plain.call("serving_default", lr)
    np.testing.assert_array_equal(answer, plain.call("bfloat16", lr))
    assert np.any(answer != plain.call("float32", lr))
    pair = np.float32([ASSUMED])
    for name in ("float32", "restore"):
        np.testing.assert_allclose(
            told.call(name, lr, degradation=pair),
            told.call("serving_default", lr),
            rtol=1e-5,
        )


def test_bfloat16_is_near_float32(told):
    lr = images(1, 24, 20, seed=5)
    pair = np.float32([ASSUMED])
    single, half = (
        told.call(name, lr, degradation=pair)
        for name in ("float32", "bfloat16")
    )
    error = np.sqrt(np.mean((half - single) ** 2)) / single.std()
    assert 1e-6 < error < 5e-3


def sample(written, lr, origin=(0, 0), seed=0):
    return written.call(
        "sample",
        lr,
        degradation=np.float32([ASSUMED]),
        origin=np.int32(origin),
        seed=np.int32(seed),
    )


def test_samples_are_draws_of_the_position_noise(told):
    lr = images(2, 10, 9, seed=6)

    def noise(layer):
        return position_noise((-4, 30), 10, 9, 8, layer=layer, seed=17)

    expected = forward.restore(
        told.network, lr, np.float32([ASSUMED]), noise=noise
    ).numpy()
    found = sample(told, lr, (-4, 30), 17)
    np.testing.assert_allclose(
        found, expected, atol=1e-5 * np.abs(expected).max()
    )
    assert not close(told.call("serving_default", lr), expected, 0.01)


def test_a_seed_is_a_sample(told):
    lr = images(1, 8, 8, seed=7)
    first = sample(told, lr, seed=5)
    np.testing.assert_array_equal(sample(told, lr, seed=5), first)
    for other in (sample(told, lr, seed=6), sample(told, lr, (0, 1), seed=5)):
        assert not close(other, first, 0.01)


@pytest.mark.parametrize("origin", [(0, 0), (-31, 5000)])
def test_samples_of_tiles_join(told, origin):
    lr = images(1, 56, 60, seed=8)
    whole = sample(told, lr, origin)
    row, col = 6, 9
    part = sample(
        told, lr[:, row:52, col:58], (origin[0] + row, origin[1] + col)
    )
    inner = slice(4 * REACH_PX, -4 * REACH_PX)
    expected = whole[:, 4 * row : 4 * 52, 4 * col : 4 * 58]
    error = np.abs(part - expected)[:, inner, inner]
    assert error.size > 16 * 20
    assert error.max() < 1e-5 * np.abs(expected).max()


def test_a_fresh_process_needs_tensorflow_alone(told, tmp_path):
    lr = images(1, 6, 5, seed=9)
    np.save(tmp_path / "lr.npy", lr)
    code = textwrap.dedent(
        f"""
        import sys
        import numpy as np, tensorflow as tf
        model = tf.saved_model.load({str(told.folder)!r})
        serve = model.signatures["serving_default"]
        np.save("sr.npy", serve(lr=tf.constant(np.load("lr.npy")))["sr"])
        assert "marsgan_tf" not in sys.modules
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "sr.npy"),
        told.call("serving_default", lr),
        rtol=1e-5,
    )


# Field numbers of tensorflow_serving/apis/{prediction_log,predict,model}.proto;
# a tensor stands as bytes, which look the same on the wire.
MESSAGES = {
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "InputsEntry": [("key", 1, "string"), ("value", 2, "bytes")],
    "PredictRequest": [
        ("model_spec", 1, "ModelSpec"),
        ("inputs", 2, "InputsEntry"),
    ],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
}


def serving_messages():
    """Classes of the messages of TensorFlow Serving, by name."""
    field = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": field.TYPE_STRING, "bytes": field.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(
        name="serving.proto", package="tensorflow.serving", syntax="proto3"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            added = message.field.add(name=field_name, number=number)
            added.type = scalars.get(kind, field.TYPE_MESSAGE)
            added.label = field.LABEL_OPTIONAL
            if kind == "InputsEntry":  # A map is a list of such entries.
                added.label = field.LABEL_REPEATED
            if kind not in scalars:
                added.type_name = f".tensorflow.serving.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClassesForFiles(["serving.proto"], pool)


def test_warm_up_requests_can_be_served(plain):
    path = plain.folder / "assets.extra" / "tf_serving_warmup_requests"
    tensor_class = type(tf.make_tensor_proto(0.0))
    log_class = serving_messages()["tensorflow.serving.PredictionLog"]
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    sides = []
    for record in records:
        log = log_class.FromString(record)
        log.DiscardUnknownFields()
        assert log.SerializeToString() == record
        request = log.predict_log.request
        assert request.model_spec.signature_name == "serving_default"
        assert not request.model_spec.name  # Whatever the model is called.
        (entry,) = request.inputs
        lr = tf.make_ndarray(tensor_class.FromString(entry.value))
        sides.append(lr.shape)
        small = lr[:, :8, :8]
        assert entry.key == "lr"
        assert lr.dtype == np.float32
        assert np.isfinite(plain.call("serving_default", small)).all()
    assert sides == [(1, 64, 64, 1), (1, 256, 256, 1)]
