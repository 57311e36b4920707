"""Networks, optimizers and stages, built from a run's settings."""

import keras

from marsgan_tf import errors
from marsgan_tf.models import files, generators
from marsgan_tf.models.discriminator import discriminator
from marsgan_tf.training.gan_stage import GANStage
from marsgan_tf.training.psnr_stage import PSNRStage

_NEVER = 2**31 - 1  # A step that no stage reaches.


def build_generator(config):
    """The generator that the settings ask for, in the current dtype policy."""
    shared = {
        "blocks": config.blocks,
        "features": config.features,
        "growth": config.growth,
        "seed": config.seed,
    }
    if config.architecture == "esrgan":
        return generators.esrgan(**shared)
    return generators.marsgan(
        reconstruction_channels=config.reconstruction_channels,
        noise_weight=config.noise_weight,
        per_channel=config.per_channel,
        trunk_skip=config.trunk_skip,
        conditioned=config.conditioned,
        **shared,
    )


def build_trained_generator(config):
    """The same; its dense blocks compute twice if `remat` asks for it."""
    if not config.remat:
        return build_generator(config)
    # Dense blocks only: what draws noise must not be computed twice.
    with keras.RematScope("list_of_layers", layer_names=["dense_block"]):
        return build_generator(config)


def build_portable_generator(config, trained):
    """A float32 generator with the weights of a trained one."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        generator = build_generator(config)
    finally:
        keras.config.set_dtype_policy(policy)
    generator.set_weights(trained.get_weights())
    return generator


def build_optimizer(config):
    """Adam with halvings of its step size, and loss scaling in float16.

    Reference: Tao et al. 2021, section 2.4
    """
    # A schedule even without halvings: a plain rate would be a variable, and
    # come back from a checkpoint in place of a new setting.
    boundaries = list(config.halve_at) or [_NEVER]
    rates = [config.learning_rate / 2**k for k in range(len(boundaries) + 1)]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    adam = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999)
    if config.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam


def build_psnr_stage(config):
    """Stage 1, from a fresh generator or the one to start from.

    Raises:
        ModelError: If that one is of another architecture than the settings.
    """
    generator = build_trained_generator(config)
    if config.start_from:
        load_weights(generator, config.start_from)
    return PSNRStage(
        generator,
        build_optimizer(config),
        micro_batches=config.micro_batches,
    )


def build_gan_stage(config, *, generator_path, perceptual, replicas):
    """Stage 2, from stage 1's generator file.

    Raises:
        ModelError: If the file is of another architecture than the settings.
    """
    generator = build_trained_generator(config)
    load_weights(generator, generator_path)
    weights = zip(
        config.perceptual_layers, config.perceptual_weights, strict=True
    )
    return GANStage(
        generator,
        discriminator(
            config.hr_size,
            filters=config.discriminator_filters,
            units=config.discriminator_units,
            synchronized=replicas > 1,
            seed=config.seed,
        ),
        generator_optimizer=build_optimizer(config),
        discriminator_optimizer=build_optimizer(config),
        perceptual=perceptual,
        perceptual_weights=dict(weights),
        adversarial_weight=config.adversarial_weight,
        content_loss=config.content_loss,
        content_weight=config.content_weight,
        micro_batches=config.micro_batches,
    )


def load_weights(generator, path):
    """Gives a generator the weights of a generator file.

    Raises:
        ModelError: If the file is of another architecture.
    """
    source = files.load_generator(path)
    if not generators.same_architecture(source, generator):
        raise errors.ModelError(
            f"{path}: a {source.name} with {source.count_params()} parameters, "
            f"but the flags ask for a {generator.name} with "
            f"{generator.count_params()}; use the flags that it was trained "
            "with, or another generator"
        )
    generator.set_weights(source.get_weights())
