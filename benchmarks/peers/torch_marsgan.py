"""MARSGAN and ESRGAN in PyTorch, as one would write them there, on a CPU.

    python torch_marsgan.py --weights=W.npz --input=LR.npy --output=SR.npy ...

Needs PyTorch and NumPy alone, so that it can run in an environment of its
own. The weights are those that `benchmarks/network_arrays.py` takes out of a
generator, folded or as trained. Prints a line of JSON.

`--task=command` super-resolves an image in tiles with halos, from file to
file; `--task=network` runs tiles without halo that are in memory, and writes
the answer of the first one.
"""

import argparse
import contextlib
import json
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SCALE = 4
_LEAKY_SLOPE = 0.2


class Weights:
    """Arrays whose names begin alike."""

    def __init__(self, arrays, prefix=""):
        self._arrays = arrays
        self._prefix = prefix

    def within(self, name):
        """Those below a name."""
        return Weights(self._arrays, f"{self._prefix}{name}/")

    def parts(self, name):
        """Those below `name/0`, `name/1` ... as far as there are any."""
        start = f"{self._prefix}{name}/"
        found = {
            n[len(start) :].split("/")[0]
            for n in self._arrays
            if n.startswith(start)
        }
        return [self.within(f"{name}/{index}") for index in range(len(found))]

    def tensor(self, name):
        """An array, or None where there is none."""
        array = self._arrays.get(self._prefix + name)
        return None if array is None else torch.from_numpy(array)

    def factor(self, name):
        """A scalar or a factor a channel, to multiply maps with; or None."""
        tensor = self.tensor(name)
        is_scalar = tensor is None or not tensor.ndim
        return tensor if is_scalar else tensor[:, None, None]


