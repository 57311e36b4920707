"""Scalar training losses: no state, no configuration, no flags.

Images are float32 `(batch, height, width, 1)`, stretched to [0, 1]; logits
are unsquashed discriminator outputs `(batch, 1)`. Every loss is a mean over
the batch, so that parts of a batch can be averaged.
"""

from keras import ops


def l1(target, estimate):
    """Mean absolute error.

    Reference: Tao et al. 2021, eq. 8
    """
    return ops.mean(ops.abs(target - estimate))


def mse(target, estimate):
    """Mean squared error.

    Reference: Tao et al. 2021, eq. 8
    """
    return ops.mean(ops.square(target - estimate))


def relativistic_discriminator(real_logits, fake_logits, mean=ops.mean):
    """Loss of the relativistic average discriminator.

    Low when every real logit lies above the mean of the fake ones and every
    fake logit below the mean of the real ones. No factor 1/2.

    Args:
        real_logits: Of reference images.
        fake_logits: Of generated images.
        mean: Expectation over the global batch, from the local logits.

    Reference: Tao et al. 2021, eq. 7 and 10
    """
    return _cross_entropy(
        real_logits - mean(fake_logits), 1.0
    ) + _cross_entropy(fake_logits - mean(real_logits), 0.0)


def relativistic_generator(real_logits, fake_logits, mean=ops.mean):
    """Adversarial loss of the generator, the discriminator's mirrored.

    Arguments as for `relativistic_discriminator`.

    Reference: Tao et al. 2021, eq. 7 and 11
    """
    return _cross_entropy(
        real_logits - mean(fake_logits), 0.0
    ) + _cross_entropy(fake_logits - mean(real_logits), 1.0)


def _cross_entropy(logits, label):
    """Mean of -log(sigmoid) for label 1, of -log(1 - sigmoid) for label 0."""
    sign = 1.0 - 2.0 * label
    return ops.mean(ops.softplus(sign * logits))
