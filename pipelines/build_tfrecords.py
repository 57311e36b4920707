"""Builds a dataset of training pairs from orbital images.

    python -m pipelines.build_tfrecords --input='images/*.JP2' --output_dir=DIR

A build that was interrupted continues when the command is given again.
"""

from marsgan_tf import config_flags
from pipelines.build_config import BuildConfig


def run(config: BuildConfig) -> None:
    """Imports what the work needs, and does it."""
    from pipelines import build

    build.run(config)


if __name__ == "__main__":
    config_flags.launch(
        BuildConfig,
        run,
        if_interrupted="interrupted; the same command continues",
    )
