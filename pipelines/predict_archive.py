"""Super-resolves an archive of images, resumable scene by scene.

    python -m pipelines.predict_archive --inputs=LIST --output_dir=DIR

A run that was interrupted or killed continues when the command is given again.
"""

from marsgan_tf import config_flags
from pipelines.archive_config import ArchiveConfig


def run(config: ArchiveConfig) -> None:
    """Imports what the work needs, and does it."""
    from pipelines import archive

    archive.run(config)


if __name__ == "__main__":
    config_flags.launch(
        ArchiveConfig,
        run,
        if_interrupted="interrupted; the same command continues",
    )
