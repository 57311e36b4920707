"""Our models and our degradation against TensorFlow 2.15 and its Addons.

Run by `.ci/tf215`, in an environment of its own (Python 3.9 to 3.11), on the
folder `TF215_FIXTURES` that `make_tf215_fixtures.py` wrote. The suite, which
has another TensorFlow, does not collect this file.
"""

import functools
import json
import os
import pathlib
import warnings

import numpy as np
import pytest
import tensorflow as tf

from marsgan_tf.imaging.degrade import degrade

FIXTURES = pathlib.Path(os.environ["TF215_FIXTURES"])
PRECISIONS = {"float32", "bfloat16"}
SIGNATURES = {
    "plain": {"serving_default", *PRECISIONS},
    "conditioned": {"serving_default", "restore", "sample", *PRECISIONS},
    "esrgan": {"serving_default", *PRECISIONS},
}
CASES = [
    (name, signature)
    for name, signatures in SIGNATURES.items()
    for signature in sorted(signatures)
]

# Of answers with a standard deviation of 0.8 to 1. Measured, with oneDNN and
# without it (as on a processor that has no bfloat16): float32 4e-6 and 1.1e-5,
# bfloat16 7e-4 and 1.9e-3.
TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-3}


@functools.cache
def load(name):
    return tf.saved_model.load(str(FIXTURES / name / "1"))


def describe(name):
    return json.loads((FIXTURES / name / "1" / "model.json").read_text())


def tolerance(name, signature):
    """By the precision that a signature computes in."""
    if signature in ("serving_default", "restore"):
        return TOLERANCES[describe(name)["precision"]]
    return TOLERANCES[signature if signature in PRECISIONS else "float32"]


@pytest.fixture(scope="module")
def gaussian_filter2d():
    with warnings.catch_warnings():
        # It announces its own end at every import.
        warnings.filterwarnings("ignore", r"\s*TensorFlow Addons", UserWarning)
        import tensorflow_addons as tfa
    return tfa.image.gaussian_filter2d


@pytest.fixture
def scene():
    return np.random.RandomState(0).uniform(size=(52, 72)).astype(np.float32)


@pytest.mark.parametrize("name", SIGNATURES)
def test_model_is_of_a_later_tensorflow(name):
    written_by = describe(name)["written_by"]["tensorflow"].split(".")
    assert tf.__version__.startswith("2.15.")
    assert (int(written_by[0]), int(written_by[1])) > (2, 15)


@pytest.mark.parametrize("name", SIGNATURES)
def test_model_has_its_signatures(name):
    assert set(load(name).signatures) == SIGNATURES[name]


@pytest.mark.parametrize("shape", ["1x24x24", "2x17x40", "1x1x5"])
@pytest.mark.parametrize(("name", "signature"), CASES)
def test_model_answers_the_same(name, signature, shape):
    with np.load(FIXTURES / name / f"{signature}_{shape}.npz") as file:
        inputs = {key: tf.constant(file[key]) for key in file.files}
    expected = inputs.pop("sr")
    found = load(name).signatures[signature](**inputs)["sr"]
    allowed = tolerance(name, signature)
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


def blurred_by_addons(gaussian_filter2d, image, sigma):
    """Truncated at four sigma; mirrored, the edge pixel included."""
    side = 2 * int(4 * sigma + 0.5) + 1
    return gaussian_filter2d(image[..., None], side, sigma, "SYMMETRIC")


@pytest.mark.parametrize("sigma", [0.8, 1.6, 2.4])
def test_gaussian_is_that_of_addons(gaussian_filter2d, scene, sigma):
    expected = blurred_by_addons(gaussian_filter2d, scene, sigma)[..., 0]
    found = degrade(scene, sigma, scale=1)  # Its bicubic is the identity.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.8, 1.6, 2.4])
@pytest.mark.parametrize("scale", [2, 4])
def test_degradation_is_addons_then_bicubic(
    gaussian_filter2d, scene, sigma, scale
):
    expected = tf.image.resize(
        blurred_by_addons(gaussian_filter2d, scene, sigma),
        [side // scale for side in scene.shape],
        "bicubic",
        antialias=True,
    )
    # Their bicubic, which reaches 1.5 px beyond its own, does not mirror.
    inner = (slice(2, -2), slice(2, -2))
    found = degrade(scene, sigma, scale=scale)[inner]
    np.testing.assert_allclose(
        found, expected[..., 0][inner], rtol=0, atol=1e-5
    )
