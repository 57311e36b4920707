import itertools

import graphs
import keras
import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.config import TrainConfig
from marsgan_tf.layers import AWMSR, AWRRDB, RRDB
from marsgan_tf.models import files
from marsgan_tf.training import build

SMALL = {
    "blocks": 1,
    "features": 4,
    "growth": 3,
    "reconstruction_channels": 2,
    "hr_size": 16,
    "batch_size": 4,
    "discriminator_filters": 2,
    "discriminator_units": 5,
}
# Convolutions of a block, which rematerialisation computes twice.
BLOCK_CONVOLUTIONS = 15


def settings(**options):
    return TrainConfig(**{**SMALL, **options})


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return {
        "hr": random.random((4, 16, 16, 1), dtype=np.float32),
        "lr": random.random((4, 4, 4, 1), dtype=np.float32),
    }


def rate_after(optimizer, steps):
    optimizer.iterations.assign(steps)
    return float(optimizer.learning_rate)


def test_step_size_is_halved_at_each_given_step():
    optimizer = build.build_optimizer(TrainConfig())
    boundaries = (50_000, 100_000, 300_000, 500_000)
    for halvings, step in enumerate(boundaries):
        before, after = (rate_after(optimizer, step + k) for k in (-1, 1))
        assert before == pytest.approx(1e-4 / 2**halvings)
        assert after == pytest.approx(before / 2)
    for start, end in itertools.pairwise((0, *boundaries)):
        assert rate_after(optimizer, start + 1) == rate_after(
            optimizer, end - 1
        )
    assert rate_after(optimizer, 600_000) == pytest.approx(1e-4 / 16)


def test_step_size_is_constant_without_halvings():
    optimizer = build.build_optimizer(settings(halve_at=(), learning_rate=3e-4))
    for steps in (0, 50_001, 600_000):
        assert rate_after(optimizer, steps) == pytest.approx(3e-4)


def is_the_papers_adam(optimizer):
    return (
        type(optimizer) is keras.optimizers.Adam
        and (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.999)
        and not optimizer.weight_decay
    )


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_adam_is_the_papers(precision):
    optimizer = build.build_optimizer(settings(precision=precision))
    assert is_the_papers_adam(optimizer)


def test_float16_alone_scales_the_loss():
    optimizer = build.build_optimizer(settings(precision="mixed_float16"))
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_the_papers_adam(optimizer.inner_optimizer)


def blocks_of(generator):
    return [
        layer for layer in generator.layers if isinstance(layer, AWRRDB | RRDB)
    ]


def convolution_parameters(size, inputs, outputs):
    return size**2 * inputs * outputs + outputs


def block_parameters(features, growth):
    """Three dense blocks."""
    grown = sum(
        convolution_parameters(3, features + k * growth, growth)
        for k in range(4)
    )
    last = convolution_parameters(3, features + 4 * growth, features)
    return 3 * (grown + last)


@pytest.mark.parametrize(
    "blocks, features, growth, channels", [(1, 4, 3, 2), (2, 6, 5, 3)]
)
def test_marsgan_has_the_sizes_of_the_settings(
    blocks, features, growth, channels
):
    generator = build.build_generator(
        settings(
            blocks=blocks,
            features=features,
            growth=growth,
            reconstruction_channels=channels,
        )
    )
    expected = (
        convolution_parameters(3, 1, features)
        + blocks * (block_parameters(features, growth) + 11)
        + sum(
            convolution_parameters(size, features, 16 * channels)
            for size in (3, 5, 7, 9)
        )
        + 4
        + convolution_parameters(3, channels, 1)
    )
    assert generator.name == "marsgan"
    assert generator.count_params() == expected
    assert generator.get_layer("awmsr").channels == channels
    assert isinstance(generator.get_layer("awmsr"), AWMSR)


@pytest.mark.parametrize("blocks, features, growth", [(1, 4, 3), (2, 6, 5)])
def test_esrgan_has_the_sizes_of_the_settings(blocks, features, growth):
    generator = build.build_generator(
        settings(
            architecture="esrgan",
            blocks=blocks,
            features=features,
            growth=growth,
        )
    )
    expected = (
        convolution_parameters(3, 1, features)
        + blocks * block_parameters(features, growth)
        + 4 * convolution_parameters(3, features, features)
        + convolution_parameters(3, features, 1)
    )
    assert generator.name == "esrgan"
    assert generator.count_params() == expected


@pytest.mark.parametrize(
    "name, value",
    [("noise_weight", 0.25), ("per_channel", True), ("conditioned", True)],
)
def test_blocks_follow_a_setting_alone(name, value):
    options = ("noise_weight", "per_channel", "conditioned")
    plain = build.build_generator(settings())
    changed = build.build_generator(settings(**{name: value}))
    for one, other in zip(blocks_of(plain), blocks_of(changed), strict=True):
        first, second = one.get_config(), other.get_config()
        assert second[name] == value
        assert [key for key in options if first[key] != second[key]] == [name]


def test_conditioned_generator_takes_the_degradation():
    generator = build.build_generator(settings(conditioned=True))
    assert [tensor.name for tensor in generator.inputs] == ["lr", "degradation"]
    plain = build.build_generator(settings())
    assert [tensor.name for tensor in plain.inputs] == ["lr"]


def test_trunk_skip_adds_its_convolution():
    plain, skipped = (
        build.build_generator(settings(trunk_skip=value))
        for value in (False, True)
    )
    added = skipped.count_params() - plain.count_params()
    assert added == convolution_parameters(3, 4, 4)


