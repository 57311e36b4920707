"""Tiny generators with no weight at its start value."""

import numpy as np

from marsgan_tf.models.generators import esrgan, marsgan

BUILD = {"marsgan": marsgan, "esrgan": esrgan}
SMALL = {"blocks": 1, "features": 8, "growth": 4}


def scattered(architecture="marsgan", seed=0, **options):
    """A generator whose every weight is a draw around its start value.

    Args:
        architecture: "marsgan" or "esrgan".
        seed: Of the draws.
        **options: Of the builder, in place of `SMALL`'s.
    """
    if architecture == "marsgan":
        options = {"reconstruction_channels": 2, **options}
    generator = BUILD[architecture](**{**SMALL, **options})
    random = np.random.default_rng(seed)
    generator.set_weights(
        [
            weight + random.normal(0.0, 0.1, weight.shape)
            for weight in generator.get_weights()
        ]
    )
    return generator


def quiet(generator):
    """The same generator with all its noise weights at 0."""
    for weight in generator.weights:
        if weight.name == "noise_weight":
            weight.assign(0.0 * weight)
    return generator


def images(*shape, seed=0):
    """Low-resolution images in [0, 1]: `(batch, height, width, 1)`."""
    random = np.random.default_rng(seed)
    return random.random((*shape, 1), dtype=np.float32)
