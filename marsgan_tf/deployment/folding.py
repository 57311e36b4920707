"""Folding: the same generator with fewer operations.

Residual weights go into the convolution before them. MARSGAN's four
reconstruction branches, the pixel shuffle and the last convolution become one
11x11 convolution to the 16 sub-pixels. All of it is exact, up to rounding,
except in the outermost ring of high-resolution pixels: there the last
convolution sees zeros beyond the border where the folded one sees the
branches' answer to zeros.
"""

import numpy as np

from marsgan_tf.deployment.network import (
    Block,
    Convolution,
    Dense,
    DenseBlock,
    Network,
)
from marsgan_tf.layers.degradation_code import (
    BLUR_SIGMA_RANGE,
    NOISE_SIGMA_RANGE,
)

_ESRGAN_RECONSTRUCTION = ("upconv_0", "upconv_1", "hr_conv", "conv_last")


def fold(generator):
    """Takes a generator apart into folded weights.

    Args:
        generator: A `keras.Model` built by `models.generators`.

    Returns:
        A `Network`.
    """
    fold_one = {"marsgan": _fold_marsgan, "esrgan": _fold_esrgan}
    return fold_one[generator.name](generator)


def fold_reconstruction(branches, weights, last, scale):
    """Folds AWMSR and the last convolution into one.

    Args:
        branches: Convolutions of odd sizes to `channels * scale**2` maps,
            ordered as depth to space reads them: (sub-pixel row, column,
            channel).
        weights: One factor a branch.
        last: Convolution 3x3 from `channels` maps to one, after the shuffle.
        scale: Upsampling factor.

    Returns:
        A convolution to `scale**2` maps, two wider than the widest branch.
    """
    summed = _sum_branches(branches, weights)
    height, width, features, maps = summed.kernel.shape
    channels = maps // scale**2
    kernel = np.zeros((height + 2, width + 2, features, scale, scale))
    bias = np.full((scale, scale), last.bias[0], np.float64)
    source = summed.kernel.astype(np.float64).reshape(
        height, width, features, scale, scale, channels
    )
    source_bias = summed.bias.reshape(scale, scale, channels)
    for row, col, tap_row, tap_col in np.ndindex(scale, scale, 3, 3):
        # The tap reads this sub-pixel, of this low-resolution neighbour.
        down, sub_row = divmod(row + tap_row - 1, scale)
        right, sub_col = divmod(col + tap_col - 1, scale)
        weight = last.kernel[tap_row, tap_col, :, 0].astype(np.float64)
        rows = slice(1 + down, 1 + down + height)
        cols = slice(1 + right, 1 + right + width)
        kernel[rows, cols, :, row, col] += (
            source[:, :, :, sub_row, sub_col] @ weight
        )
        bias[row, col] += source_bias[sub_row, sub_col] @ weight
    return Convolution(
        kernel.reshape(height + 2, width + 2, features, -1).astype(np.float32),
        bias.reshape(-1).astype(np.float32),
    )


def _sum_branches(branches, weights):
    """One kernel as wide as the widest, since convolution is linear."""
    size = max(branch.kernel.shape[0] for branch in branches)
    kernel, bias = 0.0, 0.0
    for branch, weight in zip(branches, weights, strict=True):
        margin = (size - branch.kernel.shape[0]) // 2
        sides = (margin, margin)
        kernel += weight * np.pad(
            branch.kernel.astype(np.float64), (sides, sides, (0, 0), (0, 0))
        )
        bias += weight * branch.bias.astype(np.float64)
    return Convolution(kernel, bias)


def _fold_marsgan(generator):
    names = {layer.name for layer in generator.layers}
    awmsr = generator.get_layer("awmsr")
    reconstruction = fold_reconstruction(
        [_convolution(branch) for branch in awmsr.branches],
        _array(awmsr.branch_weights),
        _convolution(generator.get_layer("f_rec")),
        awmsr.scale,
    )
    return Network(
        generator.name,
        _convolution(generator.get_layer("f_ext")),
        tuple(_fold_awrrdb(b) for b in _numbered(generator, "awrrdb")),
        _convolution(generator.get_layer("trunk"))
        if "trunk" in names
        else None,
        (reconstruction,),
        _fold_code(generator.get_layer("degradation_code"))
        if "degradation_code" in names
        else (),
    )


def _fold_esrgan(generator):
    return Network(
        generator.name,
        _convolution(generator.get_layer("conv_first")),
        tuple(_fold_rrdb(b) for b in _numbered(generator, "rrdb")),
        _convolution(generator.get_layer("trunk")),
        tuple(
            _convolution(generator.get_layer(name))
            for name in _ESRGAN_RECONSTRUCTION
        ),
    )


def _fold_awrrdb(layer):
    residual = _array(layer.residual_weight)
    factors = (1.0, 1.0, residual)  # The last one's answer is the block's.
    return Block(
        tuple(
            _fold_adaptive(dense_block, factor)
            for dense_block, factor in zip(
                layer.dense_blocks, factors, strict=True
            )
        ),
        _array(layer.identity_weight),
    )


def _fold_adaptive(layer, factor):
    """`factor * (λr * DB(x) + λx * x + λn * G)`."""
    weights = [_array(layer.residual_weight), _array(layer.identity_weight)]
    weights = [factor * weight for weight in weights]
    noise = np.float32(factor * _array(layer.noise.weight))
    convolutions = _convolutions(layer.dense_block)
    if not layer.conditioned:
        return DenseBlock(
            _scaled_last(convolutions, weights[0]),
            np.float32(weights[1]),
            noise,
        )
    features = convolutions[-1].bias.shape
    offsets = np.concatenate([np.broadcast_to(w, features) for w in weights])
    both = np.concatenate([np.broadcast_to(factor, features)] * 2)
    kernel, bias = map(_array, (layer.shifts.kernel, layer.shifts.bias))
    modulation = Dense(
        np.float32(kernel * both), np.float32(bias * both + offsets)
    )
    return DenseBlock(convolutions, np.float32(1.0), noise, modulation)


def _fold_rrdb(layer):
    scale = layer.residual_scale
    return Block(
        tuple(
            DenseBlock(
                _scaled_last(_convolutions(dense_block), scale * factor),
                np.float32(factor),
                np.float32(0.0),
            )
            for dense_block, factor in zip(
                layer.dense_blocks, (1.0, 1.0, scale), strict=True
            )
        ),
        np.float32(1.0),
    )


def _fold_code(layer):
    """The dense layers, the first one fed with sigmas instead of shares."""
    first, second = [
        Dense(_array(dense.kernel), _array(dense.bias))
        for dense in layer.dense_layers
    ]
    ranges = np.float32([[BLUR_SIGMA_RANGE], [NOISE_SIGMA_RANGE]])
    return (Dense(first.kernel / ranges, first.bias), second)


def _scaled_last(convolutions, weight):
    *others, last = convolutions
    scaled = Convolution(
        np.float32(last.kernel * weight), np.float32(last.bias * weight)
    )
    return (*others, scaled)


def _convolutions(dense_block):
    return tuple(_convolution(layer) for layer in dense_block.convolutions)


def _numbered(generator, prefix):
    """The layers `prefix_0`, `prefix_1` ... in the order of data."""
    return [
        layer
        for layer in generator.layers
        if layer.name.rpartition("_")[0] == prefix
    ]


def _convolution(layer):
    return Convolution(_array(layer.kernel), _array(layer.bias))


def _array(weight):
    return np.asarray(weight, np.float32)
