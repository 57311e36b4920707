"""How fast training pairs come out of their shards.

    python -m benchmarks.bench_records

Writes shards of random pairs, then reads batches of them in one process, as
training does: parsed, stretched, cut, turned, batched. The need beside it is
that of a GPU that takes 20 steps a second of 64 pairs. Then the share of one of
several workers, who reads all shards and drops what is another's.
"""

import itertools
import os
import statistics
import sys
import tempfile
import time

import numpy as np

from marsgan_tf import native_output
from marsgan_tf.dataset import example, manifest, tfrecord

HR_SIZE = 128
PAIRS = 4096
BATCH_SIZE = 64
NEEDED_PER_SECOND = 20 * BATCH_SIZE
REPEATS = 5
BATCHES = 60
SHARDS = 4
WORKERS = (1, 2, 4, 8)
SHARED_CASE = ("uint8", "")
CASES = (("uint8", ""), ("uint16", ""), ("float32", ""), ("uint16", "GZIP"))


def write_dataset(folder, dtype, compression):
    """Writes `PAIRS` pairs of noise; returns the manifest."""
    random = np.random.default_rng(0)
    shards = []
    for number in range(SHARDS):
        name = f"train-{number:05d}-of-{SHARDS:05d}.tfrecord"
        path = os.path.join(folder, name)
        with tfrecord.open_writer(path, compression) as file:
            for row in range(PAIRS // SHARDS):
                hr = random.integers(0, 256, (HR_SIZE, HR_SIZE, 1))
                pair = example.PatchPair(
                    hr=hr.astype(dtype),
                    lr=hr[::4, ::4].astype(dtype),
                    low=0.0,
                    high=255.0,
                    observation_id="ESP_000000_0000",
                    row=row,
                    col=0,
                    blur_sigma=1.6,
                    noise_sigma=0.0,
                )
                tfrecord.write_record(file, example.encode(pair))
        shards.append(
            manifest.Shard(
                name=name,
                records=PAIRS // SHARDS,
                bytes=os.path.getsize(path),
                sha256="",
            )
        )
    return manifest.Manifest(
        directory=folder,
        hr_size=HR_SIZE,
        scale=4,
        compression=compression,
        parameters={},
        train=tuple(shards),
        validation=(),
        sources=(),
    )


def measure(dataset, workers=1):
    """Pairs a second of one of the workers; the first batches warm up.

    The median over repeats. `workers` share the global batch.
    """
    from marsgan_tf.training import records

    batches = iter(
        records.training_batches(
            dataset,
            hr_size=HR_SIZE,
            batch_size=BATCH_SIZE // workers,
            seed=0,
            pipelines=workers,
        )
    )
    for _ in itertools.islice(batches, 20):
        pass
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in itertools.islice(batches, BATCHES):
            pass
        seconds = time.perf_counter() - start
        rates.append(BATCHES * (BATCH_SIZE // workers) / seconds)
    return statistics.median(rates)


def main():
    """Prints a table."""
    with native_output.held_back():
        import tensorflow  # noqa: F401  Loaded here, so that it is quiet.
    print(f"{os.cpu_count()} cores, pairs of {HR_SIZE} px, {sys.platform}")
    print("| dtype | compression | pairs/s | of what a GPU needs |")
    print("|---|---|---|---|")
    for dtype, compression in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rate = measure(write_dataset(folder, dtype, compression))
        share = rate / NEEDED_PER_SECOND
        print(
            f"| {dtype} | {compression or 'none'} | {rate:,.0f} | "
            f"{share:.1f} x |"
        )
    print("\n| workers | pairs/s of one | pairs/s of all | against one |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(folder, *SHARED_CASE)
        rates = {workers: measure(dataset, workers) for workers in WORKERS}
    for workers, rate in rates.items():
        together = workers * rate
        print(
            f"| {workers} | {rate:,.0f} | {together:,.0f} | "
            f"{together / rates[1]:.1f} x |"
        )


if __name__ == "__main__":
    main()
