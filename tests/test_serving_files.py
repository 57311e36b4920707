"""What TensorFlow Serving is started with, by its own definitions."""

import pathlib

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from marsgan_tf.deployment import description as descriptions

MODELS = pathlib.Path(__file__).parent.parent / "saved_models"
SERVING = MODELS / "serving"

# The fields of tensorflow_serving/servables/tensorflow/
# session_bundle_config.proto, whose message the package leaves out.
BATCHING_FIELDS = {
    "max_batch_size": 1,
    "batch_timeout_micros": 2,
    "max_enqueued_batches": 3,
    "num_batch_threads": 4,
}


def batching_parameters():
    """An empty `BatchingParameters`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    message = file.message_type.add(name="BatchingParameters")
    for name, number in BATCHING_FIELDS.items():
        field = descriptor_pb2.FieldDescriptorProto
        message.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            type_name=".google.protobuf.Int64Value",
            label=field.LABEL_OPTIONAL,
        )
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    found = pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def parsed(name, message):
    return text_format.Parse((SERVING / name).read_text(), message)


def test_every_shipped_model_is_served_under_its_name():
    config = parsed(
        "models.config", model_server_config_pb2.ModelServerConfig()
    )
    served = {
        model.name: model.base_path for model in config.model_config_list.config
    }
    shipped = [path.parent for path in MODELS.glob("*/generator.keras")]
    assert served == {path.name: f"/models/{path.name}" for path in shipped}
    for path in shipped:  # TensorFlow Serving looks for a number.
        folder = pathlib.Path(descriptions.find(str(path)))
        assert folder.name.isdigit()
        assert (folder / "assets.extra/tf_serving_warmup_requests").is_file()
    for model in config.model_config_list.config:
        assert model.model_platform == "tensorflow"


def test_tiles_of_unequal_sides_are_never_joined():
    found = parsed("batching.config", batching_parameters())
    assert found.max_batch_size.value == 1
    assert found.num_batch_threads.value >= 1
    assert found.max_enqueued_batches.value >= 16


def test_a_misspelt_field_would_be_noticed():
    with pytest.raises(text_format.ParseError, match="max_batchsize"):
        text_format.Parse("max_batchsize { value: 1 }", batching_parameters())
