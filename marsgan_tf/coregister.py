"""Registers images: `python -m marsgan_tf.coregister --input=... ...`.

One image is brought onto the pixels of another of the same ground, whatever
its pixel size, CRS and sun, so that the two can be compared pixel by pixel; or
it is said why that cannot be trusted.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, signals


def main(config: configs.CoregisterConfig) -> None:
    """Writes the registered raster, its map and its figure."""
    with signals.deferred():  # Matplotlib may lock its list of fonts.
        from marsgan_tf.assessment import registration_run

    registration_run.coregister(config)


if __name__ == "__main__":
    config_flags.launch(configs.CoregisterConfig, main)
