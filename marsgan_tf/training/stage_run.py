"""Trains one stage from its newest checkpoint to its end."""

import contextlib
import dataclasses
import functools

import tensorflow as tf
from absl import logging

from marsgan_tf import config as configs
from marsgan_tf import errors
from marsgan_tf.dataset import manifest as manifests
from marsgan_tf.training import (
    loop,
    noise,
    previews,
    records,
    soundness,
    validation,
)
from marsgan_tf.training.checkpoints import Checkpoints
from marsgan_tf.training.reporter import Reporter
from marsgan_tf.training.workers import NOT_SHARED, Workers

_STAGES = ("psnr", "gan")
_PREVIEW_PAIRS = 4


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What both stages share.

    Attributes:
        config: The `TrainConfig`.
        manifest: The dataset's `Manifest`.
        workers: The `Workers`.
        received: The signals that ask the run to save and end.
    """

    config: configs.TrainConfig
    manifest: manifests.Manifest
    workers: Workers
    received: list[int]


def train(experiment, folder, stage, mean, steps):
    """Trains a stage; the chief alone validates and writes.

    Args:
        experiment: The `Experiment`.
        folder: The stage's `RunFolder`.
        stage: A `PSNRStage` or `GANStage`.
        mean: The `RunningMean` of its generator, or None.
        steps: Its steps in all.
    """
    config, workers = experiment.config, experiment.workers
    state = stage.state()
    if mean is not None:
        state["mean"] = mean.generator.variables
    checkpoints = Checkpoints(
        folder.checkpoints, state, keep=config.keep_checkpoints
    )
    start = checkpoints.restore()
    workers.require_same(start, f"{folder.checkpoints}{NOT_SHARED}")
    noise.share(stage.generator, workers)
    if start:
        logging.info("stage %s: resumed at step %d", folder.stage, start)

    with contextlib.ExitStack() as stack:
        stack.enter_context(_explained(experiment.manifest))
        log = validate = _do_nothing
        if workers.is_chief:
            reporter = stack.enter_context(
                contextlib.closing(Reporter(folder.path))
            )
            log = functools.partial(reporter.scalars, "train")
            validate = _validator(
                experiment,
                mean.generator if mean else stage.generator,
                folder,
                reporter,
            )
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
                log=log,
                require_sound=lambda step: soundness.require_sound(
                    stage, name=folder.stage, step=step
                ),
                validate=validate,
                save=functools.partial(_save, workers, checkpoints),
                stop=lambda: workers.agreed_signal(experiment.received),
                name_record=lambda record: records.record_name(
                    experiment.manifest, record
                ),
            ),
            strategy=workers.strategy,
            mean=mean,
            xla=config.xla,
        )


def _do_nothing(*_):
    """What all but the chief do where the chief writes."""


def _save(workers, checkpoints, step):
    """The chief writes; none goes on, or ends, before it is done.

    No variable is reduced when it is read, so that the others need not take
    part: see `Checkpoints`.
    """
    if workers.is_chief:
        checkpoints.save(step)
    workers.wait()


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

    return experiment.workers.strategy.distribute_datasets_from_function(
        pipeline
    )


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
