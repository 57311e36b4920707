"""Running mean of a generator's weights."""


class RunningMean:
    """Exponential moving average: `mean <- decay * mean + (1-decay) * weight`.

    Args:
        generator: The generator that is trained.
        copy: Another of the same architecture; takes its weights here, and
            holds the mean from then on.
        decay: From 0 to below 1.
    """

    def __init__(self, generator, copy, decay):
        self.generator = copy
        self.decay = decay
        self._weights = generator.trainable_variables
        copy.set_weights(generator.get_weights())

    def update(self, strategy):
        """Takes one step, outside of any replica."""
        means = self.generator.trainable_variables
        for mean, weight in zip(means, self._weights, strict=True):
            strategy.extended.update(
                mean.value,
                lambda old, new: old.assign(
                    self.decay * old + (1 - self.decay) * new
                ),
                args=(weight.value,),
            )
