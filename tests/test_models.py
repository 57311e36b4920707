import keras
import numpy as np
import pytest
import tensorflow as tf

from marsgan_tf.models.discriminator import discriminator
from marsgan_tf.models.generators import esrgan, generator_inputs, marsgan

ADAPTIVE_SCALARS = {
    "residual_weight",
    "identity_weight",
    "noise_weight",
}


def convolution_parameters(size, inputs, outputs):
    return size**2 * inputs * outputs + outputs


def dense_block_parameters(features, growth):
    grown = sum(
        convolution_parameters(3, features + k * growth, growth)
        for k in range(4)
    )
    return grown + convolution_parameters(3, features + 4 * growth, features)


def marsgan_parameters(blocks, features, growth, channels):
    head = convolution_parameters(3, 1, features)
    trunk = blocks * (3 * dense_block_parameters(features, growth) + 11)
    branches = sum(
        convolution_parameters(k, features, 16 * channels) for k in (3, 5, 7, 9)
    )
    return head + trunk + branches + 4 + convolution_parameters(3, channels, 1)


def esrgan_parameters(blocks, features, growth):
    square = convolution_parameters(3, features, features)
    return (
        convolution_parameters(3, 1, features)
        + blocks * 3 * dense_block_parameters(features, growth)
        + 4 * square  # Trunk, two upsampling steps, high resolution.
        + convolution_parameters(3, features, 1)
    )


@pytest.mark.parametrize(
    "blocks, features, growth, channels",
    [(1, 8, 4, 1), (2, 16, 8, 4), (3, 12, 5, 16)],
)
def test_marsgan_parameters(blocks, features, growth, channels):
    model = marsgan(
        blocks=blocks,
        features=features,
        growth=growth,
        reconstruction_channels=channels,
    )
    expected = marsgan_parameters(blocks, features, growth, channels)
    assert model.count_params() == expected


@pytest.mark.parametrize("blocks, features, growth", [(1, 8, 4), (2, 16, 8)])
def test_esrgan_parameters(blocks, features, growth):
    model = esrgan(blocks=blocks, features=features, growth=growth)
    assert model.count_params() == esrgan_parameters(blocks, features, growth)


def test_full_size_parameters():
    assert esrgan_parameters(23, 64, 32) == pytest.approx(16.7e6, rel=0.001)
    # Published RRDBNet, three bands in and out: 16,697,987.
    colour = 2 * 64 * 9 + 2 * (64 * 9 + 1)
    assert esrgan_parameters(23, 64, 32) + colour == 16_697_987
    assert esrgan().count_params() == esrgan_parameters(23, 64, 32)
    assert marsgan_parameters(23, 64, 32, 16) == 19_235_794
    assert marsgan().count_params() == 19_235_794


@pytest.fixture(scope="module")
def small():
    return marsgan(blocks=2, features=8, growth=4, reconstruction_channels=2)


def test_eleven_adaptive_scalars_a_block_all_learn():
    model = marsgan(blocks=2, features=8, growth=4, noise_weight=0.0)
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    target = np.random.default_rng(1).random((2, 32, 32, 1), dtype=np.float32)
    scalars = [w for w in model.trainable_weights if w.name in ADAPTIVE_SCALARS]
    assert len(scalars) == 22
    assert {w.shape for w in scalars} == {()}
    before = [w.numpy() for w in scalars]
    optimizer = keras.optimizers.Adam(1e-3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(model(images, training=True) - target))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    for weight, old in zip(scalars, before, strict=True):
        assert weight.numpy() != old, weight.path


