"""Generator files: `.keras`, written in one step, read with clear errors."""

import os
import zipfile

import keras

from marsgan_tf import errors


def save_generator(generator, path):
    """Writes a generator beside its name, then renames it.

    Args:
        generator: A model built by `generators`.
        path: File that ends in `.keras`; an existing one is replaced.
    """
    stem, suffix = os.path.splitext(path)
    temporary = f"{stem}.{os.getpid()}.partial{suffix}"
    try:
        generator.save(temporary)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def load_generator(path):
    """Reads a generator file.

    Raises:
        ModelError: If the file is missing, damaged, or no generator of ours.
    """
    if not os.path.isfile(path):
        raise errors.ModelError(f"{path}: no such generator file")
    try:
        generator = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise errors.ModelError(
            f"{path}: not a readable generator file ({error}); train it again "
            "or copy it again from its origin"
        ) from None
    except zipfile.BadZipFile:
        raise errors.ModelError(
            f"{path}: damaged; train it again or copy it again from its origin"
        ) from None
    return generator
