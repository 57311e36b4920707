"""Programs that predict, each a process: ours, its engine alone, peers."""

import dataclasses
import json
import os
import sys

from benchmarks import measured

_TORCH = os.path.join(os.path.dirname(__file__), "peers", "torch_marsgan.py")
_ENGINE_NAMES = {"openvino": "OpenVINO", "saved_model": "TensorFlow"}
_KINDS = {True: "whole", False: "bare"}

# How PyTorch can compute in a precision.
WAYS = {
    "float32": ("float32",),
    "bfloat16": ("bfloat16", "autocast"),
    "int8": (),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all programs are told.

    Attributes:
        folder: Holds `lr-SIDE.tif` and `lr-SIDE.npy`; the results go there.
        stretch: "LO,HI".
        tile: Side of a tile, px of the input; 0 where ours chooses.
        peer_tile: That of all others.
        halo: Around it, in whole commands.
        threads: 0 for all.
    """

    folder: str
    stretch: str
    tile: int
    peer_tile: int
    halo: int
    threads: int

    @property
    def width(self) -> float:
        """DN from 0 to 1."""
        low, high = self.stretch.split(",")
        return float(high) - float(low)

    def path(self, name: str) -> str:
        """In the folder."""
        return os.path.join(self.folder, name)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        label: For the table.
        precision: A key of `WAYS`.
        is_whole: Whether it goes from file to file; if not, it reads before
            its time counts, which it prints as JSON, and answers one tile.
        extension: Of the files that it reads and writes.
        command: But for `--input` and `--output`.
    """

    label: str
    precision: str
    is_whole: bool
    extension: str
    command: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether it is the prediction command."""
        return "marsgan_tf.predict" in self.command


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run showed.

    Attributes:
        seconds: From start to end of the process, or what it printed.
        peak_mib: Largest resident memory.
        output: The file that it wrote.
    """

    seconds: float
    peak_mib: float
    output: str


def ours(
    model: str, engine: str, precision: str, settings: Settings
) -> Program:
    """The prediction command."""
    command = (
        *(sys.executable, "-m", "marsgan_tf.predict", "--overwrite"),
        f"--model={model}",
        f"--engine={engine}",
        f"--precision={precision}",
        f"--tile={settings.tile}",
        f"--halo={settings.halo}",
        f"--threads={settings.threads}",
    )
    label = f"{_KINDS[True]}: ours, {_ENGINE_NAMES[engine]}"
    return Program(label, precision, True, "tif", command)


def bare_openvino(model: str, precision: str, settings: Settings) -> Program:
    """The exported model in OpenVINO, in one piece."""
    command = (
        *(sys.executable, "-m", "benchmarks.peers.bare_openvino"),
        f"--model={model}",
        f"--precision={precision}",
        f"--stretch={settings.stretch}",
        f"--tile={settings.peer_tile}",
        f"--threads={settings.threads}",
    )
    label = f"{_KINDS[False]}: OpenVINO"
    return Program(label, precision, False, "npy", command)


def bare_onnx(model: str, settings: Settings) -> Program:
    """The network in ONNX Runtime, whose kernels for CPUs are float32."""
    command = (
        *(sys.executable, "-m", "benchmarks.peers.bare_onnx"),
        f"--model={model}",
        f"--stretch={settings.stretch}",
        f"--tile={settings.peer_tile}",
        f"--threads={settings.threads}",
    )
    label = f"{_KINDS[False]}: ONNX Runtime"
    return Program(label, "float32", False, "npy", command)


@dataclasses.dataclass(frozen=True)
class Torch:
    """The network in PyTorch.

    Attributes:
        python: That has it.
        form: Of the network, for the table.
        weights: File of its arrays.
    """

    python: str
    form: str
    weights: str

    def program(
        self, way: str, *, is_whole: bool, settings: Settings
    ) -> Program:
        """From file to file, or from memory; computing in one of `WAYS`."""
        command = (
            *(self.python, _TORCH),
            f"--task={'command' if is_whole else 'network'}",
            f"--weights={self.weights}",
            f"--precision={way}",
            f"--stretch={settings.stretch}",
            f"--tile={settings.peer_tile}",
            f"--halo={settings.halo}",
            f"--threads={settings.threads}",
        )
        precision = next(name for name, ways in WAYS.items() if way in ways)
        label = f"{_KINDS[is_whole]}: PyTorch, {self.form}"
        return Program(label, precision, is_whole, "npy", command)


def run(program: Program, side: int, settings: Settings) -> Run:
    """Runs a program on the image of this side.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    source = settings.path(f"lr-{side}.{program.extension}")
    name = f"{program.label} {program.precision} {side}"
    output = settings.path(f"{name}.{program.extension}")
    command = [*program.command, f"--input={source}", f"--output={output}"]
    done = measured.run(command)
    seconds = done.seconds
    if not program.is_whole:
        seconds = json.loads(done.printed.splitlines()[-1])["seconds"]
    return Run(seconds, done.peak_mib, output)
