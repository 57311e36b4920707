"""A model in ONNX Runtime as a whole, without anything around it.

    python -m benchmarks.peers.bare_onnx --model=NET.onnx --input=LR.npy ...

Runs tiles without halo that are in memory, one after the other, each on all
threads. Prints a line of JSON, and writes the answer of the first tile.
"""

import json
import time

import numpy as np
import onnxruntime

from benchmarks.peers import tiles

# What a conditioned network is told: blur in px of the output, and noise.
_TOLD = np.float32([[1.6, 0.0]])


def main():
    """Parses the arguments, runs, prints."""
    arguments = tiles.parser(__doc__).parse_args()
    cut = tiles.read(arguments)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(
        arguments.model, options, providers=["CPUExecutionProvider"]
    )
    told = {"degradation": _TOLD} if len(session.get_inputs()) > 1 else {}

    def restore(tile):
        return session.run(None, {"lr": tile, **told})[0]

    np.save(arguments.output, restore(cut[0])[0, ..., 0])
    start = time.perf_counter()
    for tile in cut:
        restore(tile)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
