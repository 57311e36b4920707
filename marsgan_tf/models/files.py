"""Generator files: `.keras`, written in one step, read with clear errors."""

import os

from marsgan_tf import errors, signals, staging
from marsgan_tf.models import generator_file

_REASON_CHARACTERS = 200
_EXTENSION = ".keras"


def save_generator(generator, path):
    """Writes a generator; the file appears whole or not at all.

    Args:
        generator: A model built by `generators`.
        path: File that ends in `.keras`; an existing one is replaced.
    """
    # Keras has temporary files of its own.
    with signals.deferred(), staging.staged(path) as temporary:
        generator.save(temporary)


def load_generator(path):
    """Reads a generator file.

    Raises:
        ModelError: If the file is missing, damaged, or no generator of ours.
    """
    if not os.path.isfile(path):
        raise errors.ModelError(f"{path}: no such generator file")
    if not os.fspath(path).endswith(_EXTENSION):
        raise errors.ModelError(
            f"{path}: must end in {_EXTENSION}; give the file that training "
            "wrote"
        )
    try:
        return generator_file.read(path)
    # Which of them a damaged file raises is up to ZIP, Keras and h5py.
    except Exception as error:
        raise errors.ModelError(
            f"{path}: no generator file, or a damaged one: copy it again from "
            f"its origin, or train it again ({_reason(error)})"
        ) from None


def _reason(error):
    """An error's first words; Keras adds a model's whole description."""
    return " ".join(str(error).split())[:_REASON_CHARACTERS]
