"""Trains what reads blur and noise: `python -m marsgan_tf.train_estimator`.

Its result, in the package, is what `predict --blur_sigma=auto` looks with.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, native_output


def main(config: configs.EstimatorConfig) -> None:
    """Writes the estimator."""
    with native_output.held_back():
        from marsgan_tf.training import estimator_run  # Loads TensorFlow.

    estimator_run.run(config)


if __name__ == "__main__":
    config_flags.launch(configs.EstimatorConfig, main)
