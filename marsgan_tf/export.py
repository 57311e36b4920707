"""Exports a generator: `python -m marsgan_tf.export --workdir=RUN ...`.

The result is a folded SavedModel, checked against the Keras model, in the
next version's folder below `--output`; `--format=onnx` writes one file.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, native_output


def main(config: configs.ExportConfig) -> None:
    """Writes the exported model."""
    with native_output.held_back():
        from marsgan_tf.deployment import exporting  # Loads TensorFlow.

    exporting.export(config)


if __name__ == "__main__":
    config_flags.launch(configs.ExportConfig, main)
