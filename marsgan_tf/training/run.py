"""Runs an experiment: what is missing of it, from whatever exists."""

import os

import keras
import tensorflow as tf
from absl import logging

from marsgan_tf import errors, signals
from marsgan_tf.dataset import manifest as manifests
from marsgan_tf.models import files
from marsgan_tf.training import build, records, stage_run, workers
from marsgan_tf.training.ema import RunningMean
from marsgan_tf.training.perceptual import PerceptualLoss
from marsgan_tf.training.run_folder import RunFolder, fingerprint
from marsgan_tf.training.stage_run import Experiment

_STRATEGIES = {
    "one": lambda: workers.Workers(tf.distribute.get_strategy()),
    "mirrored": lambda: workers.Workers(tf.distribute.MirroredStrategy()),
    "multi_worker": workers.join,
}


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
        ClusterError: If another worker ended, or cannot be reached.
        CheckpointError: If a checkpoint cannot be written, or none be read.
        NonFiniteLossError: If a loss is NaN or infinite.
        Interrupted: On SIGTERM or SIGINT, after a checkpoint.
    """
    manifest = manifests.load(config.dataset)
    manifests.require_shards(manifest)
    _check_dataset(manifest, config)
    tf.random.set_seed(records.GLOBAL_SEED)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(config.precision)
    together = _STRATEGIES[config.strategy]()
    _check_replicas(config, together.strategy.num_replicas_in_sync)
    with signals.collected() as received, together.watched():
        together.require_same(
            fingerprint(config), "settings or dataset: give all the same"
        )
        return _run_stages(Experiment(config, manifest, together, received))


def _run_stages(experiment):
    """Completes the stages in turn; returns the last one's result."""
    config = experiment.config
    first = RunFolder(
        os.path.join(config.psnr_workdir or config.workdir, "psnr"), "psnr"
    )
    second = RunFolder(os.path.join(config.workdir, "gan"), "gan")
    for folder in (first, second):
        experiment.workers.require_same(
            folder.is_done, f"{folder.result}{workers.NOT_SHARED}"
        )
    perceptual = None
    if config.gan_steps and not second.is_done:
        # Before stage 1, so that missing weights are not told days later.
        with experiment.workers.strategy.scope():
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
    signal_number = experiment.workers.agreed_signal(experiment.received)
    if signal_number:
        raise errors.Interrupted(
            "stopped between the stages; the same command goes on with stage 2",
            signal_number,
        )
    _complete(
        experiment,
        second,
        config.gan_steps,
        lambda: build.build_gan_stage(
            config,
            generator_path=first.result,
            perceptual=perceptual,
            replicas=experiment.workers.strategy.num_replicas_in_sync,
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
    config, together = experiment.config, experiment.workers
    if folder.is_done:
        folder.warn_of_differences(config)
        logging.info("stage %s: done, %s", folder.stage, folder.result)
        return
    folder.check(config)
    with together.strategy.scope():
        stage = make_stage()
        mean = None
        if config.ema_decay:
            copy = build.build_generator(config)
            mean = RunningMean(stage.generator, copy, config.ema_decay)
    if together.is_chief:
        folder.claim(config)
        folder.record("dataset", _describe(experiment.manifest))
    together.wait()
    together.require_same(
        folder.is_claimed, f"{folder.path}{workers.NOT_SHARED}"
    )
    stage_run.train(experiment, folder, stage, mean, steps)
    if together.is_chief:
        best = mean.generator if mean else stage.generator
        files.save_generator(
            build.build_portable_generator(config, best), folder.result
        )
    together.wait()
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
