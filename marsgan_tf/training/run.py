"""Runs an experiment: what is missing of it, from whatever exists."""

import contextlib
import dataclasses
import os

import keras
import tensorflow as tf
from absl import logging

from marsgan_tf import config as configs
from marsgan_tf import errors, signals
from marsgan_tf.dataset import manifest as manifests
from marsgan_tf.models import files
from marsgan_tf.training import (
    build,
    loop,
    noise,
    previews,
    records,
    soundness,
    validation,
)
from marsgan_tf.training.checkpoints import Checkpoints
from marsgan_tf.training.ema import RunningMean
from marsgan_tf.training.perceptual import PerceptualLoss
from marsgan_tf.training.reporter import Reporter
from marsgan_tf.training.run_folder import RunFolder

_STAGES = ("psnr", "gan")
_STRATEGIES = {
    "one": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
}
_PREVIEW_PAIRS = 4


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What both stages share.

    Attributes:
        config: The `TrainConfig`.
        manifest: The dataset's `Manifest`.
        strategy: The `tf.distribute.Strategy`.
        received: The signals that ask the run to save and end.
    """

    config: configs.TrainConfig
    manifest: manifests.Manifest
    strategy: tf.distribute.Strategy
    received: list[int]


def run(config):
    """Runs both stages; a finished one is left, an interrupted one resumed.

    Args:
        config: A `TrainConfig`.

    Returns:
        Path of the last stage's generator.

    Raises:
        DatasetError: If the dataset is missing or does not fit.
        ModelError: If VGG weights or a generator file do not fit; VGG
            weights are looked for before stage 1 begins.
        SettingsError: If the settings do not fit the devices or a stage that
            was begun with others.
        CheckpointError: If a checkpoint cannot be written, or none be read.
        NonFiniteLossError: If a loss is NaN or infinite.
        Interrupted: On SIGTERM or SIGINT, after a checkpoint.
    """
    manifest = manifests.load(config.dataset)
    _check_dataset(manifest, config)
    tf.random.set_seed(records.GLOBAL_SEED)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(config.precision)
    strategy = _STRATEGIES[config.strategy]()
    _check_replicas(config, strategy.num_replicas_in_sync)
    with signals.collected() as received:
        return _run_stages(Experiment(config, manifest, strategy, received))


def _run_stages(experiment):
    """Completes the stages in turn; returns the last one's result."""
    config = experiment.config
    first = RunFolder(
        os.path.join(config.psnr_workdir or config.workdir, "psnr"), "psnr"
    )
    second = RunFolder(os.path.join(config.workdir, "gan"), "gan")
    perceptual = None
    if config.gan_steps and not second.is_done:
        # Before stage 1, so that missing weights are not told days later.
        with experiment.strategy.scope():
            perceptual = PerceptualLoss(
                config.perceptual_layers, config.vgg_weights
            )
    _complete(
        experiment,
        first,
        config.psnr_steps,
        lambda: build.build_psnr_stage(config),
    )
    if not config.gan_steps:
        return first.result
    if experiment.received:
        raise errors.Interrupted(
            "stopped between the stages; the same command goes on with stage 2",
            experiment.received[0],
        )
    _complete(
        experiment,
        second,
        config.gan_steps,
        lambda: build.build_gan_stage(
            config,
            generator_path=first.result,
            perceptual=perceptual,
            replicas=experiment.strategy.num_replicas_in_sync,
        ),
    )
    return second.result


def _check_dataset(manifest, config):
    if not manifest.record_count("train"):
        raise errors.DatasetError(
            f"{manifest.directory}: no pairs to train on; build it from more "
            "scenes, or with a smaller --validation_fraction"
        )
    if config.hr_size > manifest.hr_size:
        raise errors.DatasetError(
            f"{manifest.directory}: its patches have {manifest.hr_size} px, "
            f"less than --hr_size={config.hr_size}; build it again with "
            f"--hr_size={config.hr_size}"
        )
    if manifest.scale != records.SCALE:
        raise errors.DatasetError(
            f"{manifest.directory}: its scale is {manifest.scale}, training "
            f"needs {records.SCALE}"
        )


def _check_replicas(config, replicas):
    logging.info(
        "training on %d device(s) of %s",
        replicas,
        [device.name for device in tf.config.list_logical_devices()],
    )
    if config.strategy == "mirrored" and replicas == 1:
        logging.warning("--strategy=mirrored found one device: no gain in it")
    if config.batch_size % (replicas * config.micro_batches):
        raise errors.SettingsError(
            f"--batch_size={config.batch_size} cannot be shared by {replicas} "
            f"devices in {config.micro_batches} micro batches; choose a "
            f"multiple of {replicas * config.micro_batches}"
        )


