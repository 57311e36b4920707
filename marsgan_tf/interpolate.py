"""Mixes two generators: `python -m marsgan_tf.interpolate --alpha=0.8 ...`.

`(1 - alpha) * psnr + alpha * gan`, weight by weight: ESRGAN's network
interpolation, which trades sharpness against invention.
"""

from marsgan_tf import config, config_flags, native_output


def main(interpolate_config: config.InterpolateConfig) -> None:
    """Writes the mixed generator."""
    with native_output.held_back():
        from marsgan_tf.models import interpolation  # Loads TensorFlow.

    interpolation.interpolate_files(
        interpolate_config.psnr,
        interpolate_config.gan,
        interpolate_config.output,
        interpolate_config.alpha,
    )


if __name__ == "__main__":
    config_flags.launch(config.InterpolateConfig, main)
