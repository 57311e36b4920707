"""A prediction whose engine costs nothing, which tells its time and memory.

    python -m benchmarks.cheap_prediction --input=IMAGE --output=OUTPUT.tif

All that is not the network: reading, tiles, masks, rounding, the file.
"""

import argparse
import json
import time
import types

import numpy as np

from marsgan_tf.config import PredictConfig
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.inference import predicting
from marsgan_tf.inference.settings import Model, Targets
from marsgan_tf.inference.super_resolve import super_resolve


class Repeating:
    """Gives each pixel four by four times.

    Args:
        concurrency: Calls that may run at once.
    """

    name, precision = "repeating", "float32"

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency

    def restore(self, lr: np.ndarray) -> np.ndarray:
        """From `(batch, h, w, 1)` to four times the sides."""
        return lr.repeat(4, axis=1).repeat(4, axis=2)


def predict(source: str, output: str, *, tile: int, threads: int) -> None:
    """Enlarges an image as prediction does.

    Args:
        source: The image.
        output: A GeoTIFF.
        tile: Largest side of a tile, px; 0 to choose one.
        threads: Tiles at once.
    """
    model = Model(
        engine=Repeating(threads),
        description=types.SimpleNamespace(
            name="repeating", version=1, weights_sha256="0", conditioned=False
        ),
        blended=None,
        degradation=Degradation(blur_sigma=0.0, noise_sigma=0.0),
    )
    config = PredictConfig(
        input=(source,), output=output, tile=tile, threads=threads
    )
    options = predicting.options_of(config, overwrite=True, resume=False)
    super_resolve(source, Targets(output), model, options, [])


def _peak_mib() -> float:
    """By Linux' count of this program alone.

    That of `getrusage` begins with what the process had before it became one.
    """
    with open("/proc/self/status", encoding="utf-8") as status:
        (peak,) = (line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def main() -> None:
    """Predicts, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--tile", type=int, default=256, help="px; 0: chosen")
    parser.add_argument("--threads", type=int, default=2, help="tiles at once")
    arguments = parser.parse_args()
    start = time.monotonic()
    predict(
        arguments.input,
        arguments.output,
        tile=arguments.tile,
        threads=arguments.threads,
    )
    seconds = time.monotonic() - start
    print(json.dumps({"seconds": seconds, "peak_mib": _peak_mib()}))


if __name__ == "__main__":
    main()
