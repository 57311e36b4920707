"""Generators' weights as named arrays, for peers in other frameworks.

Names are paths: `first`, `trunk`, `blocks/I/dense_blocks/J/convolutions/K`
with `kernel` `(height, width, in, out)` and `bias` each; `residual` and
`identity` of dense blocks and of blocks, where they are not 1 for certain;
`reconstruction/I`, or, of MARSGAN as trained, `branches/I`, `branch_weights`
and `last`.
"""

import dataclasses

import numpy as np

_ENLARGING = ("upconv_0", "upconv_1", "hr_conv", "conv_last")


def folded(network):
    """Of a folded `Network` that is not conditioned."""
    return dict(_named(network, ""))


def as_trained(generator):
    """Of a `keras.Model` built by `models.generators`, not conditioned."""
    layers = {layer.name: layer for layer in generator.layers}
    read = {"marsgan": _read_marsgan, "esrgan": _read_esrgan}
    arrays = read[generator.name](layers)
    if "trunk" in layers:
        arrays |= _convolution("trunk", layers["trunk"])
    return arrays


def _named(part, path):
    """Arrays of a part of a network by their paths."""
    if isinstance(part, tuple):
        for index, element in enumerate(part):
            yield from _named(element, f"{path}/{index}")
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            inner = f"{path}/{field.name}" if path else field.name
            yield from _named(getattr(part, field.name), inner)
    elif part is not None and not isinstance(part, str):
        yield path, part


def _read_marsgan(layers):
    arrays = _convolution("first", layers["f_ext"])
    for index, block in enumerate(_numbered(layers, "awrrdb")):
        path = f"blocks/{index}"
        arrays |= _weights(path, block)
        for number, dense_block in enumerate(block.dense_blocks):
            inner = f"{path}/dense_blocks/{number}"
            arrays |= _weights(inner, dense_block)
            arrays |= _convolutions(inner, dense_block.dense_block)
    awmsr = layers["awmsr"]
    for index, branch in enumerate(awmsr.branches):
        arrays |= _convolution(f"branches/{index}", branch)
    arrays["branch_weights"] = np.asarray(awmsr.branch_weights)
    return arrays | _convolution("last", layers["f_rec"])


def _read_esrgan(layers):
    arrays = _convolution("first", layers["conv_first"])
    for index, block in enumerate(_numbered(layers, "rrdb")):
        path = f"blocks/{index}"
        arrays[f"{path}/residual"] = np.float32(block.residual_scale)
        for number, dense_block in enumerate(block.dense_blocks):
            inner = f"{path}/dense_blocks/{number}"
            arrays[f"{inner}/residual"] = np.float32(block.residual_scale)
            arrays |= _convolutions(inner, dense_block)
    for index, name in enumerate(_ENLARGING):
        arrays |= _convolution(f"reconstruction/{index}", layers[name])
    return arrays


def _numbered(layers, prefix):
    """`prefix_0`, `prefix_1` ..., as far as they go."""
    count = sum(name.rpartition("_")[0] == prefix for name in layers)
    return [layers[f"{prefix}_{index}"] for index in range(count)]


def _weights(path, layer):
    return {
        f"{path}/residual": np.asarray(layer.residual_weight),
        f"{path}/identity": np.asarray(layer.identity_weight),
    }


def _convolutions(path, dense_block):
    arrays = {}
    for index, layer in enumerate(dense_block.convolutions):
        arrays |= _convolution(f"{path}/convolutions/{index}", layer)
    return arrays


def _convolution(path, layer):
    return {
        f"{path}/kernel": np.asarray(layer.kernel),
        f"{path}/bias": np.asarray(layer.bias),
    }
