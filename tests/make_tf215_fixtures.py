"""Writes what `tf215_lane.py` compares with, by the TensorFlow of today.

Run `PYTHONPATH=. python tests/make_tf215_fixtures.py FOLDER`. For every model
there is its export, `FOLDER/MODEL/1`, and the inputs and the answer of every
signature, `FOLDER/MODEL/SIGNATURE_BATCHxHEIGHTxWIDTH.npz`.
"""

import argparse
import pathlib

import numpy as np
import tensorflow as tf

from marsgan_tf import config, export
from marsgan_tf.models import files, generators

_SIZE = {"blocks": 2, "features": 16, "growth": 8}
_NOISY = {"conditioned": True, "noise_weight": 0.1}
_MODELS = {
    "plain": (generators.marsgan, {}, "float32"),
    "conditioned": (generators.marsgan, _NOISY, "bfloat16"),
    "esrgan": (generators.esrgan, {}, "float32"),
}
_SHAPES = ((1, 24, 24), (2, 17, 40), (1, 1, 5))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    for name, (build, options, precision) in _MODELS.items():
        model_folder = folder / name
        _export(build(**_SIZE, **options), model_folder, precision)
        _write_answers(model_folder)


def _export(generator, model_folder, precision):
    """Exports a generator with all its kernels and biases other than 0."""
    random = np.random.RandomState(0)
    for weight in generator.weights:
        if weight.name in ("kernel", "bias"):
            shift = 0.05 * random.normal(size=tuple(weight.shape))
            weight.assign(weight + shift)
    model_folder.mkdir(parents=True)
    path = str(model_folder / "generator.keras")
    files.save_generator(generator, path)
    export.main(
        config.ExportConfig(
            weights=path, output=str(model_folder), precision=precision
        )
    )


def _write_answers(model_folder):
    loaded = tf.saved_model.load(str(model_folder / "1"))
    for name, signature in loaded.signatures.items():
        for shape in _SHAPES:
            inputs = _inputs(signature, shape)
            size = "x".join(map(str, shape))
            path = model_folder / f"{name}_{size}.npz"
            np.savez(path, **inputs, **signature(**inputs))


def _inputs(signature, shape):
    """What a signature takes, of all that any takes."""
    random = np.random.RandomState(1)
    known = {
        "lr": random.uniform(size=(*shape, 1)).astype(np.float32),
        # Another one for every image of a batch.
        "degradation": np.float32([[1.2, 0.02], [2.4, 0.0]])[: shape[0]],
        "origin": np.int32([-7, 1000]),
        "seed": np.int32(3),
    }
    _, named = signature.structured_input_signature
    return {name: tf.constant(known[name]) for name in named}


if __name__ == "__main__":
    main()
