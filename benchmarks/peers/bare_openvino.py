"""An exported model in OpenVINO as a whole, without anything around it.

    python -m benchmarks.peers.bare_openvino --model=FOLDER --input=LR.npy ...

Reads the SavedModel, compiles it in one piece, and runs tiles without halo
that are in memory, several at once. Prints a line of JSON, and writes the
answer of the first tile.
"""

import argparse
import json
import time

import numpy as np
import openvino as ov

from marsgan_tf.deployment import description as descriptions
from marsgan_tf.imaging import stretch

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def compile_model(folder, precision, threads):
    """The model for this machine's CPU, for throughput."""
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    core = ov.Core()
    return core.compile_model(core.read_model(folder), "CPU", settings)


def cut(image, side):
    """All tiles of an image, row by row; the last ones may be smaller."""
    height, width = image.shape
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield image[row : row + side, col : col + side]


def run(compiled, tiles):
    """Seconds that all tiles take, after as many as run at once."""
    queue = ov.AsyncInferQueue(compiled)
    for index in range(len(queue)):
        queue.start_async(tiles[index % len(tiles)])
    queue.wait_all()
    start = time.perf_counter()
    for tile in tiles:
        queue.start_async(tile)
    queue.wait_all()
    return time.perf_counter() - start


def main():
    """Parses the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="exported model")
    parser.add_argument("--input", required=True, help="integers, .npy")
    parser.add_argument("--output", required=True, help=".npy")
    parser.add_argument("--stretch", required=True, help="LO,HI")
    parser.add_argument("--precision", choices=sorted(_HINTS), required=True)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    arguments = parser.parse_args()
    low, high = (float(part) for part in arguments.stretch.split(","))
    lr = stretch.Stretch(low, high).apply(np.load(arguments.input))
    tiles = [
        np.ascontiguousarray(tile)[np.newaxis, ..., np.newaxis]
        for tile in cut(lr, arguments.tile)
    ]
    folder = descriptions.find(arguments.model)
    compiled = compile_model(folder, arguments.precision, arguments.threads)
    np.save(arguments.output, compiled(tiles[0])[0][0, ..., 0])
    print(json.dumps({"seconds": run(compiled, tiles)}))


if __name__ == "__main__":
    main()