def test_noise_changes_training_output_only_once_weighted(small):
    images = np.random.default_rng(2).random((1, 6, 6, 1), dtype=np.float32)
    quiet = small(images, training=True)
    np.testing.assert_allclose(quiet, small(images), atol=1e-6)
    noisy = marsgan(blocks=1, features=8, growth=4, noise_weight=0.1)
    first, second = (noisy(images, training=True) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(noisy(images), noisy(images))


@pytest.mark.parametrize("build", [marsgan, esrgan])
def test_any_size_four_times_larger(build):
    model = build(blocks=1, features=8, growth=4)
    assert model.output_shape == (None, None, None, 1)
    for height, width in [(1, 1), (3, 17), (32, 32)]:
        output = model(np.zeros((1, height, width, 1), np.float32))
        assert output.shape == (1, 4 * height, 4 * width, 1)


@pytest.mark.parametrize(
    "build, options",
    [
        (marsgan, {}),
        (marsgan, {"conditioned": True}),
        (marsgan, {"trunk_skip": True, "per_channel": True}),
        (esrgan, {}),
    ],
)
def test_saved_model_answers_the_same(build, options, tmp_path):
    model = build(blocks=1, features=8, growth=4, seed=3, **options)
    random = np.random.default_rng(4)
    batch = {
        "lr": random.random((2, 5, 6, 1), dtype=np.float32),
        "degradation": random.random((2, 2), dtype=np.float32),
        "record": np.arange(2),
    }
    inputs = generator_inputs(model, batch)
    model.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_seed_decides_the_start():
    images = np.random.default_rng(5).random((1, 6, 6, 1), dtype=np.float32)

    def start(seed):
        return np.asarray(marsgan(blocks=1, features=8, seed=seed)(images))

    np.testing.assert_array_equal(start(1), start(1))
    assert np.abs(start(1) - start(2)).max() > 1e-3


def test_no_two_kernels_start_equal():
    kernels = {}
    for weight in marsgan(blocks=3, features=8, growth=8).weights:
        if weight.name == "kernel":
            kernels.setdefault(weight.numpy().tobytes(), []).append(weight.path)
    assert all(len(paths) == 1 for paths in kernels.values())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_output_is_float32(policy, small):
    images = np.random.default_rng(6).random((1, 12, 12, 1), dtype=np.float32)
    keras.config.set_dtype_policy(policy)
    half = marsgan(blocks=2, features=8, growth=4, reconstruction_channels=2)
    assert half.compute_output_spec(keras.Input((4, 4, 1))).dtype == "float32"
    expected = np.asarray(small(images))
    np.testing.assert_allclose(
        half(images), expected, atol=0.02 * np.abs(expected).max()
    )


@pytest.mark.parametrize("size", [128, 256])
def test_discriminator_parameters(size):
    filters, units = 4, 6
    widths = [filters * 2 ** (k // 2) for k in range(8)]
    expected = convolution_parameters(3, 1, widths[0])
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        expected += 9 * inputs * outputs + 4 * outputs
    flat = (size // 16) ** 2 * widths[-1]
    expected += flat * units + units + units + 1
    model = discriminator(size, filters=filters, units=units)
    assert model.count_params() == expected
    logits = model(np.zeros((2, size, size, 1), np.float32))
    assert logits.shape == (2, 1)


def test_discriminator_strides_and_normalisation():
    model = discriminator(128)
    convolutions = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [(c.filters, c.strides[0]) for c in convolutions] == [
        (64, 1),
        (64, 2),
        (128, 1),
        (128, 2),
        (256, 1),
        (256, 2),
        (512, 1),
        (512, 2),
    ]
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("BatchNormalization") == 7
    assert kinds.count("LeakyReLU") == 9
    assert model.get_layer("dense").units == 1024


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_discriminator_sees_what_bfloat16_would_round_away(policy):
    keras.config.set_dtype_policy(policy)
    model = discriminator(32, filters=8, units=16)
    sign = np.where(np.indices((32, 32)).sum(0) % 2, 1, -1)
    grey = np.full((1, 32, 32, 1), 0.75, np.float32)
    checker = grey + np.float32(0.0015) * sign[..., None].astype(np.float32)
    rounded = keras.ops.cast(checker, "bfloat16")
    np.testing.assert_array_equal(keras.ops.cast(rounded, "float32"), grey)
    logits = [np.asarray(model(image)) for image in (grey, checker)]
    assert abs(logits[0] - logits[1]) > 1e-4


def test_discriminator_refuses_odd_sizes():
    with pytest.raises(ValueError, match="multiple of 16.*size=100"):
        discriminator(100)
