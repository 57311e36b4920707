"""An archive run: every scene of a list, each for itself, and a ledger."""

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence

from absl import logging

from marsgan_tf import errors, progress
from marsgan_tf.config import endpoint
from marsgan_tf.inference import inputs, predicting
from pipelines import archive_ledger, archive_lock, archive_scene, engine, pools
from pipelines.archive_config import ArchiveConfig
from pipelines.archive_ledger import DONE, FAILED, Entry, Ledger
from pipelines.archive_scene import Outcome, Unit


def run(config: ArchiveConfig) -> None:
    """Super-resolves the scenes that the ledger does not tell of yet.

    Raises:
        MarsganError: If the list, the model or the folder cannot be used, or
            some scenes failed.
    """
    jobs = inputs.jobs(
        inputs=(),
        input_list=config.inputs,
        output="",
        output_dir=config.output_dir,
    )
    model = predicting.identity(config)
    os.makedirs(config.output_dir, exist_ok=True)
    # Bars of workers would write over this process' own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    with (
        archive_lock.owned(config.output_dir),
        archive_ledger.opened(config.output_dir) as ledger,
    ):
        _check_settings(config, model, ledger.entries)
        known = {job.source: _status(job, ledger.entries) for job in jobs}
        skipped = {DONE} if config.retry_failed else {DONE, FAILED}
        wanted = [job for job in jobs if known[job.source] not in skipped]
        _restore_all(config, wanted, model, ledger)
        _tell(config, jobs, wanted, ledger.entries)


def _check_settings(
    config: ArchiveConfig, model: str, entries: Mapping[str, Entry]
) -> None:
    """Refuses a folder that holds scenes made otherwise.

    Raises:
        errors.SettingsError: It tells what differs.
    """
    chosen = config.chosen()
    for entry in entries.values():
        if entry.status == DONE and entry.model != model:
            raise errors.SettingsError(
                f"{config.output_dir}: holds scenes of another model "
                f"({entry.model}, now {model}); choose another folder"
            )
        if entry.status == DONE and entry.settings != chosen:
            raise errors.SettingsError(
                f"{config.output_dir}: holds scenes made with "
                f"{_written(entry.settings)}, now {_written(chosen)}; choose "
                "another folder"
            )


def _written(settings: Mapping[str, object]) -> str:
    parts = (f"--{name}={value}" for name, value in sorted(settings.items()))
    return " ".join(parts) or "the default settings"


def _status(job: inputs.Job, entries: Mapping[str, Entry]) -> str:
    """What the ledger tells of a scene; nothing where it is to be done."""
    entry = entries.get(os.path.basename(job.target))
    if entry is None or entry.input != os.path.abspath(job.source):
        return ""
    if entry.status == DONE and not os.path.exists(job.target):
        return ""
    return entry.status


def _restore_all(
    config: ArchiveConfig,
    jobs: Sequence[inputs.Job],
    model: str,
    ledger: Ledger,
) -> None:
    """Works through the scenes; each gets its line as soon as it ends."""
    if not jobs:
        return
    threads = _threads(config, len(jobs))
    config = dataclasses.replace(
        config,
        output_dir=os.path.abspath(config.output_dir),
        threads=threads,
    )
    units = [
        Unit(os.path.abspath(job.source), os.path.abspath(job.target), config)
        for job in jobs
    ]
    with (
        pools.opened(
            config,
            config.workers,
            is_threaded=True,
            is_isolated=True,
            needs_gpu=config.gpu_workers,
        ) as run_units,
        progress.Progress(len(units), unit="scenes", label="archive") as bar,
        contextlib.closing(run_units(units, archive_scene.restore)) as outcomes,
    ):
        for index, outcome in outcomes:
            if isinstance(outcome, errors.WorkerKilledError):
                outcome = Outcome(str(outcome), 0.0)
            if isinstance(outcome, errors.MarsganError):
                raise outcome
            ledger.append(_entry(units[index], outcome, model))
            if outcome.error:
                logging.error("%s", outcome.error)
            bar.advance()


def _entry(unit: Unit, outcome: Outcome, model: str) -> Entry:
    return Entry(
        input=unit.source,
        output=os.path.basename(unit.target),
        status=FAILED if outcome.error else DONE,
        error=outcome.error,
        seconds=outcome.seconds,
        model=model,
        settings=unit.config.chosen(),
    )


def _threads(config: ArchiveConfig, scenes: int) -> int:
    """Threads of each worker, so that together they fill the machine.

    Workers elsewhere have their own machines, whose cores are not known here,
    and those of a server compute nothing.
    """
    is_served = endpoint.parse(config.engine) is not None
    if is_served or config.pool == "slurm" or config.dask_scheduler:
        return config.threads
    workers = max(1, min(config.workers, scenes))
    return max(1, (config.threads or engine.core_count()) // workers)


def _tell(
    config: ArchiveConfig,
    jobs: Sequence[inputs.Job],
    wanted: Sequence[inputs.Job],
    entries: Mapping[str, Entry],
) -> None:
    """Logs the counts.

    Raises:
        errors.PredictionError: If some of the scenes failed, now or before.
    """
    now = [_status(job, entries) for job in wanted]
    failed = sum(_status(job, entries) == FAILED for job in jobs)
    logging.info(
        "%d done, %d failed, %d skipped",
        now.count(DONE),
        now.count(FAILED),
        len(jobs) - len(wanted),
    )
    if failed:
        path = os.path.join(config.output_dir, archive_ledger.FILE_NAME)
        raise errors.PredictionError(
            f"{failed} of {len(jobs)} scenes failed: {path} says why, and "
            "--retry_failed tries them again"
        )
