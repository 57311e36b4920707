"""What a `.keras` file holds of a generator: its sizes, and its weights.

Such a file is a ZIP archive that describes a network layer by layer, in words
that Keras makes objects of. A stranger's file may name any of them, and a
damaged one may describe another network. So only sizes are read of it, our own
builders build the network, and the weights must fit.
"""

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from marsgan_tf import field_types
from marsgan_tf.models import generators

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# Ten times those of any generator that is of use: more would take for ever.
_LARGEST = 1024
_KERNEL_BYTES = 3 * 3 * 4  # Of the smallest kernel, from one map to one.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sizes:
    """What both builders take; see there."""

    blocks: int
    features: int
    growth: int

    def __post_init__(self) -> None:
        field_types.require(self)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and not 1 <= value <= _LARGEST:
                raise ValueError(f"no generator has {field.name}={value}")

    @property
    def kernels(self) -> int:
        """Kernels from one map to one; the network has more."""
        return self.blocks * (self.features + self.growth) ** 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class _MarsganSizes(_Sizes):
    """What MARSGAN's builder takes besides."""

    reconstruction_channels: int
    noise_weight: float
    per_channel: bool
    conditioned: bool
    trunk_skip: bool
    scale: int

    @property
    def kernels(self) -> int:
        """See above."""
        maps = self.reconstruction_channels * self.scale**2
        return super().kernels + self.features * maps


class _InMemory(io.BytesIO):
    """A file of weights that needs no disk, which may be full.

    Keras reads from memory, but tells kinds of files by their names.
    """

    def __str__(self) -> str:
        return _WEIGHTS


def read(path: str | os.PathLike) -> keras.Model:
    """Reads a generator, in float32.

    Raises:
        Exception: Of whatever kind, if the file is damaged or holds no
            generator; the caller tells which file it was.
    """
    with zipfile.ZipFile(path) as archive:
        for name in (_CONFIG, _WEIGHTS):
            # Keras compresses nothing; what is may be endless.
            if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
        config = json.loads(archive.read(_CONFIG))["config"]
        build, sizes = _described(config)
        held = archive.getinfo(_WEIGHTS).file_size
        if sizes.kernels * _KERNEL_BYTES > held:
            raise ValueError(f"{held} bytes are too few weights for {sizes}")
        weights = _InMemory(archive.read(_WEIGHTS))
    generator = _built(build, dataclasses.asdict(sizes))
    _require_same_layers(generator, config["layers"])
    generator.load_weights(weights)
    return generator


def _described(
    config: Mapping[str, Any],
) -> tuple[Callable[..., keras.Model], _Sizes]:
    """A builder, and what it is to be given."""
    layers = {layer["name"]: layer["config"] for layer in config["layers"]}
    if config["name"] == "esrgan":
        return generators.esrgan, _Sizes(
            blocks=_count(layers, "rrdb"),
            features=layers["conv_first"]["filters"],
            growth=layers["rrdb_0"]["growth"],
        )
    if config["name"] != "marsgan":
        raise ValueError(f"a model named {config['name']} is no generator")
    block, reconstruction = layers["awrrdb_0"], layers["awmsr"]
    return generators.marsgan, _MarsganSizes(
        blocks=_count(layers, "awrrdb"),
        features=layers["f_ext"]["filters"],
        growth=block["growth"],
        reconstruction_channels=reconstruction["channels"],
        noise_weight=block["noise_weight"],
        per_channel=block["per_channel"],
        conditioned=block["conditioned"],
        trunk_skip="trunk" in layers,
        scale=reconstruction["scale"],
    )


def _count(layers: Mapping[str, Any], name: str) -> int:
    """Layers called `name_0`, `name_1` and so on, without a gap."""
    count = 0
    while f"{name}_{count}" in layers:
        count += 1
    return count


def _require_same_layers(
    generator: keras.Model, layers: Sequence[Mapping[str, Any]]
) -> None:
    """Refuses a file of more than our builders build."""
    kinds = [type(operation).__name__ for operation in generator.operations]
    if [layer["class_name"] for layer in layers] != kinds:
        raise ValueError(f"its layers are not those of {generator.name}")


def _built(
    build: Callable[..., keras.Model], sizes: Mapping[str, Any]
) -> keras.Model:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return build(**sizes)
    finally:
        keras.config.set_dtype_policy(policy)
