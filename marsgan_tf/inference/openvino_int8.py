"""The trunk in integers of 8 bits, as OpenVINO runs them.

OpenVINO gives the maps that meet in a concatenation one scale between them,
and all channels of a map. As trained, they differ tenfold, and the rounding
costs 0.1 to 0.2 dB. So they are made alike first, which changes nothing that
is computed: a convolution's map is divided by a factor a channel, and what it
feeds is multiplied by it, through a leaky ReLU just as well ("cross-layer
equalization", Nagel et al. 2019, arXiv:1906.04721, section 4.1). The features
that flow around the dense blocks have one factor a channel throughout, since
all that is done with them is done channel by channel.

Sums and residual weights stay in floating point; kernels have a scale for
each map that they make.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from marsgan_tf.inference import openvino_core
from marsgan_tf.inference.openvino_core import ov

# How far beyond what was seen a map may go before it is clipped: a quarter
# coarser steps, but nothing worse at a glint that no patch showed.
_MARGIN = 1.25
# Channels that are all but silent would get a factor without bounds.
_LEAST_SHARE = 1e-3
_LEVELS, _SYMMETRIC_LEVELS = 256, 255
_LARGEST, _SMALLEST = 127, -128

Key = tuple[str, int]


@dataclasses.dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution of the trunk, and what surrounds it.

    Attributes:
        node: Itself.
        bias: The sum with its bias.
        inputs: The maps that it is fed, joined along the channels.
        activated: Its output where an activation follows, or else None: then
            it joins the features that flow around the dense blocks.
    """

    node: ov.Node
    bias: ov.Node
    inputs: list[ov.Output]
    activated: ov.Output | None


def quantized(trunk: ov.Model, features: np.ndarray) -> ov.Model:
    """A trunk that computes in integers what a given one does.

    Args:
        trunk: Dense blocks with residuals around them, from features to
            features.
        features: What it is fed, float32 `(n, channels, height, width)`, as
            typical as possible: what they reach decides the scales.
    """
    trunk = trunk.clone()  # Other parts may share nodes with it.
    convolutions = list(_convolutions(trunk))
    reached = _reached(trunk, convolutions, features)
    flowing = _flowing_factors(convolutions, reached)
    ranges, factors = {}, {}
    for one in convolutions:
        around = float((reached[_key(one.inputs[0])] / flowing).max())
        ranges[_key(one.inputs[0])] = around
        factors[_key(one.inputs[0])] = flowing
        if one.activated is not None:
            key = _key(one.activated)
            ranges[key] = around
            factors[key] = _bounded(reached[key]) / around
    for one in convolutions:
        made = flowing
        if one.activated is not None:
            made = factors[_key(one.activated)]
        fed = np.concatenate([factors[_key(source)] for source in one.inputs])
        _equalize(one, fed, made)
    _round_inputs(convolutions, ranges)
    _scale_ends(trunk, flowing)
    trunk.validate_nodes_and_infer_types()
    return trunk


def _convolutions(trunk: ov.Model) -> Iterator[_Convolution]:
    for node in trunk.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        bias = _only_consumer(node.output(0))
        after = [i.get_node() for i in bias.output(0).get_target_inputs()]
        is_activated = [n.get_type_name() for n in after] == ["PRelu"]
        yield _Convolution(
            node,
            bias,
            _joined(node.input_value(0)),
            after[0].output(0) if is_activated else None,
        )


def _joined(output: ov.Output) -> list[ov.Output]:
    """The maps that concatenations, one upon the other, are made of."""
    if output.get_node().get_type_name() != "Concat":
        return [output]
    return [
        part
        for source in output.get_node().input_values()
        for part in _joined(source)
    ]


