"""Tiny exported models, each made once a session and shared by all tests.

Tests only read them: one that damages a model copies it before.
"""

import atexit
import functools
import os
import shutil
import tempfile

from tiny_generators import quiet, scattered

from marsgan_tf import config
from marsgan_tf.deployment import exporting
from marsgan_tf.models import files

BLUR_SIGMA = 1.2  # What every model was exported with, px of the output.
NOISE_SIGMA = 0.004

# How far an answer looks, px of the input: MARSGAN's 15 convolutions in one
# block, one before, and an 11x11 kernel after.
REACH_PX = 21


@functools.cache
def generator(kind):
    """The Keras model behind `exported(kind)`."""
    make = {
        "plain": lambda: quiet(scattered()),
        "plain-psnr": lambda: quiet(scattered(seed=1)),
        "noisy": scattered,
        "conditioned": lambda: scattered(conditioned=True),
        "esrgan": lambda: scattered("esrgan"),
    }
    return make[kind]()


@functools.cache
def exported(kind):
    """The folder of an exported model, as `--model` takes it.

    Args:
        kind: "plain", whose noise weights are 0; "plain-psnr", with other
            weights; "noisy", whose are not;
            "conditioned", with noise too; or "esrgan".
    """
    weights = os.path.join(_folder(), f"{kind}.keras")
    files.save_generator(generator(kind), weights)
    output = os.path.join(_folder(), kind)
    exporting.export(
        config.ExportConfig(
            weights=weights,
            output=output,
            blur_sigma=BLUR_SIGMA,
            noise_sigma=NOISE_SIGMA,
        )
    )
    return output


@functools.cache
def _folder():
    folder = tempfile.mkdtemp(prefix="marsgan_models_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
