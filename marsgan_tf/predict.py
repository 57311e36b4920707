"""Super-resolves images: `python -m marsgan_tf.predict --input=... ...`.

A raster of any size comes out at a quarter of the pixel size, over the same
ground, in the same units.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags


def main(config: configs.PredictConfig) -> None:
    """Writes the super-resolved rasters."""
    from marsgan_tf.inference import predicting

    predicting.predict(config)


if __name__ == "__main__":
    config_flags.launch(configs.PredictConfig, main)
