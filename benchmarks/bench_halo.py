"""How far a tile must look: the halo against the error of tiled prediction.

    python -m benchmarks.bench_halo                             # fresh weights
    python -m benchmarks.bench_halo --models=saved_models/NAME --input=IMAGE

Predicts an image in one piece and in tiles, in float32, so that the halo alone
differs, and prints by how much: in DN of 8 bits, of an output clipped to
[0, 1]. Then what bfloat16 changes in the one piece, in DN of 8 and of 16 bits.
Weights that were never trained look less far than those that were.
"""

import argparse
import tempfile

import numpy as np

from benchmarks import model_choice
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.imaging import raster, stretch, terrain, tiling
from marsgan_tf.inference import engines
from marsgan_tf.inference.overlap import overlapped

_HALOS = (4, 8, 12, 16, 24, 32, 48, 64)
# Of the one piece: beyond what any of the tiles sees.
_WHOLE_HALO = 96
_DN_8, _DN_16 = 2**8 - 1, 2**16 - 1


def read_image(path: str, side: int) -> np.ndarray:
    """The middle of an image's first band, or terrain, stretched to [0, 1].

    Returns:
        float32 `(side, side, 1)`.
    """
    if not path:
        image = terrain.image(side, gsd_m=1.0, seed=0)[..., np.newaxis]
    else:
        with raster.open_raster(path) as reader:
            row, col = (reader.height - side) // 2, (reader.width - side) // 2
            image = reader.read(row, col, side, side, bands=[1])
    return stretch.fit(image).apply(image)


def open_engine(folder: str, precision: str):
    """The engine that prediction would take on this machine."""
    found = descriptions.find(folder)
    description = descriptions.load(found)
    return engines.open_engine(
        "auto",
        found,
        description,
        precision=precision,
        degradation=description.degradation,
        threads=0,
        samples=0,
    )


def predict(engine, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    """Super-resolves an image in tiles; clipped to [0, 1]."""
    height, width, _ = image.shape
    grid = tiling.Grid(height, width, tile, halo)
    output = np.empty((4 * height, 4 * width, 1), np.float32)

    def read(core: tiling.Window) -> np.ndarray:
        return tiling.read_with_halo(lambda w: image[w.slices], core, grid)

    def compute(seen: np.ndarray) -> np.ndarray:
        answer = engine.restore(seen[np.newaxis])[0]
        return tiling.without_halo(answer, halo, 4)

    for core, answer in overlapped(
        grid, read, compute, workers=engine.concurrency
    ):
        output[core.scaled(4).slices] = answer
    return output.clip(0.0, 1.0)


def print_model(
    name: str, folder: str, image: np.ndarray, halos: list[int], tile: int
) -> None:
    """Prints the tables of a model."""
    engine = open_engine(folder, "float32")
    side = max(image.shape)
    whole = predict(engine, image, side, _WHOLE_HALO)
    print(f"\n{name}, by {engine.name}; {side} px, tiles of {tile} px\n")
    print("| halo, px | largest, DN of 8 bits | mean | computed twice |")
    print("|---|---|---|---|")
    for halo in halos:
        error = abs(predict(engine, image, tile, halo) - whole) * _DN_8
        extra = (1 + 2 * halo / tile) ** 2 - 1
        print(
            f"| {halo} | {error.max():.2g} | {error.mean():.2g} | {extra:.0%} |"
        )
    lowered = predict(open_engine(folder, "bfloat16"), image, side, _WHOLE_HALO)
    error = abs(lowered - whole).astype(np.float64)
    rms, largest = float(np.sqrt(np.mean(error**2))), float(error.max())
    print("\n| bfloat16 | rms | largest |")
    print("|---|---|---|")
    for bits, steps in ((8, _DN_8), (16, _DN_16)):
        print(
            f"| DN of {bits} bits | {rms * steps:.2g} | {largest * steps:.2g} |"
        )


def _halos(text: str) -> list[int]:
    halos = [int(part) for part in text.split(",")]
    if not all(0 < halo < _WHOLE_HALO for halo in halos):
        raise argparse.ArgumentTypeError(f"from 1 to {_WHOLE_HALO - 1}")
    return halos


def main() -> None:
    """Parses the arguments, predicts, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="small", help=model_choice.HELP)
    parser.add_argument("--input", default="", help="image; default: terrain")
    parser.add_argument("--side", type=int, default=512, help="px of it")
    parser.add_argument("--tile", type=int, default=128, help="px")
    parser.add_argument("--halos", type=_halos, default=list(_HALOS))
    arguments = parser.parse_args()
    image = read_image(arguments.input, arguments.side)
    for name in arguments.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            model, _ = model_choice.find(name, folder)
            print_model(name, model, image, arguments.halos, arguments.tile)


if __name__ == "__main__":
    main()