@pytest.mark.parametrize("architecture", ["marsgan", "esrgan"])
def test_seed_decides_the_start(architecture):
    one, same, other = (
        build.build_generator(settings(architecture=architecture, seed=seed))
        for seed in (1, 1, 2)
    )
    kernels = zip(one.weights, same.weights, other.weights, strict=True)
    for first, second, third in kernels:
        np.testing.assert_array_equal(first, second)
        if first.name == "kernel":
            assert np.any(first.numpy() != third.numpy()), first.path


@pytest.mark.parametrize(
    "architecture, blocks", [("marsgan", 2), ("esrgan", 1)]
)
def test_remat_computes_dense_blocks_twice_and_no_more(
    architecture, blocks, batch
):
    plain, remat = (
        graphs.count_operations(
            build.build_psnr_stage(
                settings(architecture=architecture, blocks=blocks, remat=remat)
            ).train_step,
            batch,
        )
        for remat in (False, True)
    )
    added = remat["Conv2D"] - plain["Conv2D"]
    assert added == blocks * BLOCK_CONVOLUTIONS
    draws = "StatelessRandomUniformV2"
    assert remat[draws] == plain[draws]
    if architecture == "marsgan":
        assert remat[draws] == 3 * blocks


def test_portable_generator_is_float32_with_the_trained_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    config = settings(blocks=2, trunk_skip=True, conditioned=True)
    trained = build.build_trained_generator(config)
    random = np.random.default_rng(1)
    for weight in trained.trainable_weights:
        weight.assign(random.normal(size=weight.shape))
    portable = build.build_portable_generator(config, trained)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    policies = [
        {layer.dtype_policy.name for layer in model._flatten_layers()}
        for model in (trained, portable)
    ]
    assert "mixed_bfloat16" in policies[0]
    assert policies[1] == {"float32"}
    for one, other in zip(trained.weights, portable.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_policy_stays_when_the_weights_do_not_fit():
    keras.config.set_dtype_policy("mixed_bfloat16")
    trained = build.build_generator(settings(blocks=2))
    with pytest.raises(ValueError):
        build.build_portable_generator(settings(blocks=1), trained)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def no_perceptual_loss(target, estimate):
    return {}


def gan_stage(tmp_path, config, replicas=1):
    path = tmp_path / "psnr.keras"
    files.save_generator(build.build_generator(config), path)
    return build.build_gan_stage(
        config,
        generator_path=path,
        perceptual=no_perceptual_loss,
        replicas=replicas,
    )


@pytest.mark.parametrize("replicas, expected", [(1, {False}), (2, {True})])
def test_batch_statistics_span_replicas_if_there_are_some(
    replicas, expected, tmp_path
):
    stage = gan_stage(tmp_path, settings(), replicas)
    found = {
        layer.synchronized
        for layer in stage.discriminator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert found == expected


def test_micro_batches_reach_both_stages(tmp_path):
    config = settings(micro_batches=4)
    assert build.build_psnr_stage(config).micro_batches == 4
    assert gan_stage(tmp_path, config).micro_batches == 4


def test_gan_stage_weighs_its_losses_as_told(tmp_path):
    stage = gan_stage(
        tmp_path,
        settings(
            perceptual_layers=("block1_conv2", "block3_conv1"),
            perceptual_weights=(0.3, 0.7),
            adversarial_weight=0.01,
            content_loss="l1",
            content_weight=0.2,
        ),
    )
    assert stage.perceptual is no_perceptual_loss
    assert stage.perceptual_weights == {
        "block1_conv2": 0.3,
        "block3_conv1": 0.7,
    }
    assert stage.adversarial_weight == 0.01
    assert stage.content_loss == "l1"
    assert stage.content_weight == 0.2


def test_discriminator_has_the_sizes_of_the_settings(tmp_path):
    config = settings(
        hr_size=32, discriminator_filters=3, discriminator_units=7
    )
    network = gan_stage(tmp_path, config).discriminator
    assert network.input_shape == (None, 32, 32, 1)
    assert network.get_layer("conv_0").filters == 3
    assert network.get_layer("conv_7").filters == 24
    assert network.get_layer("dense").units == 7


def test_both_networks_have_an_optimizer_of_their_own(tmp_path):
    stage = gan_stage(tmp_path, settings(learning_rate=2e-4))
    optimizers = (stage.generator_optimizer, stage.discriminator_optimizer)
    assert optimizers[0] is not optimizers[1]
    for optimizer in optimizers:
        assert is_the_papers_adam(optimizer)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_gan_stage_starts_from_the_generator_file(tmp_path):
    source = build.build_generator(settings(seed=7))
    files.save_generator(source, tmp_path / "source.keras")
    stage = build.build_gan_stage(
        settings(seed=8),
        generator_path=tmp_path / "source.keras",
        perceptual=no_perceptual_loss,
        replicas=1,
    )
    pairs = zip(source.weights, stage.generator.weights, strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "options",
    [
        {"blocks": 2},
        {"features": 5},
        {"trunk_skip": True},
        {"conditioned": True},
        {"architecture": "esrgan"},
    ],
)
def test_another_architecture_is_refused_by_name(options, tmp_path):
    path = tmp_path / "psnr.keras"
    files.save_generator(build.build_generator(settings()), path)
    generator = build.build_generator(settings(**options))
    before = generator.get_weights()
    with pytest.raises(errors.ModelError, match="psnr.keras.*marsgan"):
        build.load_weights(generator, path)
    for one, other in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
