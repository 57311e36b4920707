"""Finds HiRISE observations by season, angles and pixel size.

    python -m pipelines.find_hirise --index=RDRCUMINDEX.LBL --output=list.txt \
        --solar_longitude=0,90 --emission=0,10 --map_scale=0.25,0.25

The list is what `fetch_hirise` and `build_tfrecords` take as
`--observation_list`.
"""

from marsgan_tf import config_flags
from pipelines.find_hirise_config import FindConfig


def run(config: FindConfig) -> None:
    """Imports what the work needs, and does it."""
    from pipelines import hirise_search

    hirise_search.run(config)


if __name__ == "__main__":
    config_flags.launch(FindConfig, run)
