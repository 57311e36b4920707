"""Trains a generator: `python -m marsgan_tf.train --flagfile=exp3.flags`.

Runs both stages of an experiment from whatever exists: a finished stage is
not run again, an interrupted one goes on at its step.
"""

from marsgan_tf import config, config_flags, native_output


def main(train_config: config.TrainConfig) -> None:
    """Runs the experiment."""
    with native_output.held_back():
        from marsgan_tf.training import run  # Loads TensorFlow.

    run.run(train_config)


if __name__ == "__main__":
    config_flags.launch(config.TrainConfig, main)
