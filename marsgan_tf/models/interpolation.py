"""ESRGAN's network interpolation."""

import keras

from marsgan_tf import errors
from marsgan_tf.models import files


def interpolate(psnr, gan, alpha):
    """Mixes two generators of one architecture, weight by weight.

    Args:
        psnr: Generator of stage 1.
        gan: Generator of stage 2.
        alpha: Share of `gan`: 0 gives `psnr`, 1 gives `gan`.

    Returns:
        A new generator with the weights `(1 - alpha) * psnr + alpha * gan`.

    Raises:
        ModelError: If the architectures differ.

    Reference: Wang et al. 2018, https://arxiv.org/abs/1809.00219, section 3.4
    """
    shapes = [[w.shape for w in model.weights] for model in (psnr, gan)]
    if psnr.name != gan.name or shapes[0] != shapes[1]:
        raise errors.ModelError(
            "the two generators are of different architectures: "
            f"{psnr.name} with {psnr.count_params()} parameters and "
            f"{gan.name} with {gan.count_params()}"
        )
    mixed = keras.models.clone_model(gan)
    mixed.set_weights(
        [
            (1 - alpha) * one + alpha * other
            for one, other in zip(
                psnr.get_weights(), gan.get_weights(), strict=True
            )
        ]
    )
    return mixed


def interpolate_files(psnr_path, gan_path, output_path, alpha):
    """Writes the mix of two generator files to a third.

    Raises:
        ModelError: If a file cannot be read or the architectures differ.
    """
    mixed = interpolate(
        files.load_generator(psnr_path), files.load_generator(gan_path), alpha
    )
    files.save_generator(mixed, output_path)
