"""What programs that predict are measured on: scenes, models, weights."""

import concurrent.futures
import dataclasses
import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import model_choice, network_arrays
from marsgan_tf import native_output

AS_TRAINED, FOLDED = "as trained", "folded"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model, ready to run.

    Attributes:
        folder: Of the export.
        weights: Files of arrays for PyTorch, by form.
        onnx: File for ONNX Runtime; empty where it cannot be had.
    """

    folder: str
    weights: dict[str, str]
    onnx: str


def apart(function: Callable, *arguments: Any) -> Any:
    """Calls a function in a new process.

    A child's peak of memory starts at its parent's, which must stay small.
    """
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as pool:
        return pool.submit(function, *arguments).result()


def write_scenes(folder: str, sides: list[int]) -> str:
    """Writes terrain of each side, as a GeoTIFF and as an array.

    Returns:
        "LO,HI": what prediction stretches the first to [0, 1] from.
    """
    from marsgan_tf.imaging import raster, stretch, terrain

    ranges = []
    for side in sides:
        path = os.path.join(folder, f"lr-{side}")
        terrain.write_scene(f"{path}.tif", side, gsd_m=1.0, seed=0)
        with raster.open_raster(f"{path}.tif") as reader:
            image = reader.read()[..., 0]
        np.save(f"{path}.npy", image)
        ranges.append(stretch.fit(image))
    return f"{ranges[0].low!r},{ranges[0].high!r}"


def prepare_model(name: str, folder: str, has_peers: bool) -> Model:
    """Exports a model, and its weights for peers where they can be had."""
    exported, path = model_choice.find(name, folder)
    if not path:
        return Model(exported, {}, "")
    return Model(
        exported,
        _torch_weights(path, folder) if has_peers else {},
        _onnx(path, folder) if has_onnx() else "",
    )


def has_onnx() -> bool:
    """Whether what converts a network and what runs it are installed."""
    return all(
        importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime")
    )


def _onnx(path: str, folder: str) -> str:
    from marsgan_tf.config import ExportConfig
    from marsgan_tf.deployment import exporting

    output = os.path.join(folder, "network.onnx")
    with native_output.held_back():
        exporting.export(
            ExportConfig(weights=path, output=output, format="onnx")
        )
    return output


def _torch_weights(path: str, folder: str) -> dict[str, str]:
    from marsgan_tf.deployment import folding
    from marsgan_tf.models import files

    generator = files.load_generator(path)
    network = folding.fold(generator)
    if network.is_conditioned:
        return {}
    arrays = {
        AS_TRAINED: network_arrays.as_trained(generator),
        FOLDED: network_arrays.folded(network),
    }
    weights = {form: os.path.join(folder, f"{form}.npz") for form in arrays}
    for form, path in weights.items():
        np.savez(path, **arrays[form])
    return weights


def difference(first: str, second: str, width: float) -> tuple[float, float]:
    """Rms and largest difference of two results, in DN.

    Args:
        first: GeoTIFF or array, of DN, or array of floats in [0, 1].
        second: Likewise.
        width: DN from 0 to 1.
    """
    error = abs(_read(first, width) - _read(second, width))
    inner = error[1:-1, 1:-1]  # Folding changes a tile's rim.
    return float(np.sqrt(np.mean(inner**2))), float(inner.max())


def _read(path: str, width: float) -> np.ndarray:
    if path.endswith(".npy"):
        image = np.load(path)
    else:
        from marsgan_tf.imaging import raster

        with raster.open_raster(path) as reader:
            image = reader.read()[..., 0]
    if image.dtype.kind == "f":
        return image * np.float32(width)
    # 0 is the scenes' no-data value, which ours gives to no valid pixel.
    return image.astype(np.float32).clip(min=1.0)
