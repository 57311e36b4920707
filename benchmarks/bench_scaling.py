"""The dataset builder's speed against its workers, local and under Dask.

    python -m benchmarks.bench_scaling

Builds one dataset of generated scenes again and again, each time in a new
folder and by the command itself, so that the start of the workers counts too;
medians over interleaved repeats. All datasets must be the same, byte for byte.
Below the table, how long the paper's 466 scenes would take: computed, not
tried, from the slower rate that was measured with as many workers as there are
cores, for scenes of tiled GeoTIFF, and from the decoder's own speed for JPEG
2000 in one tile (`bench_build --formats=jp2 --side=16384 --scenes=1`).
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import build_scenes, machine
from pipelines import engine

POOLS = {"local": True, "dask": importlib.util.find_spec("distributed")}
WORKERS = (1, 2, 4)
SCENES = 16
SIDE = 4096
HR_SIZE = 128
# Of the paper's training data; HiRISE's RED products have about a gigapixel.
PAPER_SCENES = 466
SCENE_MPX = 1000
JP2_MPX_PER_S = 3.1
NODES = (1, 10)
CORES_PER_NODE = 32


def build(pool: str, workers: int, scenes: str, folder: str) -> float:
    """Builds a dataset; returns the seconds that it took."""
    command = [sys.executable, "-m", "pipelines.build_tfrecords"]
    command += [f"--input={scenes}/*.tif", f"--output_dir={folder}"]
    command += [f"--hr_size={HR_SIZE}", f"--pool={pool}"]
    command += [f"--workers={workers}", "--validation_fraction=0.1"]
    start = time.monotonic()
    subprocess.run(command, check=True, stderr=subprocess.PIPE)
    return time.monotonic() - start


def shards(folder: str) -> dict[str, int]:
    """SHA-256 of every shard of a dataset, and its records."""
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    listed = manifest["train"] + manifest["validation"]
    return {shard["sha256"]: shard["records"] for shard in listed}


def measure(
    scenes: str, folder: str, repeats: int
) -> tuple[int, dict[tuple[str, int], float]]:
    """Records of the dataset, and seconds by pool and workers."""
    seconds: dict[tuple[str, int], list[float]] = {}
    first: dict[str, int] = {}
    for repeat in range(repeats):
        for pool in filter(POOLS.get, POOLS):  # Those that are installed.
            for workers in WORKERS:
                made = os.path.join(folder, f"{pool}-{workers}-{repeat}")
                spent = build(pool, workers, scenes, made)
                seconds.setdefault((pool, workers), []).append(spent)
                first = first or shards(made)
                if shards(made) != first:
                    raise SystemExit(f"{made}: another dataset than the first")
    medians = {case: statistics.median(each) for case, each in seconds.items()}
    return sum(first.values()), medians


def hours(mpx_per_s: float, nodes: int) -> float:
    """For the paper's scenes, where every core keeps its measured rate.

    No scene is shared by cores, so that the last ones may leave some idle.
    """
    rounds = -(-PAPER_SCENES // (CORES_PER_NODE * nodes))
    return rounds * SCENE_MPX / mpx_per_s / 3600


def main() -> None:
    """Measures, prints two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scenes = os.path.join(folder, "scenes")
        os.makedirs(scenes)
        build_scenes.write(
            [
                (build_scenes.path(scenes, "tif", index), "tif", SIDE)
                for index in range(SCENES)
            ]
        )
        records, seconds = measure(scenes, folder, arguments.repeats)
    print(machine.describe(("distributed", "numpy")))
    print(f"{SCENES} scenes of {SIDE} px, {records} pairs of {HR_SIZE} px")
    print("| pool | workers | s | pairs/s | against one worker |")
    print("|---|---|---|---|---|")
    for (pool, workers), spent in seconds.items():
        gain = seconds[pool, 1] / spent
        print(
            f"| {pool} | {workers} | {spent:.1f} | {records / spent:,.0f} | "
            f"{gain:.2f} x |"
        )
    cores = max(n for n in WORKERS if n <= engine.core_count())
    busy = max(spent for (_, n), spent in seconds.items() if n == cores)
    core_rate = SCENES * SIDE**2 / 1e6 / busy / cores
    print(f"\n{PAPER_SCENES} scenes of {SCENE_MPX} Mpx, computed:\n")
    print(f"| nodes of {CORES_PER_NODE} cores | tiled GeoTIFF | JPEG 2000 |")
    print("|---|---|---|")
    for nodes in NODES:
        told = [hours(rate, nodes) for rate in (core_rate, JP2_MPX_PER_S)]
        print(f"| {nodes} | {told[0]:.2f} h | {told[1]:.2f} h |")


if __name__ == "__main__":
    main()
