"""Stage 2: the adversarial training step."""

import tensorflow as tf

from marsgan_tf.models.generators import generator_inputs
from marsgan_tf.training import gradients, losses

CONTENT_LOSSES = {"mse": losses.mse, "l1": losses.l1}


class GANStage:
    """Generator and discriminator, updated from one forward pass.

    Both gradients are taken at the same weights, then both are applied: what
    ESRGAN's authors do when they update the generator first and then show the
    discriminator the images from before. The generator minimises
    `sum(weight * perceptual) + adversarial_weight * Ra + content_weight *
    content`: eq. 12 of the paper, and eq. 13 with one perceptual layer and
    L1.

    Args:
        generator: The generator, from stage 1.
        discriminator: Maps images to logits.
        generator_optimizer: A Keras optimizer that is built here.
        discriminator_optimizer: Another.
        perceptual: Maps target and estimate to `{layer: loss}`.
        perceptual_weights: `{layer: weight}`.
        adversarial_weight: λ.
        content_loss: Key of `CONTENT_LOSSES`.
        content_weight: η.
        micro_batches: Parts of a batch whose gradients are summed; batch
            statistics and relativistic means are then those of a part.

    Reference: Tao et al. 2021, eq. 7-13
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        generator_optimizer,
        discriminator_optimizer,
        perceptual,
        perceptual_weights,
        adversarial_weight,
        content_loss,
        content_weight,
        micro_batches=1,
    ):
        self.generator = generator
        self.discriminator = discriminator
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.perceptual = perceptual
        self.perceptual_weights = perceptual_weights
        self.adversarial_weight = adversarial_weight
        self.content_loss = content_loss
        self.content_weight = content_weight
        self.micro_batches = micro_batches
        generator_optimizer.build(generator.trainable_variables)
        discriminator_optimizer.build(discriminator.trainable_variables)

    def state(self):
        """All variables that a step changes, by name of their owner."""
        return {
            "generator": self.generator.variables,
            "generator_optimizer": self.generator_optimizer.variables,
            "discriminator": self.discriminator.variables,
            "discriminator_optimizer": self.discriminator_optimizer.variables,
        }

    def train_step(self, batch):
        """Updates both networks; runs on one replica.

        Args:
            batch: `hr`, `lr` and `degradation` of `records`.

        Returns:
            Scalars, the replica's means: `generator` (the total),
            `discriminator`, `adversarial`, the content loss and each
            perceptual layer by their names, all unweighted but the total.
        """
        values, (generator_steps, discriminator_steps) = gradients.accumulate(
            self._gradients, batch, self.micro_batches
        )
        self.generator_optimizer.apply(
            generator_steps, self.generator.trainable_variables
        )
        self.discriminator_optimizer.apply(
            discriminator_steps, self.discriminator.trainable_variables
        )
        return values

    def _gradients(self, batch):
        with tf.GradientTape(persistent=True) as tape:
            values = self._losses(batch)
            generator_loss = self.generator_optimizer.scale_loss(
                gradients.replica_share(values["generator"])
            )
            discriminator_loss = self.discriminator_optimizer.scale_loss(
                gradients.replica_share(values["discriminator"])
            )
        steps = (
            tape.gradient(generator_loss, self.generator.trainable_variables),
            tape.gradient(
                discriminator_loss, self.discriminator.trainable_variables
            ),
        )
        return values, steps

    def _losses(self, batch):
        real = batch["hr"]
        inputs = generator_inputs(self.generator, batch)
        fake = self.generator(inputs, training=True)
        real_logits = self.discriminator(real, training=True)
        fake_logits = self.discriminator(fake, training=True)
        mean = gradients.global_mean
        values = {
            **self.perceptual(real, fake),
            "adversarial": losses.relativistic_generator(
                real_logits, fake_logits, mean
            ),
            self.content_loss: CONTENT_LOSSES[self.content_loss](real, fake),
        }
        weights = {
            **self.perceptual_weights,
            "adversarial": self.adversarial_weight,
            self.content_loss: self.content_weight,
        }
        total = sum(weights[name] * value for name, value in values.items())
        discriminator = losses.relativistic_discriminator(
            real_logits, fake_logits, mean
        )
        return {**values, "generator": total, "discriminator": discriminator}
