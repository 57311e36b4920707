"""One scene of an archive, in whichever process it is restored."""

import dataclasses
import errno
import functools
import time

from marsgan_tf import errors
from marsgan_tf.inference import predicting
from marsgan_tf.inference.settings import Model, Targets
from marsgan_tf.inference.super_resolve import super_resolve
from pipelines import archive_lock
from pipelines.archive_config import ArchiveConfig

# No scene is to blame for these, and every other one would fail too.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclasses.dataclass(frozen=True)
class Unit:
    """What one call of `restore` does.

    Attributes:
        source: The image.
        target: Its result.
        config: The settings of all.
    """

    source: str
    target: str
    config: ArchiveConfig

    def __str__(self) -> str:
        return self.source


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a scene ended.

    Attributes:
        error: Why it failed, in one line; empty if it did not.
        seconds: That it took.
    """

    error: str
    seconds: float


def restore(unit: Unit) -> Outcome:
    """Super-resolves a scene, or goes on where a run was killed.

    Raises:
        errors.MarsganError: If the model cannot be loaded.
        OSError: If the disk is full.
    """
    model = _load(unit.config)
    start = time.monotonic()
    with archive_lock.at_work(unit.config.output_dir):
        error = _restore(unit, model)
    return Outcome(error, round(time.monotonic() - start, 3))


def _restore(unit: Unit, model: Model) -> str:
    options = predicting.options_of(unit.config, overwrite=False, resume=True)
    try:
        # A signal to the run ends this process, at any tile.
        super_resolve(
            unit.source, Targets(unit.target), model, options, received=[]
        )
    except Exception as error:  # Whatever it is, other scenes go on.
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            raise
        return _describe(unit.source, error)
    return ""


def _describe(source: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, errors.MarsganError):  # It names the image.
        return text
    return f"{source}: {type(error).__name__}: {text}"


@functools.lru_cache(maxsize=1)
def _load(config: ArchiveConfig) -> Model:
    """Once a process, not once a scene."""
    return predicting.load_model(config, received=[])
