"""The dataset builder's speed and memory, against its decoder's own speed.

    python -m benchmarks.bench_build
    python -m benchmarks.bench_build --formats=tif --side=32768 --scenes=1

Each worker builds pairs out of `--scenes` generated scenes, by the command;
the decoder is GDAL that reads the same files through rasterio, all of them and
nothing else, in as many processes, each on one thread like a worker. Speeds
are those of the steady state: the time of the command less that of the same
command on scenes of two patches. Medians of interleaved repeats. Beside other
work the shares of the cores' time are surer than those of the clock's.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

import rasterio
import rasterio.windows

from benchmarks import build_scenes, machine, measured
from pipelines import engine

_HR_SIZE = 128
_LEAST_SIDE = 2 * _HR_SIZE
_STRIP_ROWS = 1024
# As a worker has it; a strip of any scene fits in.
_GDAL_CACHE_BYTES = 256 * 2**20


@dataclasses.dataclass(frozen=True)
class Case:
    """What is built.

    Attributes:
        name: A key of `build_scenes.LABELS`.
        workers: Processes.
        paths: Scenes, those of the first worker first.
    """

    name: str
    workers: int
    paths: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Run:
    """What one repeat showed.

    Attributes:
        start: Of the command on scenes of two patches.
        decoder: Seconds of the decoder.
        decoder_cpu: Those of all its processes on the cores.
        builder: Of the command.
        pairs: That were built.
    """

    start: measured.Measured
    decoder: float
    decoder_cpu: float
    builder: measured.Measured
    pairs: int

    @property
    def steady(self) -> float:
        """The builder's seconds without its start."""
        return self.builder.seconds - self.start.seconds

    @property
    def steady_cpu(self) -> float:
        """The same on the cores."""
        return self.builder.cpu_seconds - self.start.cpu_seconds


