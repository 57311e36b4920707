"""The training loop: one for every stage, strategy and number of devices."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from marsgan_tf import errors, progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a loop does what, in steps.

    Attributes:
        steps: Steps of the stage in all.
        log_every: Between two log entries.
        validate_every: Between two validations.
        checkpoint_every: Between two checkpoints.
    """

    steps: int
    log_every: int
    validate_every: int
    checkpoint_every: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a loop calls.

    Attributes:
        log: Takes the step and `{name: mean since the last entry}`.
        require_sound: Takes the step; raises if what it made cannot be kept.
        validate: Takes the step.
        save: Takes the step; writes a checkpoint.
        stop: Returns the signal that asks to save and end, or 0; called
            after each step.
        name_record: Says which pair of the dataset a batch's `record` is.
    """

    log: Callable
    require_sound: Callable
    validate: Callable
    save: Callable
    stop: Callable
    name_record: Callable


def train(
    stage,
    batches,
    *,
    name,
    start,
    schedule,
    hooks,
    strategy,
    mean=None,
    xla=False,
):
    """Takes the steps of a stage from `start` on, then validates and saves.

    Args:
        stage: Has `train_step`, which maps a batch to `{name: scalar}`.
        batches: Iterable of batches, distributed by `strategy`; its first is
            that of step `start + 1`.
        name: The stage's name, for messages.
        start: Steps that are done.
        schedule: A `Schedule`.
        hooks: The `Hooks`.
        strategy: A `tf.distribute.Strategy`.
        mean: A `RunningMean` to update after each step, or None.
        xla: Whether XLA compiles the step.

    Raises:
        NonFiniteLossError: If a loss is NaN or infinite, or
            `hooks.require_sound` says so. Nothing is saved: the last
            checkpoint is a good one.
        Interrupted: On SIGTERM or SIGINT, after a checkpoint.
    """
    take_step = compile_step(stage, strategy, mean, xla)
    window = _Window(name, hooks, strategy)
    with progress.Progress(
        schedule.steps, unit="steps", label=name, done=start
    ) as bar:
        numbers = range(start + 1, schedule.steps + 1)
        # The range comes first: `zip` then draws no batch beyond the last.
        for number, batch in zip(numbers, batches, strict=False):
            window.add(number, take_step(batch), batch["record"])
            bar.advance(note=window.note)
            is_last = number == schedule.steps
            if number % schedule.log_every == 0 or is_last:
                means = window.take_means()
                hooks.log(number, {**means, "steps_per_second": bar.rate})
            signal_number = hooks.stop()
            validates = number % schedule.validate_every == 0 or is_last
            saves = number % schedule.checkpoint_every == 0 or is_last
            if validates or saves or signal_number:
                window.check()
                hooks.require_sound(number)
            if validates:
                hooks.validate(number)
            if saves or signal_number:
                hooks.save(number)
            if signal_number and not is_last:
                raise errors.Interrupted(
                    f"{name}: stopped at step {number} of {schedule.steps} "
                    "and saved; the same command goes on from there",
                    signal_number,
                )


def compile_step(stage, strategy, mean=None, xla=False):
    """One step over all replicas, as a graph that XLA may compile.

    Returns:
        A function from a distributed batch to `{name: scalar}`, averaged over
        the replicas.
    """

    @tf.function(jit_compile=xla)
    def take_step(batch):
        values = strategy.run(stage.train_step, args=(batch,))
        if mean is not None:
            mean.update(strategy)
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, None)
            for name, value in values.items()
        }

    return take_step


class _Window:
    """Losses since the last log entry, checked one step late.

    The value of a step is read while the next one runs, so that the check
    does not leave a GPU idle.
    """

    def __init__(self, name, hooks, strategy):
        self._name = name
        self._hooks = hooks
        self._strategy = strategy
        self._pending = None
        self._finished = []
        self.note = ""

    def add(self, number, values, records):
        self.check()
        self._pending = (number, values, records)

    def check(self):
        """Reads the pending step; raises if one of its losses is not finite."""
        if self._pending is None:
            return
        number, values, records = self._pending
        self._pending = None
        values = {name: float(value) for name, value in values.items()}
        wrong = [n for n, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise errors.NonFiniteLossError(
                f"{self._name}: the loss {wrong[0]} is {values[wrong[0]]} at "
                f"step {number} (batch: {self._describe(records)}); nothing of "
                "it was saved, the last checkpoint is good: lower "
                "--learning_rate, or check these pairs"
            )
        self._finished.append(values)
        self.note = ", ".join(f"{n} {v:.4g}" for n, v in values.items())

    def take_means(self):
        """Means over the steps since the last call."""
        self.check()
        finished, self._finished = self._finished, []
        return {
            name: float(np.mean([values[name] for values in finished]))
            for name in finished[0]
        }

    def _describe(self, records):
        local = self._strategy.experimental_local_results(records)
        numbers = np.concatenate([np.ravel(part) for part in local])
        names = [self._hooks.name_record(number) for number in numbers[:4]]
        more = len(numbers) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")
