"""Damaged files and odd geometries, thousands of them, each a case by number.

Run `PYTHONPATH=. python tests/fuzz.py --cases=20000 --seed=0 --minutes=20`. A
case is right if it ends in one of our errors of one line, in an `OSError`, or
in a right result; it is a defect if it hangs, crashes, leaves a partial file,
is wrong, or fails otherwise. Cases run in children, so that a crash or a hang
names its case; `--target=NAME --first=N --cases=1` runs that one again.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fuzz_mutations
import fuzz_targets

from marsgan_tf import errors

ERROR, RIGHT, DEFECT = "clear errors", "right results", "defects"
_CASE_S = 20.0
_START_S = 180.0  # Before the first case: TensorFlow loads, models are made.
_MEMORY_BYTES = 6 * 2**30  # More than what libraries map.
_MOST_OF_A_CHILD = 2000


@dataclasses.dataclass
class Tally:
    """What became of a target's cases.

    Attributes:
        outcomes: How many cases by outcome.
        defects: Of each defect, the number of a case by what was wrong.
    """

    outcomes: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    defects: dict = dataclasses.field(default_factory=dict)

    def add(self, outcome, case, detail):
        self.outcomes[outcome] += 1
        if outcome == DEFECT:
            self.defects.setdefault(detail, case)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="of all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10.0, help="at most")
    parser.add_argument("--target", action="append", choices=names())
    parser.add_argument("--first", type=int, default=0, help="case number")
    parser.add_argument(
        "--light", action="store_true", help="none that loads TensorFlow"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    targets = [
        target
        for target in _targets()
        if target.name in (chosen.target or names())
        and not (chosen.light and target.is_heavy)
    ]
    total = sum(target.weight for target in targets)
    found = {}
    for target in targets:
        count = max(1, round(chosen.cases * target.weight / total))
        cases = range(chosen.first, chosen.first + count)
        found[target.name] = run(target, chosen.seed, cases, end)
        if not chosen.json:
            _tell(target.name, found[target.name])
    if chosen.json:
        told = {name: vars(tally) for name, tally in found.items()}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        _tell("all", _sum(found.values()))
    sys.exit(any(tally.defects for tally in found.values()))


def names():
    return [target.name for target in _targets()]


def _targets():
    return fuzz_targets.TARGETS


def run(target, seed, cases, end):
    """Runs cases in children until `end`, a time of the monotonic clock."""
    tally = Tally()
    place = cases.start
    while place < cases.stop and time.monotonic() < end:
        stop = min(cases.stop, place + _MOST_OF_A_CHILD)
        place = _run_child(target, seed, range(place, stop), end, tally)
    return tally


def _run_child(target, seed, cases, end, tally):
    """Runs cases in one child; returns the first that was not run."""
    reading, writing = os.pipe()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="marsgan_fuzz_"))
    child = os.fork()
    if not child:
        os.close(reading)
        status = 1
        try:
            _be_child(target, seed, cases, folder, os.fdopen(writing, "w", 1))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    current, patience, reason = None, _START_S, ""
    with os.fdopen(reading, "rb", 0) as pipe:
        waiting = b""
        while True:
            if not select.select([pipe], [], [], patience)[0]:
                reason = f"hangs for {patience:.0f} s"
                break
            part = pipe.read(1 << 16)
            if not part:
                reason = ""
                break
            *lines, waiting = (waiting + part).split(b"\n")
            for line in lines:
                current, outcome, detail = json.loads(line)
                patience = _CASE_S
                if outcome:
                    tally.add(outcome, current, detail)
                    current += 1
            if time.monotonic() > end:
                break
    is_cut = time.monotonic() > end
    os.kill(child, signal.SIGKILL) if reason or is_cut else None
    _, status = os.waitpid(child, 0)
    shutil.rmtree(folder, ignore_errors=True)
    if is_cut:
        return cases.stop
    if current is None:
        raise RuntimeError(f"{target.name}: its child does not start")
    if current < cases.stop:  # The case under way ended the child.
        code = os.waitstatus_to_exitcode(status)
        tally.add(DEFECT, current, reason or f"ends the process with {code}")
        return current + 1
    return cases.stop


def _be_child(target, seed, cases, folder, pipe):
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(silence, stream.fileno())
    made = folder / "made"
    made.mkdir()
    state = target.prepare(made)
    usage = _virtual_bytes() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (usage, usage))
    for case in cases:
        pipe.write(json.dumps([case, "", ""]) + "\n")
        work = folder / "work"
        work.mkdir()
        outcome, detail = _run_case(target, state, work, seed, case)
        pipe.write(json.dumps([case, outcome, detail]) + "\n")
        shutil.rmtree(work)


def _run_case(target, state, work, seed, case):
    random = fuzz_mutations.generator(seed, target.name, case)
    outcome, detail = RIGHT, ""
    try:
        target.run(state, work, random)
    except (errors.MarsganError, OSError) as error:
        outcome = ERROR
        if isinstance(error, errors.MarsganError) and "\n" in str(error):
            outcome, detail = DEFECT, f"of several lines: {str(error)[:300]}"
    except BaseException as error:
        outcome, detail = DEFECT, _describe(error)
    left = [path.name for path in work.rglob("*.partial*")]
    if left and outcome != DEFECT:
        outcome, detail = DEFECT, f"leaves {left[0]}"
    return outcome, detail


def _describe(error):
    """The error, and where it was raised, the last lines of ours first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "site-packages" not in f.filename]
    places = (
        f"{os.path.basename(f.filename)}:{f.lineno}" for f in ours[-3:][::-1]
    )
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {text} at {', '.join(places)}"


def _virtual_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _sum(tallies):
    whole = Tally()
    for tally in tallies:
        whole.outcomes.update(tally.outcomes)
    return whole


def _tell(name, tally):
    counts = ", ".join(
        f"{tally.outcomes[kind]} {kind}" for kind in (ERROR, RIGHT, DEFECT)
    )
    sys.stdout.write(f"{name}: {tally.outcomes.total()} cases: {counts}\n")
    for detail, case in tally.defects.items():
        sys.stdout.write(f"  --target={name} --first={case}: {detail}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
