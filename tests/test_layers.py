import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import check_layer
from keras import ops

from marsgan_tf.layers.adaptive_dense_block import AdaptiveDenseBlock
from marsgan_tf.layers.adaptive_noise import AdaptiveNoise
from marsgan_tf.layers.awmsr import AWMSR
from marsgan_tf.layers.awrrdb import AWRRDB
from marsgan_tf.layers.degradation_code import DegradationCode
from marsgan_tf.layers.dense_block import DenseBlock, leaky_relu
from marsgan_tf.layers.icnr import ICNR
from marsgan_tf.layers.rrdb import RRDB

CASES = {
    "dense_block": (DenseBlock, {"growth": 3}, {}),
    "rrdb": (RRDB, {"growth": 3, "residual_scale": 0.3}, {}),
    "noise": (AdaptiveNoise, {"initial_weight": 0.5}, {}),
    "noise_per_channel": (AdaptiveNoise, {"per_channel": True}, {}),
    "adaptive_dense_block": (AdaptiveDenseBlock, {"growth": 3}, {}),
    "adaptive_dense_block_conditioned": (
        AdaptiveDenseBlock,
        {"growth": 3, "conditioned": True},
        {"code_width": 4},
    ),
    "awrrdb": (AWRRDB, {"growth": 3, "noise_weight": 0.1}, {}),
    "awrrdb_per_channel": (AWRRDB, {"growth": 3, "per_channel": True}, {}),
    "awrrdb_conditioned": (
        AWRRDB,
        {"growth": 3, "conditioned": True},
        {"code_width": 4},
    ),
    "awmsr": (AWMSR, {"channels": 2, "scale": 4}, {"scale": 4}),
    "awmsr_x2": (AWMSR, {"channels": 1, "scale": 2}, {"scale": 2}),
    "degradation_code": (DegradationCode, {"width": 5}, {"shape": (3, 2)}),
}


@pytest.fixture
def images():
    return np.random.default_rng(1).random((2, 6, 5, 4), dtype=np.float32)


@pytest.mark.parametrize("name", CASES)
def test_layer(name, tmp_path):
    layer, arguments, options = CASES[name]
    check_layer(functools.partial(layer, **arguments), tmp_path, **options)
    assert arguments.items() <= layer(**arguments).get_config().items()


def test_every_registered_class_is_covered():
    registered = {
        value
        for key, value in keras.saving.get_custom_objects().items()
        if key.startswith("marsgan_tf>")
    }
    cases = {layer for layer, _, _ in CASES.values()}
    assert registered == cases | {ICNR, leaky_relu}  # Tested below.


