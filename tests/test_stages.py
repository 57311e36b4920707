import pathlib

import graphs
import keras
import numpy as np
import pytest
import tensorflow as tf
import vgg

from marsgan_tf.models.discriminator import discriminator
from marsgan_tf.models.generators import generator_inputs, marsgan
from marsgan_tf.training import loop
from marsgan_tf.training.ema import RunningMean
from marsgan_tf.training.gan_stage import GANStage
from marsgan_tf.training.perceptual import PerceptualLoss
from marsgan_tf.training.psnr_stage import PSNRStage

ROOT = pathlib.Path(__file__).parent.parent
HR_SIZE = 16
PERCEPTUAL = {"block2_conv2": 0.4, "block1_conv2": 0.6}
ADVERSARIAL_WEIGHT = 0.05
CONTENT_WEIGHT = 0.5


@pytest.fixture(scope="module")
def perceptual(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg.h5"
    vgg.write_weights(path, blocks=2)
    return PerceptualLoss(PERCEPTUAL, path)


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    return {
        "hr": random.random((4, HR_SIZE, HR_SIZE, 1), dtype=np.float32),
        "lr": random.random((4, 4, 4, 1), dtype=np.float32),
        "degradation": random.random((4, 2), dtype=np.float32),
        "record": np.arange(4),
    }


def small_generator(**options):
    settings = {"blocks": 1, "features": 4, "growth": 4, **options}
    return marsgan(reconstruction_channels=1, **settings)


def gan_stage(perceptual, make_optimizer, **options):
    settings = {
        "perceptual": perceptual,
        "perceptual_weights": PERCEPTUAL,
        "adversarial_weight": ADVERSARIAL_WEIGHT,
        "content_loss": "mse",
        "content_weight": CONTENT_WEIGHT,
        **options,
    }
    return GANStage(
        small_generator(),
        discriminator(HR_SIZE, filters=4, units=8),
        generator_optimizer=make_optimizer(),
        discriminator_optimizer=make_optimizer(),
        **settings,
    )


def unit_descent():
    """Moves weights by minus their gradient, so that steps show gradients."""
    return keras.optimizers.SGD(1.0)


def softplus(x):
    return np.logaddexp(0, np.float64(x))


def total_loss(stage, batch):
    """Eq. 12, written without the stage, in float64 where we sum."""
    fake = stage.generator(generator_inputs(stage.generator, batch))
    real_logits = stage.discriminator(batch["hr"], training=True).numpy()
    fake_logits = stage.discriminator(fake, training=True).numpy()
    features = stage.perceptual(batch["hr"], fake)
    total = sum(w * float(features[n]) for n, w in PERCEPTUAL.items())
    total += ADVERSARIAL_WEIGHT * (
        softplus(real_logits - fake_logits.mean()).mean()
        + softplus(-(fake_logits - real_logits.mean())).mean()
    )
    error = np.float64(batch["hr"]) - fake.numpy()
    return total + CONTENT_WEIGHT * (error**2).mean()


def discriminator_loss(stage, batch):
    """Eq. 10, written without the stage."""
    fake = stage.generator(generator_inputs(stage.generator, batch))
    real_logits = stage.discriminator(batch["hr"], training=True).numpy()
    fake_logits = stage.discriminator(fake, training=True).numpy()
    return (
        softplus(-(real_logits - fake_logits.mean())).mean()
        + softplus(fake_logits - real_logits.mean()).mean()
    )


def slope(loss, weight, delta):
    """Central difference of `loss()` along one direction of a weight."""
    start = weight.numpy()
    direction = np.sign(np.random.default_rng(1).normal(size=start.shape))
    values = []
    for sign in (1, -1):
        weight.assign(start + sign * delta * direction)
        values.append(loss())
    weight.assign(start)
    return (values[0] - values[1]) / (2 * delta), direction


@pytest.mark.parametrize("layer", ["f_ext", "f_rec"])
def test_generator_descends_equation_12(perceptual, batch, layer):
    stage = gan_stage(perceptual, unit_descent)
    kernel = stage.generator.get_layer(layer).kernel
    expected, direction = slope(lambda: total_loss(stage, batch), kernel, 2e-3)
    before = kernel.numpy()
    stage.train_step(batch)
    moved = float(np.sum((before - kernel.numpy()) * direction))
    assert moved == pytest.approx(expected, rel=0.02, abs=1e-3)


def test_discriminator_descends_equation_10(perceptual, batch):
    stage = gan_stage(perceptual, unit_descent)
    kernel = stage.discriminator.get_layer("dense").kernel
    expected, direction = slope(
        lambda: discriminator_loss(stage, batch), kernel, 1e-3
    )
    before = kernel.numpy()
    stage.train_step(batch)
    moved = float(np.sum((before - kernel.numpy()) * direction))
    assert moved == pytest.approx(expected, rel=0.02, abs=1e-3)


def test_reported_losses_are_those_of_the_equations(perceptual, batch):
    stage = gan_stage(perceptual, unit_descent)
    expected = total_loss(stage, batch)
    expected_discriminator = discriminator_loss(stage, batch)
    values = stage.train_step(batch)
    assert set(values) == {
        *PERCEPTUAL,
        "adversarial",
        "mse",
        "generator",
        "discriminator",
    }
    assert float(values["generator"]) == pytest.approx(expected, rel=1e-4)
    assert float(values["discriminator"]) == pytest.approx(
        expected_discriminator, rel=1e-4
    )


def test_equation_13_has_l1_and_one_layer(perceptual, batch):
    stage = gan_stage(
        perceptual,
        unit_descent,
        content_loss="l1",
        perceptual_weights={"block2_conv2": 1.0, "block1_conv2": 0.0},
    )
    fake = stage.generator(batch["lr"])
    values = stage.train_step(batch)
    l1 = np.abs(np.float64(batch["hr"]) - fake).mean()
    assert float(values["l1"]) == pytest.approx(l1, rel=1e-5)
    expected = (
        values["block2_conv2"]
        + ADVERSARIAL_WEIGHT * values["adversarial"]
        + CONTENT_WEIGHT * l1
    )
    assert float(values["generator"]) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_generator_descends_vgg_s_last_layer(tmp_path):
    """φ(5,4), four poolings deep, where 32 px are 2."""
    path = tmp_path / "vgg.h5"
    vgg.write_weights(path, blocks=5)
    perceptual = PerceptualLoss(["block5_conv4"], path)
    stage = GANStage(
        small_generator(),
        discriminator(32, filters=4, units=8),
        generator_optimizer=unit_descent(),
        discriminator_optimizer=unit_descent(),
        perceptual=perceptual,
        perceptual_weights={"block5_conv4": 1.0},
        adversarial_weight=0.0,
        content_loss="mse",
        content_weight=0.0,
    )
    random = np.random.default_rng(0)
    batch = {
        "hr": random.random((2, 32, 32, 1), dtype=np.float32),
        "lr": random.random((2, 8, 8, 1), dtype=np.float32),
    }

    def loss():
        fake = stage.generator(batch["lr"])
        return float(perceptual(batch["hr"], fake)["block5_conv4"])

    kernel = stage.generator.get_layer("f_rec").kernel
    expected, direction = slope(loss, kernel, 1e-3)
    start = loss()
    before = kernel.numpy()
    values = stage.train_step(batch)
    assert float(values["block5_conv4"]) == pytest.approx(start, rel=1e-4)
    moved = float(np.sum((before - kernel.numpy()) * direction))
    assert moved == pytest.approx(expected, rel=0.02)


def test_a_step_changes_both_networks_and_not_vgg(perceptual, batch):
    stage = gan_stage(perceptual, lambda: keras.optimizers.Adam(1e-3))
    networks = (stage.generator, stage.discriminator)
    before = [network.get_weights() for network in networks]
    frozen = perceptual.network.get_weights()
    stage.train_step(batch)
    for network, old in zip(networks, before, strict=True):
        for variable, value in zip(network.weights, old, strict=True):
            if variable.path == "logits/bias":
                continue  # It cancels in every relativistic difference.
            assert np.any(variable.numpy() != value), variable.path
    for one, other in zip(
        frozen, perceptual.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_psnr_stage_descends_l1(batch):
    stage = PSNRStage(small_generator(), unit_descent())
    kernel = stage.generator.get_layer("f_rec").kernel

    def loss():
        return np.abs(np.float64(batch["hr"]) - stage.generator(batch["lr"]))

    expected, direction = slope(lambda: loss().mean(), kernel, 1e-4)
    reported_loss = loss().mean()
    before = kernel.numpy()
    values = stage.train_step(batch)
    moved = float(np.sum((before - kernel.numpy()) * direction))
    assert moved == pytest.approx(expected, rel=0.01)
    assert float(values["l1"]) == pytest.approx(reported_loss, rel=1e-5)


def assert_same_weights(one, other):
    """All but λn, whose gradient is the noise that happened to be drawn."""
    for first, second in zip(one.weights, other.weights, strict=True):
        if first.name != "noise_weight":
            np.testing.assert_allclose(first, second, atol=1e-5)


def test_micro_batches_give_the_same_step(batch):
    whole = PSNRStage(small_generator(), unit_descent())
    parts = PSNRStage(small_generator(), unit_descent(), micro_batches=4)
    whole.train_step(batch)
    parts.train_step(batch)
    assert_same_weights(whole.generator, parts.generator)


def gradients_by_descent(stage, batch):
    """Weights before a step minus weights after, of both networks."""
    networks = (stage.generator, stage.discriminator)
    variables = [w for n in networks for w in n.trainable_variables]
    before = [w.numpy() for w in variables]
    values = stage.train_step(batch)
    moved = {
        w.path: old - w.numpy()
        for w, old in zip(variables, before, strict=True)
        if w.name != "noise_weight"
    }
    return values, moved


def test_gan_micro_batches_average_parts_taken_alone(perceptual, batch):
    def step(part, micro_batches=1):
        stage = gan_stage(perceptual, unit_descent, micro_batches=micro_batches)
        return gradients_by_descent(stage, part)

    halves = [
        {name: value[rows] for name, value in batch.items()}
        for rows in (slice(0, 2), slice(2, 4))
    ]
    alone = [step(half) for half in halves]
    whole_values, _ = step(batch)
    values, moved = step(batch, micro_batches=2)
    assert values.keys() == whole_values.keys()
    for name, value in values.items():
        expected = np.mean([float(part[name]) for part, _ in alone])
        assert float(value) == pytest.approx(expected, rel=1e-4), name
    for path, value in moved.items():
        expected = np.mean([part[path] for _, part in alone], axis=0)
        np.testing.assert_allclose(
            value, expected, rtol=1e-3, atol=1e-5, err_msg=path
        )
    # Statistics are a part's own, so the parts are not the whole batch.
    assert float(values["discriminator"]) != pytest.approx(
        float(whole_values["discriminator"]), rel=1e-3
    )


def test_rematerialised_blocks_give_the_same_step(batch):
    plain = PSNRStage(small_generator(noise_weight=0.1), unit_descent())
    with keras.RematScope("list_of_layers", layer_names=["dense_block"]):
        generator = small_generator(noise_weight=0.1)
    remat = PSNRStage(generator, unit_descent())
    convolutions = [
        graphs.count_operations(stage.train_step, batch)["Conv2D"]
        for stage in (plain, remat)
    ]
    assert convolutions[1] - convolutions[0] == 3 * 5  # Dense blocks alone.
    plain.train_step(batch)
    remat.train_step(batch)
    assert_same_weights(plain.generator, remat.generator)


@pytest.mark.slow
def test_xla_takes_the_same_step(perceptual, batch):
    """Both losses, both updates and the running mean in one compiled graph."""
    ends = []
    for xla in (False, True):
        stage = gan_stage(perceptual, lambda: keras.optimizers.SGD(1e-3))
        mean = RunningMean(stage.generator, small_generator(), decay=0.5)
        take_step = loop.compile_step(
            stage, tf.distribute.get_strategy(), mean, xla
        )
        assert take_step._jit_compile is xla
        tensors = {name: tf.constant(value) for name, value in batch.items()}
        ends.append((stage, mean, take_step(tensors)))
    (plain, plain_mean, values), (fast, fast_mean, fast_values) = ends
    for name, value in values.items():
        assert float(fast_values[name]) == pytest.approx(float(value), rel=1e-4)
    assert_same_weights(fast.generator, plain.generator)
    assert_same_weights(fast.discriminator, plain.discriminator)
    assert_same_weights(fast_mean.generator, plain_mean.generator)


def test_conditioned_generator_trains_on_its_degradation(batch):
    stage = PSNRStage(small_generator(conditioned=True), unit_descent())
    code = stage.generator.get_layer("degradation_code")
    stage.train_step(batch)  # The shifts start at zero, and so does its slope.
    before = code.get_weights()
    stage.train_step(batch)
    for one, other in zip(before, code.get_weights(), strict=True):
        assert np.any(one != other)


def psnr_kernel_steps(policy, optimizer, batch):
    """One step's moves of all kernels before the last, in float32."""
    keras.config.set_dtype_policy(policy)
    stage = PSNRStage(small_generator(), optimizer)
    last = stage.generator.get_layer("f_rec").kernel
    # Gradients below it then lie below float16's smallest number, 6e-8, and
    # every estimate below its target, so that no sign hangs on rounding.
    last.assign(3e-5 * last)
    kernels = [
        w
        for w in stage.generator.weights
        if w.name == "kernel" and w is not last
    ]
    before = [w.numpy() for w in kernels]
    stage.train_step({**batch, "hr": batch["hr"] + 0.5})
    return {
        w.path: old - w.numpy() for w, old in zip(kernels, before, strict=True)
    }


def test_float16_takes_float32_s_step(batch):
    def descent():
        return keras.optimizers.SGD(1e4)

    expected = psnr_kernel_steps("float32", descent(), batch)
    scaled = psnr_kernel_steps(
        "mixed_float16", keras.optimizers.LossScaleOptimizer(descent()), batch
    )
    unscaled = psnr_kernel_steps("mixed_float16", descent(), batch)
    assert len(expected) == 1 + 3 * 5 + 4
    for path, step in expected.items():
        size = np.linalg.norm(step)
        assert np.linalg.norm(scaled[path] - step) < 0.04 * size, path
        assert np.linalg.norm(unscaled[path] - step) > 0.5 * size, path


def test_float16_takes_float32_s_gan_step(perceptual, batch):
    """Both networks' losses are scaled, each by its own optimizer."""
    plain = gan_stage(perceptual, unit_descent)
    _, expected = gradients_by_descent(plain, batch)
    keras.config.set_dtype_policy("mixed_float16")
    scaled = gan_stage(
        perceptual,
        lambda: keras.optimizers.LossScaleOptimizer(
            unit_descent(),
            initial_scale=16,  # More, and these random VGG weights overflow.
        ),
    )
    _, found = gradients_by_descent(scaled, batch)
    kernels = [path for path in expected if path.endswith("kernel")]
    assert len(kernels) == 21 + 10
    for path in kernels:
        step = expected[path]
        error = np.linalg.norm(found[path] - step)
        assert error < 0.05 * np.linalg.norm(step), path


def test_running_mean_in_closed_form():
    generator = small_generator(seed=1)
    mean = RunningMean(generator, small_generator(seed=2), decay=0.9)
    first = generator.get_weights()
    for variable in generator.trainable_variables:
        variable.assign(variable + 1.0)
    for _ in range(3):
        mean.update(tf.distribute.get_strategy())
    for one, start in zip(mean.generator.get_weights(), first, strict=True):
        expected = start + 1.0 - 0.9**3
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-5)
