"""Stage 1: the generator learns to minimise L1 alone."""

import tensorflow as tf

from marsgan_tf.models.generators import generator_inputs
from marsgan_tf.training import gradients, losses


class PSNRStage:
    """A generator and its optimizer.

    Args:
        generator: The generator.
        optimizer: A Keras optimizer that is built here.
        micro_batches: Parts of a batch whose gradients are summed.
    """

    def __init__(self, generator, optimizer, *, micro_batches=1):
        self.generator = generator
        self.optimizer = optimizer
        self.micro_batches = micro_batches
        optimizer.build(generator.trainable_variables)

    def state(self):
        """All variables that a step changes, by name of their owner."""
        return {
            "generator": self.generator.variables,
            "generator_optimizer": self.optimizer.variables,
        }

    def train_step(self, batch):
        """Updates the generator; runs on one replica.

        Args:
            batch: `hr`, `lr` and `degradation` of `records`.

        Returns:
            `{"l1": scalar}`, the replica's mean.
        """
        values, steps = gradients.accumulate(
            self._gradients, batch, self.micro_batches
        )
        self.optimizer.apply(steps, self.generator.trainable_variables)
        return values

    def _gradients(self, batch):
        with tf.GradientTape() as tape:
            inputs = generator_inputs(self.generator, batch)
            loss = losses.l1(batch["hr"], self.generator(inputs, training=True))
            scaled = self.optimizer.scale_loss(gradients.replica_share(loss))
        return {"l1": loss}, tape.gradient(
            scaled, self.generator.trainable_variables
        )
