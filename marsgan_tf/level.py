"""Levels a generator's sub-pixels: `python -m marsgan_tf.level ...`.

Adversarial training may leave a faint checkerboard; it is measured on pairs
and taken out of the biases.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, native_output


def main(config: configs.LevelConfig) -> None:
    """Writes the levelled generator."""
    with native_output.held_back():
        from marsgan_tf.training import levelling_run  # Loads TensorFlow.

    levelling_run.run(config)


if __name__ == "__main__":
    config_flags.launch(configs.LevelConfig, main)
