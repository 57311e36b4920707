r"""How fast both training stages are, beside the same steps in PyTorch.

    python -m benchmarks.bench_train --torch_python=OTHER_ENVIRONMENT/bin/python

The networks, the batch and the losses are those of the shipped generators
(`shipped_gan.flags`), with random weights and images. Each program is a process
of its own that has warmed up, and they take turns, so that a change of the
machine's speed meets them alike; times are medians. PyTorch is run by a Python
that has it. Its OpenMP threads are told to wait without spinning, unless
OMP_WAIT_POLICY is set: spinning costs it its speed where other programs run.

Then the parts of our step, each timed alone: optimizers and running mean are in
the step, and the input, which is read beside it, is not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from benchmarks import machine

_PACKAGES = ("tensorflow", "keras", "numpy")
_TORCH = os.path.join(os.path.dirname(__file__), "peers", "torch_training.py")
_PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "TF_CPP_MIN_LOG_LEVEL": "2"}
_CASE = {
    "reconstruction_channels": 4,
    "conditioned": True,
    "discriminator_filters": 32,
    "discriminator_units": 256,
    "perceptual": {"block3_conv4": 5e-4, "block2_conv2": 1.5e-3},
    "adversarial_weight": 5e-3,
    "content_weight": 50.0,
    "ema_decay": 0.99,
}
_SIZES = {
    "blocks": 8,
    "features": 32,
    "growth": 16,
    "batch_size": 8,
    "hr_size": 128,
}
OURS, PEER, COMPILED = "ours", "PyTorch", "PyTorch, compiled"


class Program:
    """A process that takes steps when it is asked to.

    Args:
        command: Answers as `benchmarks.training_parts` does.
    """

    def __init__(self, command):
        start = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**_ENVIRONMENT, **os.environ},
        )
        ready = self._answer()
        self.ready_seconds = time.perf_counter() - start
        self.parameters = ready["parameters"]
        self.parts = ready.get("parts", [])

    def take(self, name, calls):
        """Seconds of each call of a part, or of the whole `step`."""
        self._process.stdin.write(json.dumps([name, calls]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._process.args[:3]} ended before its answer")
        return json.loads(line)


def start_all(case, arguments):
    """All programs of a case, ours first."""

    def command(*start, **options):
        return [*start, f"--case={json.dumps({**case, **options})}"]

    commands = {
        OURS: command(sys.executable, "-m", "benchmarks.training_parts")
    }
    if arguments.torch_python:
        start = (arguments.torch_python, _TORCH)
        commands[PEER] = command(*start, compile=False)
        if arguments.torch_compile:
            commands[COMPILED] = command(*start, compile=True)
    return {name: Program(words) for name, words in commands.items()}


def measure(programs, arguments):
    """Seconds of all steps, by program; the programs take turns."""
    seconds = {name: [] for name in programs}
    for _ in range(arguments.repeats):
        for name, program in programs.items():
            seconds[name] += program.take("step", arguments.steps)
    return {name: statistics.median(s) for name, s in seconds.items()}


def measure_parts(program, arguments):
    """Median seconds of the parts of our step, which take turns."""
    names = [name for name in program.parts if name != "step"]
    seconds = {name: [] for name in names}
    for _ in range(arguments.repeats):
        for name in names:
            seconds[name] += program.take(name, arguments.steps)
    return {name: statistics.median(s) for name, s in seconds.items()}


def benchmark_case(stage, precision, arguments):
    """Rows of both tables.

    Raises:
        SystemExit: If the peer's networks have other numbers of parameters.
    """
    case = {
        **_CASE,
        **{name: getattr(arguments, name) for name in _SIZES},
        "threads": arguments.threads,
        "stage": stage,
        "precision": _PRECISIONS[precision],
    }
    programs = start_all(case, arguments)
    counts = {name: program.parameters for name, program in programs.items()}
    if len({json.dumps(count) for count in counts.values()}) > 1:
        sys.exit(f"these are not the same networks: {counts}")
    seconds = measure(programs, arguments)
    parts = measure_parts(programs[OURS], arguments)
    for program in programs.values():
        program.close()
    ready = programs[OURS].ready_seconds
    rows = [
        f"| {stage} | {precision} | {name} | {1 / taken:.2f} | {taken:.3f} | "
        f"{seconds[OURS] / taken:.2f} | "
        + (f"{ready:.0f} s |" if name == OURS else " |")
        for name, taken in seconds.items()
    ]
    part_rows = [
        f"| {stage} | {precision} | {name} | {taken * 1e3:.1f} | "
        f"{100 * taken / seconds[OURS]:.1f} % |"
        for name, taken in parts.items()
    ]
    return rows, part_rows


def parse_arguments():
    """The defaults are the shipped generators' sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", default="psnr,gan")
    parser.add_argument("--precisions", default=",".join(_PRECISIONS))
    for name, value in _SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--steps", type=int, default=2, help="in a turn")
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--torch_python", default="", help="has torch")
    parser.add_argument(
        "--torch_compile",
        action="store_true",
        help="also with its dense blocks compiled, which takes minutes",
    )
    return parser.parse_args()


def main():
    """Prints the machine and its load, and both tables."""
    arguments = parse_arguments()
    print(machine.describe(_PACKAGES))
    if arguments.torch_python:
        code = "import torch; print('PyTorch', torch.__version__)"
        subprocess.run([arguments.torch_python, "-c", code], check=True)
    else:
        print("PyTorch skipped: it needs --torch_python.")
    print(f"load before: {os.getloadavg()[0]:.1f}")
    print(
        "\n| stage | precision | program | steps/s | s/step | of ours | "
        "first steps after |\n|---|---|---|---|---|---|---|"
    )
    parts = []
    for stage in arguments.stages.split(","):
        for precision in arguments.precisions.split(","):
            rows, part_rows = benchmark_case(stage, precision, arguments)
            print("\n".join(rows), flush=True)
            parts += part_rows
    print(
        "\n| stage | precision | part | ms | of a step |\n|---|---|---|---|---|"
    )
    print("\n".join(parts))
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
