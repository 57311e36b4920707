"""Generator files: `.keras`, written in one step, read with clear errors."""

import os
import zipfile

import keras

import marsgan_tf.layers  # noqa: F401  Registers what the files hold.
from marsgan_tf import errors, staging
from marsgan_tf.config import ARCHITECTURES

_REASON_CHARACTERS = 200


def save_generator(generator, path):
    """Writes a generator; the file appears whole or not at all.

    Args:
        generator: A model built by `generators`.
        path: File that ends in `.keras`; an existing one is replaced.
    """
    with staging.staged(path) as temporary:
        generator.save(temporary)


def load_generator(path):
    """Reads a generator file.

    Raises:
        ModelError: If the file is missing, damaged, or no generator of ours.
    """
    if not os.path.isfile(path):
        raise errors.ModelError(f"{path}: no such generator file")
    try:
        generator = keras.models.load_model(path, compile=False)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as error:
        raise errors.ModelError(
            f"{path}: no generator file, or a damaged one: copy it again from "
            f"its origin, or train it again ({_reason(error)})"
        ) from None
    if generator.name not in ARCHITECTURES:
        raise errors.ModelError(
            f"{path}: holds a model named {generator.name}, no generator; "
            "take the generator.keras of a training run"
        )
    return generator


def _reason(error):
    """An error's first words; Keras adds a model's whole description."""
    return " ".join(str(error).split())[:_REASON_CHARACTERS]
