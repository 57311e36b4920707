"""What each second of a short command is: `--help`, and a small prediction.

    python -m benchmarks.bench_startup

`--help` of all commands; then a prediction of generated terrain, by each
engine: its stages, medians of interleaved repeats, and below, what its imports
take by package, as `python -X importtime` has it, which slows them by a fifth.
"""

import argparse
import collections
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time

from benchmarks import machine, measured, prediction_inputs
from benchmarks.predict_stages import EXIT, STAGES

COMMANDS = (
    *(
        f"marsgan_tf.{name}"
        for name in ("predict", "evaluate", "coregister", "demo", "train")
        + ("train_estimator", "export", "interpolate", "level")
    ),
    *(
        f"pipelines.{name}"
        for name in ("build_tfrecords", "find_hirise", "fetch_hirise")
        + ("predict_archive", "quickstart")
    ),
)
_ENGINES = {"openvino": "OpenVINO", "saved_model": "TensorFlow"}
_ALL, _CPU = "in all", "in all, of the cores"
_MOST_PACKAGES = 6
_IMPORT_LINE = "import time:"


def help_seconds(command: str, repeats: int) -> float:
    """Median of the seconds of a command's `--help`."""
    return statistics.median(
        measured.run([sys.executable, "-m", command, "--help"]).seconds
        for _ in range(repeats)
    )


def stages(*arguments: str) -> dict[str, float]:
    """Seconds of a prediction by stage, in all, and of the processor.

    Args:
        *arguments: Of `predict_stages`, from the second on.
    """
    command = [sys.executable, "-m", "benchmarks.predict_stages"]
    began = time.monotonic()
    done = measured.run([*command, repr(began), *arguments])
    told = json.loads(done.printed.splitlines()[-1])
    told["seconds"][EXIT] = began + done.seconds - told["ended"]
    return {**told["seconds"], _ALL: done.seconds, _CPU: done.cpu_seconds}


def packages(*arguments: str) -> dict[str, float]:
    """Seconds of imports by package, those that take most first.

    Args:
        *arguments: As of `stages`.
    """
    command = [sys.executable, "-X", "importtime", "-c", _SHOWN]
    done = measured.run([*command, repr(time.monotonic()), *arguments])
    return import_seconds(done.told)


# The engine holds back what is written while it loads, these lines too.
_SHOWN = """
import contextlib
from benchmarks import predict_stages
from marsgan_tf import native_output
native_output.held_back = contextlib.nullcontext
predict_stages.main()
"""


def import_seconds(lines: str) -> dict[str, float]:
    """What `-X importtime` tells, summed by package, in falling order."""
    spent: collections.Counter[str] = collections.Counter()
    for line in lines.splitlines():
        if line.startswith(_IMPORT_LINE) and not line.endswith("package"):
            own, _, name = line.removeprefix(_IMPORT_LINE).split("|")
            # Below 0 where threads import at the same time.
            spent[name.strip().partition(".")[0]] += max(0, int(own))
    return {name: number / 1e6 for name, number in spent.most_common()}


def print_stages(runs: dict[str, list[dict[str, float]]]) -> None:
    """Prints the medians, an engine a column."""
    print(f"\n| stage | {' | '.join(_ENGINES[engine] for engine in runs)} |")
    print("|---|" + "---|" * len(runs))
    for stage in (*STAGES, _ALL, _CPU):
        cells = [
            f"{statistics.median(run[stage] for run in found):.2f} s"
            for found in runs.values()
        ]
        print(f"| {stage} | {' | '.join(cells)} |")


def print_packages(spent: dict[str, float]) -> None:
    """Prints one line of the packages that take most."""
    first = list(spent.items())[:_MOST_PACKAGES]
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in first)
    rest = sum(list(spent.values())[_MOST_PACKAGES:])
    print(f"{told}, others {rest:.2f} s")


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="saved_models/marsgan-psnr")
    parser.add_argument("--side", type=int, default=256, help="px")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--engines", default=",".join(_ENGINES))
    arguments = parser.parse_args()
    print(machine.describe(("tensorflow", "openvino")))
    print("\n| `--help` of | |")
    print("|---|---|")
    for command in arguments.commands.split(","):
        seconds = help_seconds(command, arguments.repeats)
        print(f"| {command} | {seconds:.2f} s |")
    engines = list(filter(_is_installed, arguments.engines.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        prediction_inputs.apart(
            prediction_inputs.write_scenes, folder, [arguments.side]
        )
        source = os.path.join(folder, f"lr-{arguments.side}.tif")
        output = os.path.join(folder, "output.tif")
        told = (source, output, arguments.model)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
        for _ in range(arguments.repeats):
            for engine in engines:
                runs[engine].append(stages(*told, engine))
        imports = {engine: packages(*told, engine) for engine in engines}
    print_stages(runs)
    for engine, spent in imports.items():
        print(f"\nImports with {_ENGINES[engine]}: ", end="")
        print_packages(spent)


def _is_installed(engine: str) -> bool:
    package = {"openvino": "openvino", "saved_model": "tensorflow"}[engine]
    return importlib.util.find_spec(package) is not None


if __name__ == "__main__":
    main()
