"""ESRGAN's network interpolation."""

import os

import keras

from marsgan_tf import errors
from marsgan_tf.models import files
from marsgan_tf.models.generators import same_architecture


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
    if not same_architecture(psnr, gan):
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


def interpolate_files(
    psnr_path, gan_path, output_path, alpha, *, overwrite=False
):
    """Writes the mix of two generator files to a third.

    Raises:
        ModelError: If a file cannot be read, the architectures differ, or
            the output exists and `overwrite` is not set, or is an input.
    """
    inputs = [os.path.realpath(path) for path in (psnr_path, gan_path)]
    if os.path.realpath(output_path) in inputs:
        raise errors.ModelError(
            f"{output_path}: is an input as well; choose another --output"
        )
    if os.path.exists(output_path) and not overwrite:
        raise errors.ModelError(
            f"{output_path}: exists; choose another --output, or add "
            "--overwrite"
        )
    psnr, gan = map(files.load_generator, (psnr_path, gan_path))
    try:
        mixed = interpolate(psnr, gan, alpha)
    except errors.ModelError as error:
        raise errors.ModelError(
            f"{psnr_path} and {gan_path}: {error}"
        ) from None
    files.save_generator(mixed, output_path)
