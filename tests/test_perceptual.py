import h5py
import keras
import numpy as np
import pytest
import vgg

from marsgan_tf import errors
from marsgan_tf.training import perceptual
from marsgan_tf.training.perceptual import PerceptualLoss


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19_notop.h5"
    return path, vgg.write_weights(path, blocks=2)


def convolve(x, kernel, bias):
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def vgg_block2_conv2(grey, weights):
    """φ(2,2) before the activation, written without a framework."""
    bgr = 255 * grey.astype(np.float64) - np.array([103.939, 116.779, 123.68])
    x = bgr
    for name in ("block1_conv1", "block1_conv2"):
        x = np.maximum(convolve(x, *weights[name]), 0)
    height, width, channels = x.shape
    x = x.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))
    x = np.maximum(convolve(x, *weights["block2_conv1"]), 0)
    return convolve(x, *weights["block2_conv2"])


def test_is_equation_9(weights):
    path, values = weights
    generator = np.random.default_rng(0)
    target, estimate = generator.random((2, 3, 8, 8, 1), dtype=np.float32)
    loss = PerceptualLoss(["block2_conv2"], path)(target, estimate)
    errors_by_image = [
        vgg_block2_conv2(one, values) - vgg_block2_conv2(other, values)
        for one, other in zip(target, estimate, strict=True)
    ]
    expected = np.mean(np.square(errors_by_image)) / 12.75**2
    np.testing.assert_allclose(loss["block2_conv2"], expected, rtol=1e-4)


def test_same_images_have_no_loss(weights):
    image = np.random.default_rng(1).random((1, 16, 16, 1), dtype=np.float32)
    loss = PerceptualLoss(["block1_conv2", "block2_conv2"], weights[0])
    assert all(value == 0 for value in loss(image, image).values())


def test_layers_keep_their_names(weights):
    generator = np.random.default_rng(2)
    target, estimate = generator.random((2, 1, 8, 8, 1), dtype=np.float32)
    both = PerceptualLoss(["block2_conv2", "block1_conv1"], weights[0])
    for name, value in both(target, estimate).items():
        alone = PerceptualLoss([name], weights[0])(target, estimate)
        np.testing.assert_allclose(value, alone[name], rtol=1e-5)


def test_network_is_keras_own():
    """Same shapes and names as `keras.applications.VGG19`, to the end."""
    network = perceptual._build(("block5_conv4",))
    reference = keras.applications.VGG19(include_top=False, weights=None)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            twin = reference.get_layer(layer.name)
            layer.set_weights(twin.get_weights())
    images = np.random.default_rng(3).normal(0, 50, (1, 32, 32, 3))
    features = keras.ops.relu(network(images)["block5_conv4"])
    cut = keras.Model(
        reference.input, reference.get_layer("block5_conv4").output
    )
    np.testing.assert_allclose(features, cut(images), rtol=1e-4, atol=1e-4)


def test_mixed_precision_is_near(weights):
    generator = np.random.default_rng(4)
    target, estimate = generator.random((2, 1, 16, 16, 1), dtype=np.float32)
    full = PerceptualLoss(["block2_conv2"], weights[0])(target, estimate)
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = PerceptualLoss(["block2_conv2"], weights[0])(target, estimate)
    assert half["block2_conv2"].dtype == "float32"
    np.testing.assert_allclose(
        half["block2_conv2"], full["block2_conv2"], rtol=0.02
    )


@pytest.mark.parametrize("layers", [["block6_conv1"], ["conv"], []])
def test_unknown_layer(weights, layers):
    with pytest.raises(ValueError, match="`layers`.*block5_conv4"):
        PerceptualLoss(layers, weights[0])


def test_file_without_a_needed_layer(weights):
    with pytest.raises(errors.ModelError, match="block3_conv1.*perceptual"):
        PerceptualLoss(["block5_conv4"], weights[0])


def test_weights_of_another_shape_are_named(tmp_path):
    path = tmp_path / "thin.h5"
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel"] = np.zeros((3, 3, 3, 32), np.float32)
        file["block1_conv1/bias"] = np.zeros(32, np.float32)
    with pytest.raises(errors.ModelError, match=r"thin\.h5: block1_conv1.*32"):
        PerceptualLoss(["block1_conv1"], path)


@pytest.mark.parametrize("content", [None, b"", b"not HDF5 at all"])
def test_file_that_is_none(tmp_path, content):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.ModelError, match=r"weights\.h5.*--vgg_weights"):
        PerceptualLoss(["block2_conv2"], path)


def linked(file, origin):
    file["block1_conv1"] = h5py.ExternalLink(str(origin), "block1_conv1")


def elsewhere(file, origin):
    raw = (str(origin), 0, h5py.h5f.UNLIMITED)
    shape, name = (3, 3, 3, 64), "block1_conv1/kernel"
    file.create_dataset(name, shape, "f4", external=[raw])
    file["block1_conv1/bias"] = np.zeros(64, np.float32)


def endless(file, origin):
    del origin
    shape, name = (3, 3, 3, 1 << 40), "block1_conv1/kernel"
    file.create_dataset(name, shape, "f4", chunks=(3, 3, 3, 64))


def of_words(file, origin):
    del origin
    kernel = np.full((3, 3, 3, 64), b"one")
    file["block1_conv1/kernel"] = kernel
    file["block1_conv1/bias"] = np.zeros(64, np.float32)


@pytest.mark.parametrize(
    "write, message",
    [
        (linked, "is a link"),
        (elsewhere, "another file"),
        (endless, "larger than any"),
        (of_words, "could not convert"),
    ],
)
def test_a_strangers_file_holds_its_own_weights(
    weights, tmp_path, write, message
):
    path = tmp_path / "strange.h5"
    with h5py.File(path, "w") as file:
        write(file, weights[0])
    with pytest.raises(errors.ModelError, match=rf"strange\.h5.*{message}"):
        PerceptualLoss(["block1_conv1"], path)


def test_no_network_says_how_to_get_the_weights(monkeypatch):
    def refuse(**_):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "VGG19", refuse)
    with pytest.raises(errors.ModelError, match="https://.*--vgg_weights=PATH"):
        PerceptualLoss(["block2_conv2"], "imagenet")
