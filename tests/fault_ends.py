"""How a trial of the fault matrix may end, and what must never be."""

import collections
import dataclasses
import os

import fault_commands

RIGHT, REFUSED, RESUMED, DIED, LOST = (
    "right",
    "refused",
    "resumed",
    "died",
    "lost",
)

HUNG = "hangs, and is killed"
# Of glibc and of OpenBLAS, which end the process themselves, and of ours.
_GIVING_UP = (
    "thread-local data: ABORT",
    "OpenBLAS error: Memory allocation",
    HUNG,
)


@dataclasses.dataclass(frozen=True)
class End:
    """How a trial ended.

    Attributes:
        command: Its name.
        fault: Its name.
        variant: Of the fault.
        verdict: One of the five.
        status: Exit status, -n for signal n.
        line: What the user saw last, or what was wrong.
    """

    command: str
    fault: str
    variant: str
    verdict: str
    status: int
    line: str


class LostError(Exception):
    """What must not be."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def last_line(text):
    """What a user sees last."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def check_end(status, text, trial):
    """One line that is an error, and no other, unless all is well."""
    told = [line for line in text.splitlines() if line.startswith("error: ")]
    if _has_given_up(text, trial):
        return
    if "Traceback" in text:
        raise LostError(status, f"a traceback: {text[-3000:]}")
    if status == 0:
        if told:
            raise LostError(status, f"status 0 with {told[0]}")
    elif status < 0:
        if not (status == -trial.signal or trial.may_die):
            raise LostError(status, f"ends by signal {-status}: {text[-300:]}")
    elif len(told) != 1 or told[0] != last_line(text):
        raise LostError(status, f"no single line: {text[-600:]}")


def is_named(name, text):
    """Whether a file lies in a hidden folder that a command has told of."""
    parts = name.split("/")
    return any(part[0] == "." and part in text for part in parts)


def is_death(status, text, trial):
    """Whether the system ended it, or a library for want of memory."""
    is_ended = status < 0 and not trial.signal
    return is_ended or _has_given_up(text, trial)


def _has_given_up(text, trial):
    """Whether a library did, where memory is short."""
    return trial.may_die and any(sign in last_line(text) for sign in _GIVING_UP)


def check_whole(results, known, ends):
    """What is under a result's name is that result."""
    for name in results.keys() & known.results.keys():
        if results[name] != known.results[name]:
            raise LostError(ends[0][0], f"{name} is another or half one")


def check_complete(results, known, ends, trial):
    """What says that it is done has made its results."""
    if trial.keeps_result and results != known.results:
        told = difference(results, known.results)
        raise LostError(ends[0][0], f"status 0, but it {told}")
    if not results:
        raise LostError(ends[0][0], "status 0, but no result")


def difference(found, expected):
    """Between fingerprints, in words."""
    return ", ".join(
        f"{word} {sorted(names)[:4]}"
        for word, names in (
            ("lacks", expected.keys() - found.keys()),
            ("leaves", found.keys() - expected.keys()),
            (
                "differs in",
                {
                    name
                    for name in found.keys() & expected.keys()
                    if found[name] != expected[name]
                },
            ),
        )
        if names
    )


def contents(folder):
    """Every file below a folder with its bytes, where they may be read."""
    return {
        path.relative_to(folder): path.is_file()
        and os.access(path, os.R_OK)
        and path.read_bytes()
        for path in folder.rglob("*")
    }


def table(ends):
    """Rows of faults, columns of commands, and the counts."""
    commands = [command.name for command in fault_commands.COMMANDS]
    cells = collections.defaultdict(collections.Counter)
    for end in ends:
        cells[end.fault, end.command][end.verdict] += 1
    lines = [
        f"| fault | {' | '.join(commands)} |",
        f"|---|{'---|' * len(commands)}",
    ]
    for fault in dict.fromkeys(end.fault for end in ends):
        row = (_cell(cells[fault, command]) for command in commands)
        lines.append(f"| {fault} | {' | '.join(row)} |")
    counts = collections.Counter(end.verdict for end in ends)
    told = ", ".join(
        f"{counts[verdict]} {verdict}"
        for verdict in (RIGHT, REFUSED, RESUMED, DIED, LOST)
    )
    return "\n".join([*lines, "", f"{len(ends)} trials: {told}."])


def _cell(counts):
    return ", ".join(
        f"{count} {verdict}" if len(counts) > 1 or count > 1 else verdict
        for verdict, count in counts.items()
    )
