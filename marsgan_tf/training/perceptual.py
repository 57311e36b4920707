"""Perceptual loss on VGG19 features, before their activation.

Weights are data: a Keras `.h5` file of VGG19 by path, or `imagenet`, which
Keras downloads.
"""

import re

import h5py
import keras
import numpy as np
from keras import ops

from marsgan_tf import errors
from marsgan_tf.config import VGG19_CONVOLUTIONS

_WIDTHS = (64, 128, 256, 512, 512)
# SRGAN's factor, which brings the loss to the scale of an MSE of pixels.
_FEATURE_SCALE = 1 / 12.75
_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
_MOST_WEIGHTS = 3 * 3 * 512 * 512  # Of a kernel.


class PerceptualLoss:
    """Squared error of VGG19 features.

    The mean is over positions and channels alike: eq. 9 divides by the
    positions and does not say what becomes of the channels, and SRGAN, whose
    factor we keep, averages over them.

    Args:
        layers: Names such as `block5_conv4`, the paper's φ(5,4).
        weights: Path of a Keras VGG19 `.h5` file, or `imagenet`.

    Grey is repeated to three bands, then passes Keras' `caffe` preprocessing.

    Raises:
        ValueError: If a layer's name is none of VGG19's.
        ModelError: If the weights cannot be had, or lack a layer.

    Reference: Tao et al. 2021, eq. 9; Simonyan and Zisserman 2015,
    https://arxiv.org/abs/1409.1556
    """

    def __init__(self, layers, weights):
        self.network = _build(layers)
        _load(self.network, weights)
        self.network.trainable = False

    def __call__(self, target, estimate):
        """Compares two batches `(batch, height, width, 1)` in [0, 1].

        Returns:
            One loss a layer, `{name: scalar}`: squared error, mean over
            positions and channels.
        """
        target_features = self._features(target)
        estimate_features = self._features(estimate)
        return {
            name: ops.mean(ops.square(target_features[name] - features))
            for name, features in estimate_features.items()
        }

    def _features(self, images):
        coloured = ops.repeat(255.0 * images, 3, axis=-1)
        inputs = keras.applications.imagenet_utils.preprocess_input(
            coloured, mode="caffe"
        )
        return {
            name: _FEATURE_SCALE * ops.cast(features, "float32")
            for name, features in self.network(inputs).items()
        }


def _build(layers):
    """VGG19 as far as the last of `layers`, activations apart."""
    names = VGG19_CONVOLUTIONS
    if not layers or not set(layers) <= set(names):
        raise ValueError(
            "`layers` must be names from block1_conv1 to block5_conv4. "
            f"Received: layers={layers}"
        )
    last = max(names.index(name) for name in layers)
    x = image = keras.Input((None, None, 3))
    outputs = {}
    for name in names[: last + 1]:
        block, index = (int(digit) for digit in re.findall(r"\d+", name))
        if index == 1 and block > 1:
            x = keras.layers.MaxPooling2D(2, name=f"block{block - 1}_pool")(x)
        outputs[name] = keras.layers.Conv2D(
            _WIDTHS[block - 1],
            3,
            padding="same",
            # In bfloat16, pixels from 0 to 255 would lose their last bit.
            dtype="float32" if name == "block1_conv1" else None,
            name=name,
        )(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(outputs[name])
    return keras.Model(image, {name: outputs[name] for name in layers})


def _load(network, weights):
    read = _keras_reader() if weights == "imagenet" else _file_reader(weights)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            arrays = read(layer.name)
            if [a.shape for a in arrays] != [w.shape for w in layer.weights]:
                raise errors.ModelError(
                    f"{weights}: {layer.name} has the shapes "
                    f"{[a.shape for a in arrays]}, not those of VGG19; take "
                    f"Keras' own file ({_URL})"
                )
            layer.set_weights(arrays)


def _keras_reader():
    """Reads a layer's kernel and bias from Keras' own, downloaded copy."""
    try:
        source = keras.applications.VGG19(include_top=False)
    except Exception as error:  # Keras raises a bare Exception.
        raise errors.ModelError(
            f"VGG19 weights cannot be downloaded ({error}); fetch {_URL} on a "
            "machine with a network and pass --vgg_weights=PATH"
        ) from None
    return lambda name: source.get_layer(name).get_weights()


def _file_reader(path):
    """Reads a layer's kernel and bias from a file in Keras' HDF5 layout."""

    def read(name):
        try:
            with h5py.File(path) as file:
                if name in file:
                    return _arrays(file, name)
        # Which of them a damaged file raises is up to h5py.
        except Exception as error:
            raise errors.ModelError(
                f"{path}: no readable VGG19 weights file "
                f"({' '.join(str(error).split())}); --vgg_weights takes the "
                f"path of {_URL}"
            ) from None
        raise errors.ModelError(
            f"{path}: has no weights of {name}; take a complete VGG19 file "
            f"({_URL}), or --perceptual_layers that it has"
        )

    return read


def _arrays(file, name):
    """Kernel and bias below an HDF5 group, the kernel first."""
    found = []
    _require_own(file, name)
    file[name].visititems(
        lambda _, item: (
            found.append(item) if isinstance(item, h5py.Dataset) else None
        )
    )
    for item in found:
        _require_plain(item)
    arrays = [np.asarray(item[()], np.float32) for item in found]
    return sorted(arrays, key=lambda array: -array.ndim)


def _require_own(file, name):
    """Refuses a group that is a link; links below it are not followed."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")


def _require_plain(dataset):
    """Refuses weights from other files, and endless ones of few bytes."""
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file")
    if dataset.size > _MOST_WEIGHTS:
        raise ValueError(f"{dataset.name} is larger than any of VGG19's")
