"""What a fault is made of."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Trial:
    """One variant of a fault, for one command.

    Attributes:
        variant: What distinguishes it from the fault's others.
        damage: Of the folder that the command runs in, before.
        prepare: Runs in the command's process, before; it gets what an
            undisturbed run has told: seconds, and file events.
        around: A context that the command runs in.
        folder: The name of the folder.
        environment: Of a process of its own, which the command then gets.
        twice: Whether two run at once.
        signal: What ends it.
        may_die: Whether the system may end it.
        keeps_result: Whether a result, if there is one, is the undisturbed
            run's.
    """

    variant: str
    damage: Callable[[pathlib.Path], None] | None = None
    prepare: Callable | None = None
    around: Callable = contextlib.nullcontext
    folder: str = "work"
    environment: dict | None = None
    twice: bool = False
    signal: int = 0
    may_die: bool = False
    keeps_result: bool = False


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row of the table.

    Attributes:
        name: In the table.
        trials: Those of a command.
    """

    name: str
    trials: Callable
