"""Time and memory against the size of the work: are they straight lines?

    python -m benchmarks.bench_growth --figure=benchmarks/figures/growth.png

Prediction with an engine that costs nothing, which shows all but the network,
up to 256 Mpx of input, and by tile and by tiles at once; prediction by the
command with a model; the dataset builder, up to the same size and by shards.
To each a line is fitted, start and slope, by its share of each time. Medians
of `--repeats`; what takes longer than 15 s is run once.
"""

import argparse
import dataclasses
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import bench_build, build_scenes, machine, measured

MPX = "Mpx"
_ONCE_FROM_S = 15.0
# Sizes at which tiles and threads, and shards, are compared.
_TILES_MPX, _SHARDS_MPX = 4, 16


@dataclasses.dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        x: Of the series' axis.
        seconds: Median.
        peak_mib: Largest resident memory.
    """

    x: float
    seconds: float
    peak_mib: float


@dataclasses.dataclass(frozen=True)
class Series:
    """Measurements along an axis.

    Attributes:
        label: What was measured.
        axis: What grew.
        points: In rising order.
    """

    label: str
    axis: str
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """A straight line through times.

    Attributes:
        start: Seconds at 0.
        slope: Seconds a unit.
        worst: Largest deviation of a time, as a share of the line's.
    """

    start: float
    slope: float
    worst: float


def fit(points: Sequence[Point]) -> Line:
    """The line whose deviations, as shares of the times, are least."""
    x = np.array([point.x for point in points])
    seconds = np.array([point.seconds for point in points])
    terms = np.stack([np.ones_like(x), x], axis=1) / seconds[:, np.newaxis]
    start, slope = np.linalg.lstsq(terms, np.ones_like(x))[0].tolist()
    line = start + slope * x
    return Line(start, slope, float(abs(seconds / line - 1).max()))


def side_of(mpx: float) -> int:
    """Side of a square image, px; 1 Mpx is 1,024 px squared."""
    return round(1024 * math.sqrt(mpx))


class Bench:
    """Scenes in a folder, and what is measured on them.

    Args:
        folder: For scenes and results.
        repeats: Of each measurement that does not take long.
        model: Folder of the exported model.
    """

    def __init__(self, folder: str, repeats: int, model: str) -> None:
        self._folder = folder
        self._repeats = repeats
        self._model = model

    def along(
        self,
        label: str,
        axis: str,
        values: Sequence[float],
        run: Callable[[Any], tuple[float, float]],
    ) -> Series:
        """Seconds and memory of each value of an axis."""
        points = []
        for value in values:
            found = [run(value)]
            while len(found) < self._repeats and found[0][0] < _ONCE_FROM_S:
                found.append(run(value))
            seconds, peaks = zip(*found, strict=True)
            points.append(Point(value, statistics.median(seconds), max(peaks)))
        return Series(label, axis, tuple(points))

    def cheap(
        self, mpx: float, *, tile: int = 0, threads: int = 2
    ) -> tuple[float, float]:
        """Prediction with an engine that costs nothing."""
        done = self._predict(
            "benchmarks.cheap_prediction",
            mpx,
            f"--tile={tile}",
            f"--threads={threads}",
        )
        told = json.loads(done.printed.splitlines()[-1])
        return told["seconds"], told["peak_mib"]

    def command(self, mpx: float) -> tuple[float, float]:
        """The prediction command, start-up and all."""
        done = self._predict(
            "marsgan_tf.predict", mpx, f"--model={self._model}", "--overwrite"
        )
        return done.seconds, done.peak_mib

    def build(
        self, mpx: float, *, shard_megabytes: int = 150
    ) -> tuple[float, float]:
        """The builder's command on a GeoTIFF, by one worker."""
        path = self._scene("tif", mpx)
        flag = f"--shard_megabytes={shard_megabytes}"
        done, _ = bench_build.build([path], 1, flag)
        return done.seconds, done.peak_mib

    def _predict(
        self, module: str, mpx: float, *flags: str
    ) -> measured.Measured:
        source = self._scene("tif-8bit", mpx)
        output = os.path.join(self._folder, "output.tif")
        command = [sys.executable, "-m", module, f"--input={source}"]
        try:
            return measured.run([*command, f"--output={output}", *flags])
        finally:
            if os.path.exists(output):
                os.remove(output)

    def _scene(self, name: str, mpx: float) -> str:
        folder = os.path.join(self._folder, f"{mpx}")
        path = build_scenes.path(folder, name, 0)
        if not os.path.exists(path):
            os.makedirs(folder, exist_ok=True)
            build_scenes.write([(path, name, side_of(mpx))])
        return path


def measure(bench: Bench, arguments: argparse.Namespace) -> list[Series]:
    """All series."""
    tiles_mpx = min(_TILES_MPX, max(arguments.mpx))
    shards_mpx = min(_SHARDS_MPX, max(arguments.mpx))
    cheap, builder = "prediction without its network", "builder, GeoTIFF"
    return [
        bench.along(cheap, MPX, arguments.mpx, bench.cheap),
        bench.along(builder, MPX, arguments.mpx, bench.build),
        bench.along("prediction", MPX, arguments.model_mpx, bench.command),
        bench.along(
            cheap,
            "tile, px",
            (128, 256, 512, 1024),
            lambda tile: bench.cheap(tiles_mpx, tile=tile),
        ),
        bench.along(
            cheap,
            "tiles at once",
            (1, 2, 4),
            lambda threads: bench.cheap(tiles_mpx, tile=256, threads=threads),
        ),
        bench.along(
            builder,
            "MB a shard",
            (2, 8, 32, 128),
            lambda size: bench.build(shards_mpx, shard_megabytes=size),
        ),
    ]


def print_tables(series: Sequence[Series]) -> None:
    """Prints lines of what grows with the image, and all measurements."""
    print("\n| what | s a Mpx | start | worst deviation | memory |")
    print("|---|---|---|---|---|")
    for each in series:
        if each.axis == MPX and len(each.points) > 2:
            line = fit(each.points)
            first, last = each.points[0], each.points[-1]
            print(
                f"| {each.label} | {line.slope:.3g} | {line.start:.2g} s | "
                f"{line.worst:.0%} | {first.peak_mib:,.0f} MiB at "
                f"{first.x:g} Mpx, {last.peak_mib:,.0f} at {last.x:g} |"
            )
    print("\n| what | | s | memory |")
    print("|---|---|---|---|")
    for each in series:
        for point in each.points:
            print(
                f"| {each.label} | {point.x:g} {each.axis} | "
                f"{point.seconds:.2f} | {point.peak_mib:,.0f} MiB |"
            )


def _sizes(text: str) -> list[float]:
    return sorted(float(part) for part in text.split(","))


def main() -> None:
    """Measures, prints, draws if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mpx", type=_sizes, default="1,4,16,64,256")
    parser.add_argument("--model_mpx", type=_sizes, default="0.25,1,2,4")
    parser.add_argument("--model", default="saved_models/marsgan-psnr")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--figure", default="", help="PNG to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, arguments.repeats, arguments.model)
        series = measure(bench, arguments)
    print(machine.describe(("rasterio", "numpy", "openvino")))
    print(
        f"1 Mpx is 1,024 px squared; tiles at {_TILES_MPX} Mpx, shards at "
        f"{_SHARDS_MPX} Mpx, or the most"
    )
    print_tables(series)
    if arguments.figure:
        from benchmarks import growth_figure

        growth_figure.draw(series, arguments.figure)


if __name__ == "__main__":
    main()
