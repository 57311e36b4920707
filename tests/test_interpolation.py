import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.models import files
from marsgan_tf.models.generators import esrgan, marsgan
from marsgan_tf.models.interpolation import interpolate

ROOT = pathlib.Path(__file__).parent.parent
SMALL = {"blocks": 1, "features": 4, "growth": 4}


def scattered(seed, build=marsgan, **options):
    """A generator with no weight at its start value."""
    generator = build(**SMALL, **options)
    random = np.random.default_rng(seed)
    generator.set_weights(
        [random.normal(0, 0.1, w.shape) for w in generator.weights]
    )
    return generator


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_weights_are_mixed_one_by_one(alpha):
    psnr, gan = scattered(1), scattered(2)
    mixed = interpolate(psnr, gan, alpha)
    for weight, one, other in zip(
        mixed.weights, psnr.weights, gan.weights, strict=True
    ):
        expected = (1 - alpha) * one.numpy() + alpha * other.numpy()
        np.testing.assert_allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize(
    "build, options", [(esrgan, {}), (marsgan, {"trunk_skip": True})]
)
def test_other_architectures_are_refused(build, options):
    other = scattered(3, build, **options)
    with pytest.raises(errors.ModelError, match="different architectures"):
        interpolate(scattered(1), other, 0.5)


def call(*flags):
    return subprocess.run(
        [sys.executable, "-m", "marsgan_tf.interpolate", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def saved(tmp_path):
    paths = {}
    for seed, name in enumerate(("psnr", "gan")):
        paths[name] = tmp_path / f"{name}.keras"
        files.save_generator(scattered(seed, conditioned=True), paths[name])
    return paths


def test_command_writes_the_mix(saved, tmp_path):
    output = tmp_path / "mixed.keras"
    done = call(
        f"--psnr={saved['psnr']}",
        f"--gan={saved['gan']}",
        f"--output={output}",
        "--alpha=0.5",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    mixed = keras.models.load_model(output)
    psnr, gan = (keras.models.load_model(path) for path in saved.values())
    for weight, one, other in zip(
        mixed.get_weights(), psnr.get_weights(), gan.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weight, (one + other) / 2, atol=1e-6)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 half a zip"])
def test_broken_files_are_one_line(saved, tmp_path, content):
    path = tmp_path / "broken.keras"
    if content is not None:
        path.write_bytes(content)
    done = call(
        f"--psnr={path}",
        f"--gan={saved['gan']}",
        f"--output={tmp_path}/x.keras",
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "broken.keras" in done.stderr
    assert not (tmp_path / "x.keras").exists()


def test_outputs_are_not_overwritten_unasked(saved, tmp_path):
    inputs = [f"--psnr={saved['psnr']}", f"--gan={saved['gan']}"]
    done = call(*inputs, f"--output={saved['gan']}", "--overwrite")
    assert done.returncode == 1
    assert "is an input" in done.stderr
    output = tmp_path / "mixed.keras"
    output.write_bytes(b"precious")
    done = call(*inputs, f"--output={output}")
    assert done.returncode == 1
    assert "--overwrite" in done.stderr
    assert output.read_bytes() == b"precious"
    assert call(*inputs, f"--output={output}", "--overwrite").returncode == 0
    assert output.read_bytes() != b"precious"


def test_missing_folder_is_named_as_it_was_given(saved, tmp_path):
    output = tmp_path / "none" / "mixed.keras"
    done = call(
        f"--psnr={saved['psnr']}", f"--gan={saved['gan']}", f"--output={output}"
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(output) in done.stderr


@pytest.mark.parametrize(
    "flags", [(), ("--psnr=a.h5",), ("--psnr=a.keras", "--alpha=2")]
)
def test_wrong_flags(flags):
    done = call(*flags)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
