r"""How fast prediction is, beside its engine alone and beside PyTorch.

    python -m benchmarks.bench_predict
    python -m benchmarks.bench_predict --models=full --side=512 \
        --torch_python=OTHER_ENVIRONMENT/bin/python

Whole commands read a generated scene, stretch it, take it through the network
in tiles with halos and write the result. Bare networks run tiles without halo
from memory, once they are warm. Every program is a process of its own, and all
take turns, so that a change of the machine's speed meets them alike. Figures
are medians. PyTorch is run by a Python that has it, with the network as
trained, which is what one would run there, and folded as ours is; it is told
the stretch, which ours has to find. In bfloat16 it takes the faster of
converted weights and autocast.

The answers are compared: if one in float32 disagrees, or ours in less, the
benchmark fails.
"""

import argparse
import dataclasses
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile

from benchmarks import contenders, machine, model_choice, prediction_inputs
from benchmarks.contenders import Program, Run, Settings
from benchmarks.prediction_inputs import Model

_PACKAGES = ("openvino", "tensorflow", "numpy")
# How far answers may lie from the first program's, as shares of the stretch:
# the largest difference in float32, the rms of ours in less.
_FLOAT32_SHARE, _ROUNDED_SHARE = 0.002, 0.05

Runs = dict[tuple[Program, int], list[Run]]


@dataclasses.dataclass(frozen=True)
class Row:
    """What is told of a program.

    Attributes:
        program: The program.
        rate: LR px a second.
        small_seconds: Whole time of the small image; None of bare networks.
        peak_mib: Largest resident memory.
        rms: Of its difference from the first program, DN.
        largest: Its largest difference, DN.
    """

    program: Program
    rate: float
    small_seconds: float | None
    peak_mib: float
    rms: float
    largest: float


def choose(
    model: Model, arguments: argparse.Namespace, settings: Settings
) -> list[Program]:
    """Whole commands first, ours before the others."""
    engines = arguments.engines.split(",")
    programs = []
    for precision in arguments.precisions.split(","):
        is_rounded = precision == "int8"
        for engine in engines:
            if engine == "openvino" or not is_rounded:
                programs.append(
                    contenders.ours(model.folder, engine, precision, settings)
                )
        if "openvino" in engines and not is_rounded:
            programs.append(
                contenders.bare_openvino(model.folder, precision, settings)
            )
        if model.onnx and precision == "float32":
            programs.append(contenders.bare_onnx(model.onnx, settings))
        for form, weights in model.weights.items():
            peer = contenders.Torch(arguments.torch_python, form, weights)
            programs += _peer_programs(peer, precision, arguments, settings)
    return sorted(programs, key=lambda program: not program.is_whole)


def _peer_programs(
    peer: contenders.Torch,
    precision: str,
    arguments: argparse.Namespace,
    settings: Settings,
) -> list[Program]:
    """Whole and bare, in the fastest way to compute in a precision."""

    def seconds(way: str) -> float:
        trial = peer.program(way, is_whole=False, settings=settings)
        return contenders.run(trial, arguments.small_side, settings).seconds

    ways = contenders.WAYS[precision]
    if not ways:
        return []
    best = min(ways, key=seconds) if len(ways) > 1 else ways[0]
    return [
        peer.program(best, is_whole=is_whole, settings=settings)
        for is_whole in (True, False)
    ]


def measure(
    programs: list[Program], arguments: argparse.Namespace, settings: Settings
) -> Runs:
    """Runs all programs in turn, and whole commands on the small image too."""
    runs: Runs = {}
    for _ in range(arguments.repeats):
        for program in programs:
            sides = {arguments.side}
            if program.is_whole:
                sides.add(arguments.small_side)
            for side in sides:
                run = contenders.run(program, side, settings)
                runs.setdefault((program, side), []).append(run)
    return runs


def summarize(
    runs: Runs, arguments: argparse.Namespace, settings: Settings
) -> list[Row]:
    """One row a program."""
    programs = dict.fromkeys(program for program, _ in runs)
    rows = []
    for program in programs:
        found = runs[program, arguments.side]
        first = next(p for p in programs if p.is_whole == program.is_whole)
        rms, largest = prediction_inputs.difference(
            runs[first, arguments.side][0].output,
            found[0].output,
            settings.width,
        )
        small = None
        if program.is_whole:
            small = _median_seconds(runs[program, arguments.small_side])
        rows.append(
            Row(
                program,
                rate=arguments.side**2 / _median_seconds(found),
                small_seconds=small,
                peak_mib=max(run.peak_mib for run in found),
                rms=rms,
                largest=largest,
            )
        )
    return rows


