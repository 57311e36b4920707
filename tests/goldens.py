"""Small networks and images whose outputs are kept in `goldens/`.

Weights and inputs come from NumPy's `RandomState`, whose streams never change
(NEP 19), so that no framework's random numbers enter.
"""

import pathlib

import numpy as np

from marsgan_tf.imaging.degrade import degrade
from marsgan_tf.models.discriminator import discriminator
from marsgan_tf.models.generators import esrgan, generator_inputs, marsgan

FOLDER = pathlib.Path(__file__).parent / "goldens"
_GENERATOR = {"blocks": 1, "features": 4, "growth": 3}
_MARSGAN = {**_GENERATOR, "reconstruction_channels": 2}


def set_random_weights(model, random):
    """Draws every weight, in Keras' order.

    Kernels keep the variance of their input and normalisations raise it, so
    that the image, and not the biases alone, decides the output.
    """
    for weight in model.weights:
        values = random.normal(size=tuple(weight.shape))
        if weight.name == "kernel":
            values /= np.sqrt(np.prod(weight.shape[:-1]))
        if weight.name == "moving_variance":
            values = 0.02 * (1 + values**2)
        weight.assign(values)


def _images(random, shape):
    return random.uniform(size=shape).astype(np.float32)


def generator_output(build, options):
    """Answer of a generator to a 5x6 image with a code, if it takes one."""
    random = np.random.RandomState(1)
    batch = {
        "lr": _images(random, (1, 5, 6, 1)),
        "degradation": np.array([[1.2, 0.02]], np.float32),
    }
    model = build(**options)
    set_random_weights(model, random)
    return np.asarray(model(generator_inputs(model, batch)))


def discriminator_output(training):
    """Logits of three images."""
    random = np.random.RandomState(2)
    images = _images(random, (3, 16, 16, 1))
    model = discriminator(16, filters=2, units=5)
    set_random_weights(model, random)
    return np.asarray(model(images, training=training))


def degrade_output(blur_sigma):
    """An image of 22x27 px, whose last rows and columns are left over.

    Few pixels are bright, so that the tails of the filter show.
    """
    image = _images(np.random.RandomState(3), (22, 27)) ** 30
    return degrade(image, blur_sigma)


CASES = {
    "marsgan": lambda: generator_output(marsgan, _MARSGAN),
    "marsgan_conditioned": lambda: generator_output(
        marsgan, {**_MARSGAN, "conditioned": True}
    ),
    "marsgan_trunk_skip_per_channel": lambda: generator_output(
        marsgan, {**_MARSGAN, "trunk_skip": True, "per_channel": True}
    ),
    "esrgan": lambda: generator_output(esrgan, _GENERATOR),
    "discriminator": lambda: discriminator_output(training=False),
    "discriminator_training": lambda: discriminator_output(training=True),
    "degrade_bicubic": lambda: degrade_output(0.0),
    "degrade_blurred": lambda: degrade_output(1.3),
}
