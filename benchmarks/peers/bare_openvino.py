"""An exported model in OpenVINO as a whole, without anything around it.

    python -m benchmarks.peers.bare_openvino --model=FOLDER --input=LR.npy ...

Reads the SavedModel, compiles it in one piece, and runs tiles without halo
that are in memory, several at once. Prints a line of JSON, and writes the
answer of the first tile.
"""

import json
import time

import numpy as np

from benchmarks.peers import tiles
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.inference.openvino_core import ov

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


def run(compiled, cut):
    """Seconds that all tiles take, after as many as run at once."""
    queue = ov.AsyncInferQueue(compiled)
    for index in range(len(queue)):
        queue.start_async(cut[index % len(cut)])
    queue.wait_all()
    start = time.perf_counter()
    for tile in cut:
        queue.start_async(tile)
    queue.wait_all()
    return time.perf_counter() - start


def main():
    """Parses the arguments, runs, prints."""
    parser = tiles.parser(__doc__)
    parser.add_argument("--precision", choices=sorted(_HINTS), required=True)
    arguments = parser.parse_args()
    cut = tiles.read(arguments)
    folder = descriptions.find(arguments.model)
    compiled = compile_model(folder, arguments.precision, arguments.threads)
    np.save(arguments.output, compiled(cut[0])[0][0, ..., 0])
    print(json.dumps({"seconds": run(compiled, cut)}))


if __name__ == "__main__":
    main()
