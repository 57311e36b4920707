"""How far every way to compute a network is from float64, and if it repeats.

    python -m benchmarks.score_numbers --weights=GENERATOR.keras

A generator is exported and run by each engine in each precision, on one
thread and on two, alone and in a batch, whole and in tiles with halos. The
reference is the same network in NumPy and float64. Differences are shares of
the range [0, 1] that the network works in; an integer of 16 bits is 1.5e-5 of
it. Each answer is asked for five times, and must be the same to the bit.
"""

import argparse
import concurrent.futures
import multiprocessing
import tempfile

import numpy as np

from marsgan_tf import native_output

_SIDE_PX, _HALO_PX = 96, 16
_RUNS = 5
_BORDER_PX = 4  # Folding changes the outermost ring.
_TOLD = (1.2, 0.005)
_CASES = (
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "int8"),
    ("saved_model", "float32"),
    ("saved_model", "bfloat16"),
)
_FORMS = ("alone", "in a batch of 4", "tiles of 48", "tiles of 32")


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="of a MARSGAN, .keras")
    arguments = parser.parse_args()
    print("| engine | precision | threads | form | largest | rms | five runs |")
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model"
        expected = _apart(_prepare, arguments.weights, model)
        for engine, precision in _CASES:
            for threads in (1, 2):
                answers = _apart(_answers, model, engine, precision, threads)
                for form, (answer, repeats) in answers.items():
                    inner = (slice(_BORDER_PX, -_BORDER_PX),) * 2
                    error = (answer - expected)[inner]
                    print(
                        f"| {engine} | {precision} | {threads} | {form} | "
                        f"{abs(error).max():.1e} | "
                        f"{np.sqrt(np.mean(error**2)):.1e} | "
                        f"{'equal' if repeats else 'differ'} |",
                        flush=True,
                    )


def _apart(function, *arguments):
    """In a new process: TensorFlow's threads are set once in each."""
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as pool:
        return pool.submit(function, *arguments).result()


def _image() -> np.ndarray:
    from marsgan_tf.imaging import terrain

    image = terrain.image((_SIDE_PX, _SIDE_PX), gsd_m=4.0, seed=3)
    low, high = np.percentile(image, (0.5, 99.5))
    return np.float32((image - low) / (high - low))


def _prepare(weights: str, model: str) -> np.ndarray:
    """Exports the generator; returns the answer in float64."""
    from benchmarks import float64_network

    with native_output.held_back():
        from marsgan_tf.config import ExportConfig
        from marsgan_tf.deployment import exporting, folding
        from marsgan_tf.models import files

        exporting.export(ExportConfig(weights=weights, output=model))
    network = folding.fold(files.load_generator(weights))
    told = np.float32(_TOLD) if network.is_conditioned else None
    return float64_network.restore(network, _image(), told)


def _answers(
    model: str, engine: str, precision: str, threads: int
) -> dict[str, tuple[np.ndarray, bool]]:
    """Of each form, the answer, and whether all runs gave the same."""
    from marsgan_tf.deployment import description as descriptions
    from marsgan_tf.inference import engines

    folder = descriptions.find(model)
    blur, noise = _TOLD
    opened = engines.open_engine(
        engine,
        folder,
        descriptions.load(folder),
        precision=precision,
        degradation=descriptions.Degradation(
            blur_sigma=blur, noise_sigma=noise
        ),
        threads=threads,
        samples=0,
    )
    image = _image()
    batch = image[np.newaxis, ..., np.newaxis]
    if precision == "int8":
        opened = opened.calibrated(batch)
    others = np.concatenate([batch[:, ::-1], batch, batch[:, :, ::-1], batch])
    ways = {
        "alone": lambda: opened.restore(batch)[0, ..., 0],
        "in a batch of 4": lambda: opened.restore(others)[1, ..., 0],
        "tiles of 48": lambda: _in_tiles(opened, image, 48),
        "tiles of 32": lambda: _in_tiles(opened, image, 32),
    }
    found = {}
    for form, run in ways.items():
        runs = [run() for _ in range(_RUNS)]
        is_equal = all(np.array_equal(runs[0], one) for one in runs)
        found[form] = (runs[0].astype(np.float64), is_equal)
    return found


def _in_tiles(engine, image: np.ndarray, tile: int) -> np.ndarray:
    """As prediction does, but zeros beyond the image, as the whole has."""
    from marsgan_tf.imaging import tiling

    scale, halo = 4, _HALO_PX
    answer = np.empty((scale * _SIDE_PX,) * 2, np.float32)
    for core in tiling.Grid(_SIDE_PX, _SIDE_PX, tile, halo):
        top, left = max(0, core.row - halo), max(0, core.col - halo)
        seen = image[
            top : core.row + core.height + halo,
            left : core.col + core.width + halo,
        ]
        sr = engine.restore(seen[np.newaxis, ..., np.newaxis])[0, ..., 0]
        place = tuple(
            slice(scale * part.start, scale * part.stop) for part in core.slices
        )
        row, col = scale * (core.row - top), scale * (core.col - left)
        height, width = answer[place].shape
        answer[place] = sr[row : row + height, col : col + width]
    return answer


if __name__ == "__main__":
    main()