def _median_seconds(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def print_table(
    rows: list[Row], small_side: int, limits: dict[str, float]
) -> None:
    """Prints the rows.

    Rates stand beside those of ours in the same precision, and beside what
    the processor's best convolution would give.

    Args:
        rows: Of all programs.
        small_side: Of the small image, px.
        limits: LR px a second, by precision; empty where not known.
    """
    print(
        "| program | precision | LR px/s | of ours | of the peak | "
        f"{small_side} px in all | peak memory | off by, DN: rms, largest |"
    )
    print("|---|---|---|---|---|---|---|---|")
    ours: dict[str, float] = {}
    for row in rows:
        base = ours.setdefault(row.program.precision, row.rate)
        small = (
            "" if row.small_seconds is None else f"{row.small_seconds:.1f} s"
        )
        limit = limits.get(row.program.precision)
        share = f"{row.rate / limit:.2f}" if limit else ""
        print(
            f"| {row.program.label} | {row.program.precision} | "
            f"{row.rate:,.0f} | {row.rate / base:.2f} | {share} | {small} | "
            f"{row.peak_mib:,.0f} MiB | {row.rms:.2g}, {row.largest:.2g} |"
        )


def draw(path: str, rows: list[Row], limits: dict[str, float]) -> None:
    """Draws the rates, with the peak of each precision as a mark."""
    from benchmarks import rates_figure

    precisions = [row.program.precision for row in rows]
    rates_figure.write(
        path,
        [f"{row.program.label}, {row.program.precision}" for row in rows],
        [row.rate for row in rows],
        unit="LR px/s; marks: the processor's best convolution",
        limits=[limits.get(precision) for precision in precisions],
    )


def disagreeing(rows: list[Row], width: float) -> list[str]:
    """Names of programs whose answer is another network's.

    Args:
        rows: Of all programs.
        width: DN of the stretch.
    """

    def is_wrong(row: Row) -> bool:
        if row.program.precision == "float32":
            return row.largest > _FLOAT32_SHARE * width
        # Peers round the image itself, which deep networks may not bear.
        return row.program.is_ours and row.rms > _ROUNDED_SHARE * width

    return [
        f"{row.program.label} in {row.program.precision}"
        for row in filter(is_wrong, rows)
    ]


def find_limits(folder: str, arguments: argparse.Namespace) -> dict[str, float]:
    """LR px a second of a network that is nothing but the best convolution."""
    if not arguments.peaks:
        return {}
    command = [sys.executable, "-m", "benchmarks.peaks", "--json"]
    command += [f"--precisions={arguments.precisions}"]
    command += [f"--model={folder}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    return {
        precision: found["rates"][precision]["convolution"]
        / found["operations_per_px"]
        for precision in found["rates"]
    }


def benchmark_model(
    name: str, arguments: argparse.Namespace, settings: Settings
) -> list[str]:
    """Prints a model's table; returns what disagrees."""
    with tempfile.TemporaryDirectory() as folder:
        model = prediction_inputs.apart(
            prediction_inputs.prepare_model,
            name,
            folder,
            bool(arguments.torch_python),
        )
        programs = choose(model, arguments, settings)
        runs = measure(programs, arguments, settings)
        limits = find_limits(model.folder, arguments)
    rows = summarize(runs, arguments, settings)
    print(f"\n{name}, {arguments.side} px\n")
    print_table(rows, arguments.small_side, limits)
    if arguments.figure:
        draw(arguments.figure, rows, limits)
    if not model.onnx:
        print("\nONNX Runtime skipped: it, tf2onnx or a generator is missing.")
    if not model.weights:
        print(
            "\nPyTorch skipped: it needs --torch_python, and a fresh model "
            "or a generator file that is not conditioned."
        )
    return [f"{name}: {who}" for who in disagreeing(rows, settings.width)]


def parse_arguments() -> argparse.Namespace:
    """Takes OpenVINO off the engines where it is not installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    models = ",".join(model_choice.FRESH)
    parser.add_argument("--models", default=models, help=model_choice.HELP)
    parser.add_argument("--side", type=int, default=1024, help="px")
    parser.add_argument("--small_side", type=int, default=256, help="px")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--engines", default="openvino,saved_model")
    parser.add_argument("--precisions", default="float32,bfloat16,int8")
    parser.add_argument(
        "--peaks",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure the processor's own too, by OpenVINO",
    )
    parser.add_argument(
        "--tile",
        type=int,
        default=0,
        help="px; 0: ours chooses, the others take half the side, 512 at most",
    )
    parser.add_argument("--halo", type=int, default=16, help="px")
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--figure", default="", help="PNG, of the last model")
    parser.add_argument("--torch_python", default="", help="has torch, numpy")
    arguments = parser.parse_args()
    if importlib.util.find_spec("openvino") is None:
        print("OpenVINO skipped: it is not installed.")
        arguments.engines, arguments.peaks = "saved_model", False
        arguments.precisions = "float32,bfloat16"
    return arguments


def main() -> None:
    """Prints the machine, and a table a model."""
    arguments = parse_arguments()
    print(machine.describe(_PACKAGES))
    if arguments.torch_python:
        code = "import torch; print('PyTorch', torch.__version__)"
        subprocess.run([arguments.torch_python, "-c", code], check=True)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        sides = [arguments.side, arguments.small_side]
        settings = Settings(
            folder=folder,
            stretch=prediction_inputs.apart(
                prediction_inputs.write_scenes, folder, sides
            ),
            tile=arguments.tile,
            peer_tile=arguments.tile or min(arguments.side // 2, 512),
            halo=arguments.halo,
            threads=arguments.threads,
        )
        for name in arguments.models.split(","):
            wrong += benchmark_model(name, arguments, settings)
    if wrong:
        sys.exit(f"other answers than the first program's: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
