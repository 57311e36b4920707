"""The most that this processor computes, in convolutions and in matrices.

    python -m benchmarks.peaks

OpenVINO's kernels on shapes that suit them, several at once so that all cores
work: what a network cannot pass that is made of nothing else. Prints
Markdown, or with --json what `bench_predict` reads.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks import machine
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.inference import openvino_core
from marsgan_tf.inference.openvino_core import ov

HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
# Channels in and out of a 3x3 convolution; the largest rate counts.
_CONVOLUTIONS = ((64, 32), (64, 64), (192, 64), (128, 128))
_SIDE_PX = 192
_MATRIX = 2048
_SECONDS, _REPEATS = 0.5, 5


def measure(precision: str) -> dict[str, float]:
    """Operations a second of the best convolution, and of a matrix product."""
    return {
        "convolution": max(
            _rate(_convolution, (channels, maps), precision)
            for channels, maps in _CONVOLUTIONS
        ),
        "matrix": _rate(_matrix, (), precision),
    }


def operations_per_px(folder: str) -> float:
    """Operations of an exported model's convolutions, a pixel of the input.

    A product and its sum are two.
    """
    side = 64
    model = openvino_core.core().read_model(folder)
    for port in model.inputs:
        shape = [1, side, side, 1] if len(port.partial_shape) == 4 else [1, 2]
        port.get_node().set_partial_shape(ov.PartialShape(shape))
    model.validate_nodes_and_infer_types()
    total = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            _, *kernel = node.input_value(1).get_shape()
            total += 2 * np.prod(kernel) * np.prod(node.output(0).get_shape())
    return float(total) / side**2


def _rate(build: Callable, sizes: tuple[int, ...], precision: str) -> float:
    model, operations = build(*sizes, is_rounded=precision == "int8")
    compiled = openvino_core.core().compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "PERFORMANCE_HINT": "THROUGHPUT",
        },
    )
    queue = ov.AsyncInferQueue(compiled)
    count = len(queue)
    rates = []
    for repeat in range(_REPEATS + 1):
        start = time.perf_counter()
        for _ in range(count):
            queue.start_async()
        queue.wait_all()
        seconds = time.perf_counter() - start
        if repeat:  # The first run is of cold caches.
            rates.append(count * operations / seconds)
        else:
            count *= max(1, round(_SECONDS / _REPEATS / seconds))
    return statistics.median(rates)


def _convolution(
    channels: int, maps: int, *, is_rounded: bool
) -> tuple[ov.Model, float]:
    rng = np.random.default_rng(0)
    shape = (1, channels, _SIDE_PX, _SIDE_PX)
    image = ov.opset13.parameter(shape, np.float32)
    kernel = rng.normal(size=(maps, channels, 3, 3))
    fed = _operands(image, kernel, is_rounded)
    ones = [1, 1]
    answer = ov.opset13.convolution(*fed, ones, ones, ones, ones)
    operations = 2.0 * maps * channels * 9 * _SIDE_PX**2
    return ov.Model([ov.opset13.relu(answer)], [image], "peak"), operations


def _matrix(*, is_rounded: bool) -> tuple[ov.Model, float]:
    rng = np.random.default_rng(0)
    rows = ov.opset13.parameter((_MATRIX, _MATRIX), np.float32)
    fed = _operands(rows, rng.normal(size=(_MATRIX, _MATRIX)), is_rounded)
    answer = ov.opset13.matmul(*fed, False, False)
    return ov.Model([answer], [rows], "peak"), 2.0 * _MATRIX**3


def _operands(data: ov.Node, constant: np.ndarray, is_rounded: bool) -> list:
    other = ov.opset13.constant(np.float32(constant))
    if not is_rounded:
        return [data, other]
    limits = [np.float32(-4.0), np.float32(4.0)] * 2
    return [
        ov.opset13.fake_quantize(operand, *limits, levels)
        for operand, levels in ((data, 256), (other, 255))
    ]


def main() -> None:
    """Measures each precision and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precisions", default=",".join(HINTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", default="", help="with --json: exported")
    arguments = parser.parse_args()
    found = {
        precision: measure(precision)
        for precision in arguments.precisions.split(",")
    }
    if arguments.json:
        operations = 0.0
        if arguments.model:
            operations = operations_per_px(descriptions.find(arguments.model))
        print(json.dumps({"rates": found, "operations_per_px": operations}))
        return
    print(machine.describe(("openvino",)))
    print("\n| precision | convolution, TOP/s | matrix, TOP/s |")
    print("|---|---|---|")
    for precision, rates in found.items():
        print(
            f"| {precision} | {rates['convolution'] / 1e12:.2f} | "
            f"{rates['matrix'] / 1e12:.2f} |"
        )


if __name__ == "__main__":
    main()