def convolve(x, kernel, bias):
    """3x3 convolution with zero padding, written without a framework."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    total = np.zeros((*x.shape[:3], kernel.shape[-1])) + bias
    for row in range(3):
        for col in range(3):
            window = padded[:, row : row + height, col : col + width]
            total += window @ kernel[row, col]
    return total


def dense_block_in_numpy(x, weights):
    maps = x.astype(np.float64)
    for kernel, bias in weights[:-1]:
        new = convolve(maps, kernel, bias)
        maps = np.concatenate([maps, np.where(new > 0, new, 0.2 * new)], -1)
    return convolve(maps, *weights[-1])


def kernels_and_biases(block):
    return [(c.kernel.numpy(), c.bias.numpy()) for c in block.convolutions]


def randomise_biases(layer):
    generator = np.random.default_rng(2)
    for weight in layer.weights:
        if weight.name == "bias":
            weight.assign(generator.normal(size=weight.shape))


def test_dense_block_matches_numpy(images):
    block = DenseBlock(growth=3)
    block.build(images.shape)
    randomise_biases(block)
    expected = dense_block_in_numpy(images, kernels_and_biases(block))
    np.testing.assert_allclose(block(images), expected, rtol=1e-4, atol=1e-5)


def test_rrdb_matches_numpy(images):
    layer = RRDB(growth=3)
    layer.build(images.shape)
    randomise_biases(layer)
    x = images
    for block in layer.dense_blocks:
        x = x + 0.2 * dense_block_in_numpy(x, kernels_and_biases(block))
    expected = images + 0.2 * x
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-5)


def copy_kernels(source, target):
    """Gives the dense blocks of `target` the kernels of those of `source`."""
    for one, other in zip(
        source.dense_blocks, target.dense_blocks, strict=True
    ):
        other.dense_block.set_weights(one.get_weights())


def test_awrrdb_without_noise_is_rrdb(images):
    rrdb, awrrdb = RRDB(growth=3), AWRRDB(growth=3, seed=5)
    rrdb.build(images.shape)
    awrrdb.build(images.shape)
    randomise_biases(rrdb)
    copy_kernels(rrdb, awrrdb)
    expected = rrdb(images)
    assert np.abs(expected - images).max() > 0.1
    np.testing.assert_allclose(awrrdb(images), expected, atol=1e-6)
    np.testing.assert_allclose(
        awrrdb(images, training=True), expected, atol=1e-6
    )


def test_awrrdb_matches_equations_2_and_3(images):
    layer = AWRRDB(growth=3)
    layer.build(images.shape)
    randomise_biases(layer)
    generator = np.random.default_rng(3)
    for weight in layer.weights:
        if weight.shape == ():
            weight.assign(generator.normal())
    x = images
    for block in layer.dense_blocks:
        weights = kernels_and_biases(block.dense_block)
        x = (
            block.residual_weight.numpy() * dense_block_in_numpy(x, weights)
            + block.identity_weight.numpy() * x
        )
    expected = (
        layer.residual_weight.numpy() * x
        + layer.identity_weight.numpy() * images
    )
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-4)


def test_unconditioned_is_a_conditioned_layer_told_nothing(images):
    code = np.random.default_rng(4).random((2, 7), dtype=np.float32)
    plain, told = AWRRDB(growth=3), AWRRDB(growth=3, conditioned=True)
    np.testing.assert_array_equal(told(images, code=code), plain(images))

    told.dense_blocks[1].shifts.kernel.assign(
        np.random.default_rng(5).normal(size=(7, 8))
    )
    shifted = np.asarray(told(images, code=code))
    same_code = np.asarray(told(images, code=code[:1].repeat(2, axis=0)))
    np.testing.assert_allclose(shifted[0], same_code[0], atol=1e-6)
    assert np.abs(shifted[1] - same_code[1]).max() > 1e-2


def test_noise_is_unit_gaussian_and_fresh():
    layer = AdaptiveNoise(initial_weight=1.0, seed=3)
    zeros = np.zeros((4, 64, 64, 8), np.float32)
    first = np.asarray(layer(zeros, training=True))
    second = np.asarray(layer(zeros, training=True))
    samples = first.size
    assert abs(first.mean()) < 5 / samples**0.5
    assert abs(first.var() - 1) < 5 * (2 / samples) ** 0.5
    assert abs(np.mean(first**4) - 3) < 5 * (96 / samples) ** 0.5
    # The two halves come from the same radii: neither they nor their squares
    # may tell anything of each other.
    one, other = np.split(first.ravel(), 2)
    assert abs(np.mean(one * other)) < 5 / one.size**0.5
    squares = np.mean((one**2 - 1) * (other**2 - 1))
    assert abs(squares) < 5 * 2 / one.size**0.5
    correlation = np.mean(first * second)
    assert abs(correlation) < 5 / samples**0.5
    np.testing.assert_array_equal(layer(zeros), zeros)
    again = AdaptiveNoise(initial_weight=1.0, seed=3)
    np.testing.assert_array_equal(again(zeros, training=True), first)


def test_noise_takes_any_shape_and_type():
    layer = AdaptiveNoise(initial_weight=1.0, dtype="float16")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), "half")])
    def draw(x):
        return layer(x, training=True)

    noise = draw(np.zeros((3, 3, 5, 1), np.float16))
    assert (noise.shape, noise.dtype) == ((3, 3, 5, 1), tf.float16)
    assert np.unique(noise).size > 30


def test_icnr_starts_as_nearest_neighbour(images):
    layer = AWMSR(channels=3, scale=4)
    output = np.asarray(layer(images))
    nearest = output[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2)
    assert output.std() > 0.1
    np.testing.assert_allclose(output, nearest, atol=1e-5)


def test_icnr_has_he_normal_variance():
    kernel = np.asarray(ICNR(scale=2, seed=1)((3, 3, 64, 256)))
    assert kernel.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)


def test_icnr_refuses_other_channel_counts():
    with pytest.raises(ValueError, match="multiple of 16"):
        ICNR(scale=4)((3, 3, 8, 24))


def test_icnr_survives_its_config():
    initializer = ICNR(scale=4, seed=9)
    again = ICNR.from_config(initializer.get_config())
    shape = (3, 3, 2, 16)
    np.testing.assert_array_equal(initializer(shape), again(shape))


def shuffle_in_numpy(x, scale):
    """Depth to space, written without a framework."""
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, scale, scale, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h * scale, w * scale, c // scale**2)


def test_awmsr_equals_each_branch_shuffled_by_itself(images):
    layer = AWMSR(channels=2, scale=4)
    layer.build(images.shape)
    generator = np.random.default_rng(6)
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape))
    alphas = layer.branch_weights.numpy()
    expected = sum(
        alpha * shuffle_in_numpy(np.asarray(branch(images)), 4)
        for alpha, branch in zip(alphas, layer.branches, strict=True)
    )
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-3)


def test_degradation_code_scales_to_unit_range():
    layer = DegradationCode(width=5)
    layer.build((None, 2))
    first, second = layer.dense_layers
    told = np.array([[1.5, 0.01]], np.float32)

    def dense(x, layer):
        y = x @ layer.kernel.numpy() + layer.bias.numpy()
        return np.where(y > 0, y, 0.2 * y)

    expected = dense(dense(np.array([[0.5, 0.2]]), first), second)
    np.testing.assert_allclose(layer(told), expected, rtol=1e-5)
    again = DegradationCode.from_config(layer.get_config())
    np.testing.assert_array_equal(again(told), layer(told))


def test_leaky_relu_equals_the_library():
    x = np.linspace(-2, 2, 41, dtype=np.float32)
    np.testing.assert_allclose(leaky_relu(x), ops.leaky_relu(x, 0.2))


def test_leaky_relu_descends_by_its_slope():
    x = tf.constant([-3.0, -0.5, 0.0, 0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.square(leaky_relu(x))
    # Twice the output times 0.2 below zero, times 1 above.
    np.testing.assert_allclose(
        tape.gradient(y, x), [-0.24, -0.04, 0.0, 1.0, 6.0], rtol=1e-6
    )


def test_leaky_relu_s_gradient_leaves_its_input_to_be_fused():
    """What lies between convolution and activation has no other reader."""

    @tf.function
    def descend(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            biased = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), [0.1])
            y = tf.reduce_sum(leaky_relu(biased))
        return tape.gradient(y, (x, kernel))

    graph = descend.get_concrete_function(
        tf.TensorSpec((1, 4, 4, 1)), tf.TensorSpec((3, 3, 1, 1))
    ).graph
    (biased,) = [op for op in graph.get_operations() if op.type == "BiasAdd"]
    readers = biased.outputs[0].consumers()
    # The group of a custom gradient's outputs, which is taken out again.
    (group,) = [op for op in readers if op.type == "IdentityN"]
    names = [tensor.name for tensor in group.inputs]
    copy = group.outputs[names.index(biased.outputs[0].name)]
    assert not copy.consumers()
    assert {op.type for op in readers} == {"IdentityN", "LeakyRelu"}
