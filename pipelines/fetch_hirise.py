"""Fetches HiRISE images and their labels from the archive.

    python -m pipelines.fetch_hirise --observation_list=list.txt \
        --output_dir=DIR

What was cut off goes on when the command is given again; what is complete is
not fetched again.
"""

from marsgan_tf import config_flags
from pipelines.fetch_hirise_config import FetchConfig


def run(config: FetchConfig) -> None:
    """Imports what the work needs, and does it."""
    from pipelines import hirise_fetch

    hirise_fetch.run(config)


if __name__ == "__main__":
    config_flags.launch(
        FetchConfig,
        run,
        if_interrupted="interrupted; the same command continues",
    )