def build(
    paths: Sequence[str], workers: int, *flags: str
) -> tuple[measured.Measured, int]:
    """Builds a dataset, which is not kept; returns also its pairs.

    Args:
        paths: Images.
        workers: Processes.
        *flags: More of the command's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pipelines.build_tfrecords"),
            f"--input={','.join(paths)}",
            f"--output_dir={folder}",
            f"--hr_size={_HR_SIZE}",
            f"--workers={workers}",
        ]
        done = measured.run([*command, *flags])
        path = os.path.join(folder, "manifest.json")
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
    listed = manifest["train"] + manifest["validation"]
    return done, sum(shard["records"] for shard in listed)


def decode(paths: Sequence[str]) -> tuple[float, float]:
    """Reads images on one thread; returns seconds, and those of the core."""
    start, core_start = time.monotonic(), time.process_time()
    options = {"GDAL_NUM_THREADS": "1", "GDAL_CACHEMAX": _GDAL_CACHE_BYTES}
    with rasterio.Env(**options), build_scenes.unplaced():
        for path in paths:
            with rasterio.open(path) as dataset:
                _read(dataset)
    return time.monotonic() - start, time.process_time() - core_start


def _read(dataset: rasterio.DatasetReader) -> None:
    for top in range(0, dataset.height, _STRIP_ROWS):
        height = min(_STRIP_ROWS, dataset.height - top)
        window = rasterio.windows.Window(0, top, dataset.width, height)
        dataset.read(1, window=window)


def decode_shared(case: Case) -> tuple[float, float]:
    """Of as many decoders as workers: the slowest's seconds, all cores'."""
    with concurrent.futures.ProcessPoolExecutor(
        case.workers, multiprocessing.get_context("spawn")
    ) as pool:
        count = len(case.paths) // case.workers
        shares = [
            case.paths[first : first + count]
            for first in range(0, len(case.paths), count)
        ]
        seconds, cores = zip(*pool.map(decode, shares), strict=True)
    return max(seconds), sum(cores)


def write_scenes(
    folder: str, names: Sequence[str], side: int, count: int
) -> dict[str, list[str]]:
    """Writes a scene of each format, and copies of it by other names.

    Args:
        folder: For them; it is made.
        names: Keys of `build_scenes.FORMATS`.
        side: Of a scene, px.
        count: Scenes of each format.

    Returns:
        Paths by format.
    """
    os.makedirs(folder)
    paths = {
        name: [build_scenes.path(folder, name, index) for index in range(count)]
        for name in names
    }
    build_scenes.write([(paths[name][0], name, side) for name in names])
    for first, *copies in paths.values():
        for copy in copies:
            shutil.copyfile(first, copy)
    return paths


def measure(cases: dict[Case, Case], repeats: int) -> dict[Case, list[Run]]:
    """Runs everything in turn.

    Args:
        cases: To each what shows its start-up.
        repeats: Of all.
    """
    runs: dict[Case, list[Run]] = {case: [] for case in cases}
    for _ in range(repeats):
        for case, least in cases.items():
            start, _ = build(least.paths, least.workers)
            decoder = decode_shared(case)
            run = Run(start, *decoder, *build(case.paths, case.workers))
            runs[case].append(run)
    return runs


def print_table(runs: dict[Case, list[Run]], side: int) -> None:
    """Prints a row a case."""
    print(
        "| image, uint16 | workers | decoder, Mpx/s | builder, Mpx/s | "
        "of the decoder | by the cores | pairs/s | MB/s of pixels | start-up | "
        "peak memory |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case, found in runs.items():
        mpx = len(case.paths) * side**2 / 1e6
        decoder = statistics.median(run.decoder for run in found)
        builder = statistics.median(run.steady for run in found)
        # Of each repeat by itself: the machine's speed may change between.
        share = statistics.median(run.decoder / run.steady for run in found)
        cores = statistics.median(
            run.decoder_cpu / run.steady_cpu for run in found
        )
        start = statistics.median(run.start.seconds for run in found)
        peak = max(run.builder.peak_mib for run in found)
        print(
            f"| {build_scenes.LABELS[case.name]} | {case.workers} | "
            f"{mpx / decoder:.1f} | {mpx / builder:.1f} | {share:.2f} | "
            f"{cores:.2f} | {found[0].pairs / builder:,.0f} | "
            f"{2 * mpx / builder:.0f} | {start:.1f} s | "
            f"{peak / 1024:.2f} GiB |"
        )


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(build_scenes.LABELS):
        raise argparse.ArgumentTypeError(f"of {', '.join(build_scenes.LABELS)}")
    return names


def parse_arguments() -> argparse.Namespace:
    """By itself one worker, and as many as there are cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ",".join(build_scenes.LABELS)
    workers = sorted({1, engine.core_count()})
    parser.add_argument(
        "--formats", type=_names, default=known, help=f"of {known}"
    )
    parser.add_argument("--side", type=int, default=4096, help="px of a scene")
    parser.add_argument("--scenes", type=int, default=2, help="a worker")
    parser.add_argument(
        "--workers",
        type=lambda text: [int(part) for part in text.split(",")],
        default=workers,
        help="numbers of processes",
    )
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    """Writes the scenes, measures, prints."""
    arguments = parse_arguments()
    names, most = arguments.formats, max(arguments.workers)
    with tempfile.TemporaryDirectory() as folder:
        paths, least = (
            write_scenes(os.path.join(folder, str(side)), names, side, count)
            for side, count in (
                (arguments.side, most * arguments.scenes),
                (_LEAST_SIDE, most),
            )
        )
        cases = {
            Case(name, n, tuple(paths[name][: n * arguments.scenes])): Case(
                name, n, tuple(least[name][:n])
            )
            for name in names
            for n in arguments.workers
        }
        runs = measure(cases, arguments.repeats)
    print(machine.describe(("rasterio", "numpy")))
    print(f"GDAL {rasterio.__gdal_version__}; scenes of {arguments.side} px")
    print_table(runs, arguments.side)


if __name__ == "__main__":
    main()
