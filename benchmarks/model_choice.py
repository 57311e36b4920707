"""Models by name, exported with the weights that training starts from."""

import os

from marsgan_tf import native_output
from marsgan_tf.config import ExportConfig

# Name -> architecture and what differs from its default sizes.
FRESH = {
    "small": ("marsgan", {"blocks": 8, "features": 32, "growth": 16}),
    "full": ("marsgan", {}),
    "esrgan": ("esrgan", {}),
}
HELP = (
    f"{', '.join(FRESH)} (fresh weights), generator files (.keras), or folders "
    "of exported models"
)


def find(name: str, folder: str) -> tuple[str, str]:
    """An exported model, made in `folder` unless `name` is one.

    Returns:
        Its folder, and the generator's file; empty where that is not known.
    """
    generator = os.path.join(folder, "generator.keras")
    if name in FRESH:
        _save_fresh(name, generator)
    elif name.endswith(".keras"):
        generator = name
    else:
        return name, ""
    exported = os.path.join(folder, "model")
    with native_output.held_back():
        from marsgan_tf.deployment import exporting

        exporting.export(ExportConfig(weights=generator, output=exported))
    return exported, generator


def _save_fresh(name: str, path: str) -> None:
    architecture, sizes = FRESH[name]
    with native_output.held_back():
        from marsgan_tf.models import files, generators

        generator = getattr(generators, architecture)(**sizes)
    files.save_generator(generator, path)