def _reached(
    trunk: ov.Model,
    convolutions: Sequence[_Convolution],
    features: np.ndarray,
) -> dict[Key, np.ndarray]:
    """Magnitudes that the channels of all fed maps may reach, `(channels,)`."""
    outputs = {_key(o): o for one in convolutions for o in one.inputs}
    watched = ov.Model(list(outputs.values()), trunk.get_parameters(), "maps")
    compiled = openvino_core.core().compile_model(
        watched, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    seen = []
    for one in features:  # All maps of all at once would fill the memory.
        maps = compiled(one[np.newaxis])
        seen.append(
            [
                np.abs(maps[index]).max(axis=(0, 2, 3))
                for index in range(len(outputs))
            ]
        )
    return {
        key: _MARGIN * np.max([each[index] for each in seen], axis=0)
        for index, key in enumerate(outputs)
    }


def _flowing_factors(
    convolutions: Sequence[_Convolution], reached: dict[Key, np.ndarray]
) -> np.ndarray:
    """Factors of the features around the dense blocks; their mean is 1."""
    first = [
        reached[_key(one.inputs[0])]
        for one in convolutions
        if len(one.inputs) == 1
    ]
    level = _bounded(np.sqrt(np.mean(np.square(first), axis=0)))
    return level / np.exp(np.log(level).mean())


def _bounded(level: np.ndarray) -> np.ndarray:
    return np.maximum(level, max(_LEAST_SHARE * level.max(), 1e-12))


def _equalize(one: _Convolution, fed: np.ndarray, made: np.ndarray) -> None:
    """Multiplies the maps that are fed back, and divides those made.

    The kernel is rounded too, to one scale for each map that it makes.
    """
    kernel = one.node.input_value(1).get_node().data
    kernel = kernel * fed[:, np.newaxis, np.newaxis]
    kernel = np.float32(kernel / made[:, np.newaxis, np.newaxis, np.newaxis])
    reach = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
    reach = np.maximum(reach, np.finfo(np.float32).tiny)
    rounded = _fake_quantize(
        ov.opset13.constant(kernel).output(0), -reach, reach, _SYMMETRIC_LEVELS
    )
    one.node.input(1).replace_source_output(rounded)
    for target in one.bias.inputs():
        source = target.get_source_output().get_node()
        if source.get_type_name() == "Constant":
            values = np.float32(source.data / made.reshape(1, -1, 1, 1))
            target.replace_source_output(ov.opset13.constant(values).output(0))


def _round_inputs(
    convolutions: Sequence[_Convolution], ranges: dict[Key, float]
) -> None:
    """Rounds what convolutions are fed; sums keep what they had."""
    outputs = {_key(o): o for one in convolutions for o in one.inputs}
    for key, output in outputs.items():
        targets = output.get_target_inputs()
        step = ranges[key] / _LARGEST
        rounded = _fake_quantize(
            output, _SMALLEST * step, _LARGEST * step, _LEVELS
        )
        for target in targets:
            if target.get_node().get_type_name() in ("Convolution", "Concat"):
                target.replace_source_output(rounded)


def _scale_ends(trunk: ov.Model, flowing: np.ndarray) -> None:
    """Divides what comes in, and multiplies what goes out."""
    factors = np.float32(flowing.reshape(1, -1, 1, 1))
    (start,), (end,) = trunk.get_parameters(), trunk.get_results()
    targets = start.output(0).get_target_inputs()
    scaled = ov.opset13.multiply(start, np.float32(1.0) / factors)
    for target in targets:
        target.replace_source_output(scaled.output(0))
    result = ov.opset13.multiply(end.input_value(0), factors)
    end.input(0).replace_source_output(result.output(0))


def _fake_quantize(
    output: ov.Output,
    low: float | np.ndarray,
    high: float | np.ndarray,
    levels: int,
) -> ov.Output:
    """Rounds to steps of equal size within limits, and clips to them."""
    limits = [np.float32(limit) for limit in (low, high)]
    node = ov.opset13.fake_quantize(output, *limits, *limits, levels)
    return node.output(0)


def _only_consumer(output: ov.Output) -> ov.Node:
    (target,) = output.get_target_inputs()
    return target.get_node()


def _key(output: ov.Output) -> Key:
    return output.get_node().get_friendly_name(), output.get_index()
