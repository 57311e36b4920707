"""Both training stages in PyTorch, as one would write them there, on a CPU.

    python torch_training.py --case='{"stage": "gan", ...}'

Needs PyTorch alone, so that it can run in an environment of its own. Prints a
line of JSON with the number of parameters once it has warmed up; then for
each line of its input, `["step", number]`, a line with their seconds.

The case is that of `bench_train`. Channels last, the activation in place, the
fused Adam, the running mean in one call; in bfloat16 autocast, but for the
layers that ours keeps in float32. Both gradients come from one forward pass,
as in ours. `"compile"` compiles each dense block.
"""

import argparse
import copy
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

_SCALE = 4
_SLOPE = 0.2
_KERNEL_SIZES = (3, 5, 7, 9)
_CODE_WIDTH = 64
_VGG_WIDTHS = {1: (64, 2), 2: (128, 2), 3: (256, 4), 4: (512, 4), 5: (512, 4)}


def leaky_relu(x):
    """In place, as ESRGAN's authors have it."""
    return functional.leaky_relu(x, _SLOPE, inplace=True)


def convolution(inputs, outputs, size=3, **options):
    """A convolution that keeps the sides."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **options)


class InFloat32(nn.Module):
    """A layer that autocast leaves alone."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        """Of any tensor."""
        with torch.autocast("cpu", enabled=False):
            return self.layer(x.float())


class DenseBlock(nn.Module):
    """Weighted residual, identity and noise; a code may shift the weights."""

    def __init__(self, features, growth, is_conditioned):
        super().__init__()
        self.growing = nn.ModuleList(
            convolution(features + index * growth, growth) for index in range(4)
        )
        self.last = convolution(features + 4 * growth, features)
        self.residual = nn.Parameter(torch.tensor(0.2))
        self.identity = nn.Parameter(torch.tensor(1.0))
        self.noise = nn.Parameter(torch.tensor(0.0))
        self.shifts = None
        if is_conditioned:
            self.shifts = nn.Linear(_CODE_WIDTH, 2 * features)
            nn.init.zeros_(self.shifts.weight)

    def forward(self, x, code):
        """`(batch, features, height, width)` to the same."""
        maps = x
        for layer in self.growing:
            maps = torch.cat([maps, leaky_relu(layer(maps))], dim=1)
        residual, identity = self.residual, self.identity
        if self.shifts is not None:
            shifts = self.shifts(code)[:, :, None, None].chunk(2, dim=1)
            residual, identity = residual + shifts[0], identity + shifts[1]
        y = residual * self.last(maps) + identity * x
        return y + self.noise * _noise_like(y)


def _noise_like(x):
    """In the memory's order, eight times as fast as `randn_like`."""
    batch, features, height, width = x.shape
    noise = torch.randn(batch, height, width, features, dtype=x.dtype)
    return noise.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Three dense blocks and a weighted residual around them."""

    def __init__(self, *sizes):
        super().__init__()
        self.dense_blocks = nn.ModuleList(DenseBlock(*sizes) for _ in range(3))
        self.residual = nn.Parameter(torch.tensor(0.2))
        self.identity = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, code):
        """`(batch, features, height, width)` to the same."""
        y = x
        for dense_block in self.dense_blocks:
            y = dense_block(y, code)
        return self.residual * y + self.identity * x


class Generator(nn.Module):
    """MARSGAN: `(batch, 1, h, w)` to `_SCALE` times the sides."""

    def __init__(self, case):
        super().__init__()
        features, channels = case["features"], case["reconstruction_channels"]
        self.code = None
        if case["conditioned"]:
            self.code = nn.ModuleList(
                [nn.Linear(2, _CODE_WIDTH), nn.Linear(_CODE_WIDTH, _CODE_WIDTH)]
            )
        self.first = InFloat32(convolution(1, features))
        self.blocks = nn.ModuleList(
            Block(features, case["growth"], case["conditioned"])
            for _ in range(case["blocks"])
        )
        self.branches = nn.ModuleList(
            convolution(features, channels * _SCALE**2, size)
            for size in _KERNEL_SIZES
        )
        self.weights = nn.Parameter(torch.full((4,), 0.25))
        self.last = InFloat32(convolution(channels, 1))

    def forward(self, lr, degradation):
        """Of images stretched to [0, 1]."""
        code = degradation
        for layer in self.code or ():
            code = leaky_relu(layer(code))
        x = self.first(lr)
        for block in self.blocks:
            x = block(x, code)
        pairs = zip(self.weights, self.branches, strict=True)
        total = sum(weight * branch(x) for weight, branch in pairs)
        return self.last(functional.pixel_shuffle(total, _SCALE))


def make_discriminator(case):
    """SRGAN's, from images to logits."""
    layers, inputs = [], 1
    for index in range(8):
        outputs = case["discriminator_filters"] * 2 ** (index // 2)
        stride = 1 + index % 2
        layer = convolution(inputs, outputs, stride=stride, bias=index == 0)
        layers.append(layer if index else InFloat32(layer))
        if index:
            layers.append(nn.BatchNorm2d(outputs, momentum=0.1))
        layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        inputs = outputs
    units = case["discriminator_units"]
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(inputs * (case["hr_size"] // 16) ** 2, units),
        nn.LeakyReLU(_SLOPE, inplace=True),
        InFloat32(nn.Linear(units, 1)),
    )


class Perceptual(nn.Module):
    """Squared errors of VGG19's features before their activation."""

    def __init__(self, weights):
        super().__init__()
        self._weights = weights
        self._last = max(weights)
        self.convolutions = nn.ModuleDict()
        inputs = 3
        for block, (outputs, depth) in _VGG_WIDTHS.items():
            for index in range(1, depth + 1):
                name = f"block{block}_conv{index}"
                if name <= self._last:
                    layer = convolution(inputs, outputs)
                    is_first = block == index == 1
                    self.convolutions[name] = (
                        InFloat32(layer) if is_first else layer
                    )
                inputs = outputs
        self.requires_grad_(False)

    def forward(self, real, fake):
        """The weighted sum."""
        with torch.no_grad():
            wanted = self.features(real)
        found = self.features(fake)
        return sum(
            weight * functional.mse_loss(found[name], wanted[name])
            for name, weight in self._weights.items()
        )

    def features(self, images):
        """By name of the layer."""
        x = (255 * images - 115).expand(-1, 3, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        features = {}
        for name, layer in self.convolutions.items():
            if name.endswith("conv1") and name != "block1_conv1":
                x = functional.max_pool2d(x, 2)
            x = layer(x)
            is_read = name in self._weights
            if is_read:
                features[name] = x.float() / 12.75
            if name != self._last:
                x = functional.relu(x, inplace=not is_read)
        return features


class Training:
    """A stage with its optimizers, its running mean and a batch."""

    def __init__(self, case):
        self._case = case
        self.generator = _laid_out(Generator(case))
        self._mean = copy.deepcopy(self.generator).requires_grad_(False)
        if case["compile"]:
            for block in self.generator.blocks:
                for dense_block in block.dense_blocks:
                    dense_block.compile()
        self._networks = [self.generator]
        if case["stage"] == "gan":
            self.discriminator = _laid_out(make_discriminator(case))
            self._networks.append(self.discriminator)
            self._perceptual = _laid_out(Perceptual(case["perceptual"]))
        self._optimizers = [
            torch.optim.Adam(n.parameters(), lr=1e-4, fused=True)
            for n in self._networks
        ]
        shape = (case["batch_size"], 1, case["hr_size"], case["hr_size"])
        self._hr = torch.rand(shape)
        self._lr = torch.rand(shape)[:, :, ::_SCALE, ::_SCALE].contiguous()
        self._degradation = torch.rand(case["batch_size"], 2)

    def parameters(self):
        """How many each network has that learns."""
        return [sum(p.numel() for p in n.parameters()) for n in self._networks]

    def step(self):
        """One step; returns a loss as a number."""
        is_bfloat16 = self._case["precision"] == "mixed_bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bfloat16):
            fake = self.generator(self._lr, self._degradation)
            losses = self._losses(fake)
        self._descend(losses)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._mean.parameters()),
                list(self.generator.parameters()),
                1 - self._case["ema_decay"],
            )
        return losses[0].item()

    def _losses(self, fake):
        """One a network."""
        if self._case["stage"] == "psnr":
            return [functional.l1_loss(fake, self._hr)]
        real_logits = self.discriminator(self._hr)
        fake_logits = self.discriminator(fake)
        over = real_logits - fake_logits.mean()
        under = fake_logits - real_logits.mean()
        adversarial = _softplus(over) + _softplus(-under)
        return [
            self._perceptual(self._hr, fake)
            + self._case["adversarial_weight"] * adversarial
            + self._case["content_weight"]
            * functional.mse_loss(fake, self._hr),
            _softplus(-over) + _softplus(under),
        ]

    def _descend(self, losses):
        """All gradients at the same weights, then all updates, as ours."""
        for network, loss in zip(self._networks, losses, strict=True):
            parameters = list(network.parameters())
            keeps = loss is not losses[-1]
            found = torch.autograd.grad(loss, parameters, retain_graph=keeps)
            for parameter, gradient in zip(parameters, found, strict=True):
                parameter.grad = gradient
        for optimizer in self._optimizers:
            optimizer.step()


def _softplus(logits):
    return functional.softplus(logits).mean()


def _laid_out(network):
    return network.to(memory_format=torch.channels_last)


def main():
    """Warms up, then takes the steps that its input asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=json.loads, required=True)
    case = parser.parse_args().case
    if case["threads"]:
        torch.set_num_threads(case["threads"])
    training = Training(case)
    for _ in range(2):
        training.step()
    print(json.dumps({"parameters": training.parameters()}), flush=True)
    for line in sys.stdin:
        _, steps = json.loads(line)
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            training.step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
