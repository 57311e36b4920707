"""Mixes two generators: `python -m marsgan_tf.interpolate --alpha=0.8 ...`.

`(1 - alpha) * psnr + alpha * gan`, weight by weight: ESRGAN's network
interpolation, which trades sharpness against invention.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, native_output


def main(config: configs.InterpolateConfig) -> None:
    """Writes the mixed generator."""
    with native_output.held_back():
        from marsgan_tf.models import interpolation  # Loads TensorFlow.

    interpolation.interpolate_files(
        config.psnr,
        config.gan,
        config.output,
        config.alpha,
        overwrite=config.overwrite,
    )


if __name__ == "__main__":
    config_flags.launch(configs.InterpolateConfig, main)
