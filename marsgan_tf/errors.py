"""What can go wrong for a user, each told in one line.

A message says what is wrong, where, and what to do. `config_flags.launch`
prints it without a traceback and exits with status 1.
"""


class MarsganError(Exception):
    """Root of all errors that a user can cause and mend."""


class RasterError(MarsganError, OSError):
    """An image cannot be read, or is not what the command needs."""


class DatasetError(MarsganError, ValueError):
    """A dataset of training pairs is missing, of another kind, or damaged."""


class CorruptRecordError(DatasetError):
    """A record of a shard cannot be read; the message names both."""


class DownloadError(MarsganError, OSError):
    """A file of an archive cannot be had, or is not what was promised."""


class ModelError(MarsganError, ValueError):
    """A model or weights file is missing or of another architecture."""


class CheckpointError(MarsganError, OSError):
    """A checkpoint cannot be written, or none of a stage can be read."""


class SettingsError(MarsganError, ValueError):
    """Settings do not fit the machine, or a stage that was begun before."""


class NonFiniteLossError(MarsganError, ArithmeticError):
    """A loss, or a weight that it led to, became NaN or infinite."""


class OutOfMemoryError(MarsganError, MemoryError):
    """The device's memory does not suffice."""


class Interrupted(KeyboardInterrupt):
    """A signal ended a run that can be resumed.

    No `Exception`: it is no failure, and what goes on after one ends by it.

    Attributes:
        signal_number: The signal, for the exit status `128 + signal_number`.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class PredictionError(MarsganError, RuntimeError):
    """A tile could not be restored; the message names it."""


class ClusterError(MarsganError, RuntimeError):
    """Processes that work together cannot be reached, or are lost."""


class WorkerKilledError(ClusterError):
    """A unit of work ended every process that worked on it."""


class RegistrationError(MarsganError, ValueError):
    """Two images do not show the same ground, or it cannot be told surely."""
