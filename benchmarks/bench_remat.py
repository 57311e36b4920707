"""What `--remat` saves of memory and costs in time.

    python -m benchmarks.bench_remat

Each case is a process of its own, which takes steps of stage 1 on random
pairs; its peak of resident memory covers the whole of it, TensorFlow included.
The time is that of the processor, over all cores, which other work on the
machine hardly changes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from marsgan_tf import config, native_output

NETWORK = {"blocks": 4, "features": 32, "growth": 16, "seed": 0}
HR_SIZE = 96
MICRO_BATCHES = (1, 4)


def measure(batch_size, steps, remat, micro_batches):
    """Processor seconds of a step; GiB before the first, and the peak."""
    with native_output.held_back():
        import numpy as np
        import tensorflow as tf

        from marsgan_tf.training import build, loop
    stage = build.build_psnr_stage(
        config.TrainConfig(
            **NETWORK,
            batch_size=batch_size,
            hr_size=HR_SIZE,
            remat=remat,
            micro_batches=micro_batches,
        )
    )
    random = np.random.default_rng(0)
    batch = {
        name: tf.constant(
            random.random((batch_size, side, side, 1), dtype=np.float32)
        )
        for name, side in (("hr", HR_SIZE), ("lr", HR_SIZE // 4))
    }
    before = peak_gib()
    take_step = loop.compile_step(stage, tf.distribute.get_strategy())
    take_step(batch)  # Traces the graph.
    seconds = []
    for _ in range(steps):
        start = time.process_time()
        float(take_step(batch)["l1"])
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), before, peak_gib()


def peak_gib():
    """Of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_apart(*case):
    """`measure` in a new process."""
    command = [sys.executable, "-m", "benchmarks.bench_remat"]
    done = subprocess.run(
        [*command, f"--case={json.dumps(case)}"],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def main():
    """Prints a table; with `--case`, one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*arguments.case)))
        return
    print(f"{NETWORK}, {arguments.batch_size} pairs of {HR_SIZE} px")
    print(
        "| remat | micro batches | CPU s/step | GiB before | GiB at its peak |"
    )
    print("|---|---|---|---|---|")
    for micro_batches in MICRO_BATCHES:
        for remat in (False, True):
            seconds, before, peak = measure_apart(
                arguments.batch_size, arguments.steps, remat, micro_batches
            )
            print(
                f"| {'yes' if remat else 'no'} | {micro_batches} | "
                f"{seconds:.2f} | {before:.2f} | {peak:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
