"""A generator's arithmetic as plain arrays, without Keras or TensorFlow.

Kernels are `(height, width, in, out)`, biases `(out,)`, all float32. Scalar
and per-channel weights both broadcast over `(batch, height, width, features)`.
The same classes hold TensorFlow's variables in the place of arrays
(`replaced`).
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_ESRGAN_SCALE = 4  # Twice nearest x2.


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution, zero-padded to keep the sides, with its bias.

    Attributes:
        kernel: `(height, width, in, out)`.
        bias: `(out,)`.
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass(frozen=True)
class Dense:
    """A matrix product and a bias.

    Attributes:
        kernel: `(in, out)`.
        bias: `(out,)`.
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass(frozen=True)
class DenseBlock:
    """`DB(x) + identity * x + noise * G`, residual weight folded into DB.

    Attributes:
        convolutions: Five, of which all but the last are followed by a
            LeakyReLU and concatenated to what came before.
        identity: Weight of the input, `()` or `(features,)`.
        noise: Weight of the unit Gaussian, `()` or `(features,)`.
        modulation: From the code of the degradation to the weights of DB and
            of the input, `(width, 2 * features)`; it stands in the place of
            `identity`. None where the generator is not conditioned.
    """

    convolutions: tuple[Convolution, ...]
    identity: np.ndarray
    noise: np.ndarray
    modulation: Dense | None = None


@dataclasses.dataclass(frozen=True)
class Block:
    """Dense blocks in a row, plus `identity` times what went in.

    Attributes:
        dense_blocks: Three.
        identity: `()` or `(features,)`.
    """

    dense_blocks: tuple[DenseBlock, ...]
    identity: np.ndarray


@dataclasses.dataclass(frozen=True)
class Network:
    """A whole generator.

    Attributes:
        name: "marsgan" or "esrgan".
        first: From one band to the trunk's features.
        blocks: The trunk.
        trunk: Closes the trunk before the skip from `first`; or None, and
            there is no skip.
        reconstruction: marsgan: one convolution to `scale**2` sub-pixels.
            esrgan: two, each after a nearest x2 and before a LeakyReLU; one
            before a LeakyReLU; the last.
        code: From blur and noise, as sigmas, to the code of the
            degradation, each followed by a LeakyReLU; empty where the
            generator is not conditioned.
    """

    name: str
    first: Convolution
    blocks: tuple[Block, ...]
    trunk: Convolution | None
    reconstruction: tuple[Convolution, ...]
    code: tuple[Dense, ...] = ()

    @property
    def scale(self) -> int:
        """High over low resolution."""
        if self.name == "marsgan":
            return math.isqrt(self.reconstruction[0].bias.shape[0])
        return _ESRGAN_SCALE

    @property
    def is_conditioned(self) -> bool:
        """Whether it must be told the blur and the noise."""
        return bool(self.code)

    @property
    def has_noise(self) -> bool:
        """Whether any noise weight is other than 0."""
        return any(
            np.any(dense_block.noise)
            for block in self.blocks
            for dense_block in block.dense_blocks
        )


def leaves(part: object) -> Iterator[Any]:
    """All arrays of a network or of a part of it, in a fixed order."""
    if isinstance(part, tuple):
        for element in part:
            yield from leaves(element)
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from leaves(getattr(part, field.name))
    elif part is not None and not isinstance(part, str):
        yield part


def replaced(part: Any, function: Callable[[Any], Any]) -> Any:
    """The same network, or part of one, with `function(array)` for arrays."""
    if part is None or isinstance(part, str):
        return part
    if isinstance(part, tuple):
        return tuple(replaced(element, function) for element in part)
    if dataclasses.is_dataclass(part):
        kind: Any = type(part)
        fields = {
            field.name: replaced(getattr(part, field.name), function)
            for field in dataclasses.fields(part)
        }
        return kind(**fields)
    return function(part)


def fingerprint(network: Network) -> str:
    """SHA-256, in hexadecimal, of the shapes and weights."""
    digest = hashlib.sha256(network.name.encode())
    for array in leaves(network):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return digest.hexdigest()
