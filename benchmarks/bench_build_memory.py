"""Peak memory and speed of the dataset builder on one large scene.

    python -m benchmarks.bench_build_memory                   # 1 Gpx GeoTIFF
    python -m benchmarks.bench_build_memory --side=16384 --format=jp2

Writes a scene of 10-bit pixels, with a margin without data, to a temporary
folder, builds a dataset from it in one worker, and prints the largest resident
memory of the builder's process. The JPEG 2000 has a single tile, as HiRISE's
own have: to write it takes 12 bytes a pixel, to read it does not.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import rasterio
import rasterio.windows

_PATTERN_SIDE = 1024
_MARGIN_PX = 300
OPTIONS = {
    "tif": {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 2,
        "BIGTIFF": "YES",
    },
    "jp2": {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"},
}


def make_pattern() -> np.ndarray:
    """`(1024, 1024)` DN of smooth relief with a little noise."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 3, (2, _PATTERN_SIDE))
    relief = np.cumsum(steps[0])[:, np.newaxis] + np.cumsum(steps[1])
    relief += rng.normal(0, 4, relief.shape)
    return np.clip(500 + relief, 3, 1021).astype(np.uint16)


def write_scene(path: str, side: int, options: dict) -> None:
    """Writes a scene of `side` squared pixels, 0 in its margin."""
    pattern = make_pattern()
    row = np.tile(pattern, (1, -(-side // _PATTERN_SIDE)))[:, :side]
    row[:, :_MARGIN_PX] = 0
    profile = {"width": side, "height": side, "count": 1, "dtype": "uint16"}
    if options["driver"] == "JP2OpenJPEG":
        # Its driver creates files only as copies of another one.
        options = {**options, "blockxsize": side, "blockysize": side}
    with rasterio.open(path, "w", **profile, **options) as dataset:
        for top in range(0, side, _PATTERN_SIDE):
            height = min(_PATTERN_SIDE, side - top)
            window = rasterio.windows.Window(0, top, side, height)
            dataset.write(row[:height], 1, window=window)


def build(path: str, folder: str) -> tuple[float, float]:
    """Builds a dataset; returns seconds and the peak memory in GiB."""
    command = [sys.executable, "-m", "pipelines.build_tfrecords", "--workers=1"]
    command += [f"--input={path}", f"--output_dir={folder}"]
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def main() -> None:
    """Parses the arguments, builds, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32768, help="pixels")
    parser.add_argument("--format", choices=sorted(OPTIONS), default="tif")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        name = f"ESP_099999_1800_RED.{arguments.format}"
        path = os.path.join(folder, name)
        # In a process of its own: a child's peak starts at its parent's.
        writer = multiprocessing.get_context("spawn").Process(
            target=write_scene,
            args=(path, arguments.side, OPTIONS[arguments.format]),
        )
        writer.start()
        writer.join()
        size = os.path.getsize(path) / 2**30
        seconds, peak = build(path, os.path.join(folder, "dataset"))
    pixels = arguments.side**2
    print(
        f"{arguments.format}, {pixels / 1e6:.0f} Mpx, {size:.2f} GiB on disk: "
        f"{seconds:.0f} s, {pixels / 1e6 / seconds:.1f} Mpx/s, "
        f"peak memory {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