def convolution(weights, shuffled_scale=1):
    """A convolution that keeps the sides.

    Where its maps are shuffled, they are brought from TensorFlow's order
    (sub-pixel, channel) to PyTorch's (channel, sub-pixel).
    """
    kernel = weights.tensor("kernel").permute(3, 2, 0, 1)
    bias = weights.tensor("bias")
    maps, features, size, _ = kernel.shape
    order = torch.arange(maps).reshape(shuffled_scale**2, -1).T.reshape(-1)
    layer = nn.Conv2d(features, maps, size, padding=size // 2)
    layer.weight.data = kernel[order].contiguous()
    layer.bias.data = bias[order].contiguous()
    return layer


def leaky_relu(x):
    """In place, as ESRGAN's authors have it."""
    return functional.leaky_relu(x, _LEAKY_SLOPE, inplace=True)


class WeightedSum(nn.Module):
    """`residual * y + identity * x`; weights that are missing are 1."""

    def __init__(self, weights):
        super().__init__()
        self.register_buffer("residual", weights.factor("residual"))
        self.register_buffer("identity", weights.factor("identity"))

    def forward(self, y, x):
        """Of two tensors of one shape."""
        if self.residual is not None:
            y = self.residual * y
        return y + (x if self.identity is None else self.identity * x)


class DenseBlock(nn.Module):
    """Five convolutions, each over all maps that came before."""

    def __init__(self, weights):
        super().__init__()
        self.convolutions = nn.ModuleList(
            convolution(part) for part in weights.parts("convolutions")
        )
        self.add = WeightedSum(weights)

    def forward(self, x):
        """`(batch, features, height, width)` to the same."""
        maps = x
        for layer in self.convolutions[:-1]:
            maps = torch.cat([maps, leaky_relu(layer(maps))], dim=1)
        return self.add(self.convolutions[-1](maps), x)


class Block(nn.Module):
    """Dense blocks, and a residual around them."""

    def __init__(self, weights):
        super().__init__()
        self.dense_blocks = nn.Sequential(
            *(DenseBlock(part) for part in weights.parts("dense_blocks"))
        )
        self.add = WeightedSum(weights)

    def forward(self, x):
        """`(batch, features, height, width)` to the same."""
        return self.add(self.dense_blocks(x), x)


class AWMSR(nn.Module):
    """Four branches, weighted and shuffled, and the last convolution."""

    def __init__(self, weights):
        super().__init__()
        self.branches = nn.ModuleList(
            convolution(part, SCALE) for part in weights.parts("branches")
        )
        self.register_buffer("weights", weights.tensor("branch_weights"))
        self.last = convolution(weights.within("last"))

    def forward(self, x):
        """`(batch, features, height, width)` to the image."""
        pairs = zip(self.weights, self.branches, strict=True)
        total = sum(weight * branch(x) for weight, branch in pairs)
        return self.last(functional.pixel_shuffle(total, SCALE))


class FoldedReconstruction(nn.Module):
    """One convolution to the sub-pixels."""

    def __init__(self, weights):
        super().__init__()
        (part,) = weights.parts("reconstruction")
        self.convolution = convolution(part, SCALE)

    def forward(self, x):
        """`(batch, features, height, width)` to the image."""
        return functional.pixel_shuffle(self.convolution(x), SCALE)


class Enlargement(nn.Module):
    """ESRGAN's: twice nearest x2, and two convolutions."""

    def __init__(self, weights):
        super().__init__()
        self.convolutions = nn.ModuleList(
            convolution(part) for part in weights.parts("reconstruction")
        )

    def forward(self, x):
        """`(batch, features, height, width)` to the image."""
        *enlarging, before_last, last = self.convolutions
        for layer in enlarging:
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = leaky_relu(layer(x))
        return last(leaky_relu(before_last(x)))


class Generator(nn.Module):
    """A whole generator: `(batch, 1, h, w)` to `SCALE` times the sides."""

    def __init__(self, weights):
        super().__init__()
        self.first = convolution(weights.within("first"))
        self.blocks = nn.Sequential(
            *(Block(part) for part in weights.parts("blocks"))
        )
        has_trunk = weights.tensor("trunk/kernel") is not None
        self.trunk = convolution(weights.within("trunk")) if has_trunk else None
        self.reconstruction = _reconstruction(weights)

    def forward(self, lr):
        """Of images stretched to [0, 1]."""
        first = self.first(lr)
        x = self.blocks(first)
        if self.trunk is not None:
            x = first + self.trunk(x)
        return self.reconstruction(x)


def _reconstruction(weights):
    if weights.parts("branches"):
        return AWMSR(weights)
    folded = len(weights.parts("reconstruction")) == 1
    return FoldedReconstruction(weights) if folded else Enlargement(weights)


class Restorer:
    """A generator in a precision.

    `bfloat16` converts the weights and computes in it throughout; `autocast`
    leaves to PyTorch what to compute in bfloat16.
    """

    def __init__(self, path, precision):
        with np.load(path) as arrays:
            generator = Generator(Weights(dict(arrays))).eval()
        self._dtype = torch.float32
        if precision == "bfloat16":
            self._dtype = torch.bfloat16
        self._generator = generator.to(
            dtype=self._dtype, memory_format=torch.channels_last
        )
        self._is_cast = precision == "autocast"

    @torch.inference_mode()
    def restore(self, lr):
        """`(h, w)` float32 to `(4h, 4w)` float32."""
        tensor = torch.from_numpy(np.ascontiguousarray(lr))[None, None]
        tensor = tensor.to(self._dtype, memory_format=torch.channels_last)
        context = contextlib.nullcontext()
        if self._is_cast:
            context = torch.autocast("cpu", torch.bfloat16)
        with context:
            answer = self._generator(tensor)
        return answer[0, 0].float().numpy()


def tiles(height, width, side):
    """First row and column, and the sides, of all tiles."""
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield row, col, min(side, height - row), min(side, width - col)


def run_command(restorer, arguments):
    """From file to file, in tiles with mirrored halos."""
    low, high = arguments.stretch
    image = np.load(arguments.input)
    halo = arguments.halo
    padded = np.pad(image, halo, "symmetric")
    output = np.lib.format.open_memmap(
        arguments.output,
        mode="w+",
        dtype=image.dtype,
        shape=tuple(side * SCALE for side in image.shape),
    )
    limit = np.iinfo(image.dtype).max
    for row, col, height, width in tiles(*image.shape, arguments.tile):
        seen = padded[
            row : row + height + 2 * halo, col : col + width + 2 * halo
        ]
        lr = (seen.astype(np.float32) - low) / np.float32(high - low)
        margin = halo * SCALE
        sr = restorer.restore(lr)[
            margin : margin + height * SCALE, margin : margin + width * SCALE
        ]
        dn = np.rint(sr * np.float32(high - low) + low).clip(0, limit)
        top, left = row * SCALE, col * SCALE
        output[top : top + height * SCALE, left : left + width * SCALE] = dn
    output.flush()
    return {}


def run_network(restorer, arguments):
    """Tiles in memory, after one that warms up."""
    low, high = arguments.stretch
    image = np.load(arguments.input)
    unit = ((image - low) / (high - low)).astype(np.float32)
    cut = [
        unit[row : row + height, col : col + width]
        for row, col, height, width in tiles(*image.shape, arguments.tile)
    ]
    np.save(arguments.output, restorer.restore(cut[0]))
    start = time.perf_counter()
    for tile in cut:
        restorer.restore(tile)
    return {"seconds": time.perf_counter() - start}


def _range(text):
    low, high = text.split(",")
    return float(low), float(high)


def main():
    """Parses the arguments, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = {"command": run_command, "network": run_network}
    parser.add_argument("--task", choices=sorted(tasks), default="command")
    parser.add_argument("--weights", required=True, help=".npz")
    parser.add_argument("--input", required=True, help="integers, .npy")
    parser.add_argument("--output", required=True, help=".npy")
    parser.add_argument("--stretch", type=_range, required=True, help="LO,HI")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "autocast"),
        default="float32",
    )
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--halo", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    restorer = Restorer(arguments.weights, arguments.precision)
    found = tasks[arguments.task](restorer, arguments)
    print(json.dumps({"torch": torch.__version__, **found}))


if __name__ == "__main__":
    main()
