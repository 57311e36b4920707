import numpy as np
import pytest

from marsgan_tf.training import losses


@pytest.fixture
def images():
    generator = np.random.default_rng(0)
    return generator.random((2, 3, 5, 7, 1), dtype=np.float32)


@pytest.fixture
def logits():
    return np.random.default_rng(1).normal(0, 3, (2, 6, 1)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def test_content_losses_are_equation_8(images):
    target, estimate = images
    error = np.float64(target) - estimate
    np.testing.assert_allclose(
        losses.l1(target, estimate), np.abs(error).sum() / error.size, 1e-6
    )
    np.testing.assert_allclose(
        losses.mse(target, estimate), (error**2).sum() / error.size, 1e-6
    )


def relativistic(first, second):
    """D_Ra of eq. 7."""
    return sigmoid(first - second.mean())


def test_discriminator_loss_is_equation_10(logits):
    real, fake = logits
    expected = -np.log(relativistic(real, fake)).mean()
    expected -= np.log(1 - relativistic(fake, real)).mean()
    loss = losses.relativistic_discriminator(real, fake)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_generator_loss_is_equation_11(logits):
    real, fake = logits
    expected = -np.log(1 - relativistic(real, fake)).mean()
    expected -= np.log(relativistic(fake, real)).mean()
    loss = losses.relativistic_generator(real, fake)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_equal_logits_by_hand():
    same = np.full((4, 1), 2.5, np.float32)
    for loss in (
        losses.relativistic_discriminator,
        losses.relativistic_generator,
    ):
        np.testing.assert_allclose(loss(same, same), 2 * np.log(2), rtol=1e-6)


def test_far_logits_stay_finite():
    far = np.full((4, 1), 1e4, np.float32)
    assert losses.relativistic_discriminator(far, -far) == 0
    np.testing.assert_allclose(
        losses.relativistic_generator(far, -far), 4e4, rtol=1e-6
    )


def test_parts_of_a_batch_use_the_global_expectation(logits):
    real, fake = logits
    means = iter([fake.mean(), real.mean()] * 2)
    halves = [
        losses.relativistic_discriminator(
            real[part], fake[part], mean=lambda _: next(means)
        )
        for part in (slice(0, 3), slice(3, 6))
    ]
    whole = losses.relativistic_discriminator(real, fake)
    np.testing.assert_allclose(np.mean(halves), whole, rtol=1e-6)