def _complete(experiment, folder, steps, make_stage):
    """Trains a stage to its end, unless that is done."""
    config = experiment.config
    if folder.is_done:
        folder.warn_of_differences(config)
        logging.info("stage %s: done, %s", folder.stage, folder.result)
        return
    folder.check(config)
    with experiment.strategy.scope():
        stage = make_stage()
        mean = None
        if config.ema_decay:
            copy = build.build_generator(config)
            mean = RunningMean(stage.generator, copy, config.ema_decay)
    folder.claim(config)
    folder.record("dataset", _describe(experiment.manifest))
    _train(experiment, folder, stage, mean, steps)
    best = mean.generator if mean else stage.generator
    files.save_generator(
        build.build_portable_generator(config, best), folder.result
    )
    logging.info("stage %s: done, %s", folder.stage, folder.result)


def _describe(manifest):
    """What a result was made from, as a model's description tells it."""
    path = os.path.join(manifest.directory, manifests.FILE_NAME)
    return {
        "sha256": manifests.hash_file(path),
        "pairs": {
            split: manifest.record_count(split) for split in manifests.SPLITS
        },
        "observations": {
            split: sorted(
                {
                    source.observation_id
                    for source in manifest.sources
                    if source.split == split
                }
            )
            for split in manifests.SPLITS
        },
        **{
            name: manifest.parameters.get(name, [])
            for name in ("blur_sigma", "noise_sigma")
        },
    }


def _train(experiment, folder, stage, mean, steps):
    config = experiment.config
    state = stage.state()
    if mean is not None:
        state["mean"] = mean.generator.variables
    checkpoints = Checkpoints(
        folder.checkpoints, state, keep=config.keep_checkpoints
    )
    start = checkpoints.restore()
    noise.separate(stage.generator, experiment.strategy)
    if start:
        logging.info("stage %s: resumed at step %d", folder.stage, start)

    with (
        contextlib.closing(Reporter(folder.path)) as reporter,
        _explained(experiment.manifest),
    ):
        loop.train(
            stage,
            _batches(experiment, folder.stage, start),
            name=folder.stage,
            start=start,
            schedule=loop.Schedule(
                steps=steps,
                log_every=config.log_every,
                validate_every=config.validate_every,
                checkpoint_every=config.checkpoint_every,
            ),
            hooks=loop.Hooks(
                log=lambda step, values: reporter.scalars(
                    "train", step, values
                ),
                require_sound=lambda step: soundness.require_sound(
                    stage, name=folder.stage, step=step
                ),
                validate=_validator(
                    experiment,
                    mean.generator if mean else stage.generator,
                    folder,
                    reporter,
                ),
                save=checkpoints.save,
                name_record=lambda record: records.record_name(
                    experiment.manifest, record
                ),
            ),
            strategy=experiment.strategy,
            received=experiment.received,
            mean=mean,
        )


def _batches(experiment, stage, start):
    """Distributed training batches from step `start + 1` on."""
    config = experiment.config

    def pipeline(context):
        return records.training_batches(
            experiment.manifest,
            hr_size=config.hr_size,
            batch_size=context.get_per_replica_batch_size(config.batch_size),
            seed=len(_STAGES) * config.seed + _STAGES.index(stage),
            start=start * config.batch_size,
            augment=config.augment,
            pipeline=context.input_pipeline_id,
            pipelines=context.num_input_pipelines,
        )

    return experiment.strategy.distribute_datasets_from_function(pipeline)


def _validator(experiment, generator, folder, reporter):
    """Scores the generator on held-out pairs and draws some of them."""
    config = experiment.config
    if not experiment.manifest.record_count("validation"):
        logging.warning(
            "%s: no validation pairs; training is not validated",
            experiment.manifest.directory,
        )
        return lambda step: None

    def batches(size):
        return records.validation_batches(
            experiment.manifest,
            hr_size=config.hr_size,
            batch_size=size,
            pairs=config.validation_pairs,
        )

    preview_batch = next(iter(batches(_PREVIEW_PAIRS)))

    def validate(step):
        scores = validation.evaluate(generator, batches(config.batch_size))
        folder.record("validation", {"step": step, **scores})
        reporter.validation(step, scores)
        reporter.panels(step, previews.panels(generator, preview_batch))

    return validate


@contextlib.contextmanager
def _explained(manifest):
    """Turns TensorFlow's errors into ours, where the user can mend them.

    A damaged record is looked for in all shards, since TensorFlow's error
    does not say which one it is in.
    """
    try:
        yield
    except (
        tf.errors.DataLossError,
        tf.errors.InvalidArgumentError,
        tf.errors.NotFoundError,
    ):
        logging.info("looking for the damaged record ...")
        manifests.verify(manifest.directory)
        raise
    except tf.errors.ResourceExhaustedError as error:
        raise errors.OutOfMemoryError(
            "the memory does not suffice; set a larger --micro_batches, or "
            f"--remat, or a smaller --batch_size ({str(error)[:200]})"
        ) from None
