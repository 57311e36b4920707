import sys

import numpy as np
import pytest
from exports import break_a_weight, export, names
from tf2onnx.optimizer import transpose_optimizer
from tiny_generators import images, scattered

from marsgan_tf import errors
from marsgan_tf.deployment import folding, forward, onnx
from marsgan_tf.models import files


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "generator.keras"
    files.save_generator(scattered(seed=1), path)
    return str(path)


@pytest.mark.parametrize(
    "architecture, options",
    [("marsgan", {"conditioned": True}), ("esrgan", {})],
)
def test_onnx_answers_as_keras(tmp_path, architecture, options):
    generator = scattered(architecture, seed=2, **options)
    path = tmp_path / "generator.keras"
    files.save_generator(generator, path)
    output = tmp_path / "models" / "mars.onnx"
    export(output, weights=str(path), format="onnx")
    assert names(output.parent) == ["mars.onnx"]
    told = np.float32([[0.4, 0.03], [2.0, 0.0]]) if options else None
    for shape in ((2, 6, 11), (2, 17, 4)):
        lr = images(*shape, seed=3)
        inputs = lr if told is None else [lr, told]
        expected = np.asarray(generator(inputs))
        found = onnx.run(str(output), lr, told)
        assert found.shape == expected.shape
        error = np.abs(found - expected)[:, 1:-1, 1:-1]
        assert error.max() < 1e-4 * expected.std()


@pytest.mark.parametrize("architecture", ["marsgan", "esrgan"])
def test_onnx_keeps_its_axes_whatever_the_order_of_passes(
    tmp_path, monkeypatch, architecture
):
    optimize = transpose_optimizer.TransposeOptimizer.optimize

    def optimize_later(self, graph, iteration):
        return optimize(self, graph, iteration) if iteration else graph

    monkeypatch.setattr(
        transpose_optimizer.TransposeOptimizer, "optimize", optimize_later
    )
    path, lr = str(tmp_path / "mars.onnx"), images(1, 5, 6)
    network = folding.fold(scattered(architecture))
    onnx.write(path, network)
    np.testing.assert_allclose(
        onnx.run(path, lr),
        forward.restore(network, lr),
        rtol=1e-4,
        atol=1e-5,
    )


def test_onnx_replaces_nothing(weights, tmp_path):
    output = tmp_path / "mars.onnx"
    output.write_bytes(b"precious")
    with pytest.raises(errors.SettingsError, match="mars.onnx: exists"):
        export(output, weights=weights, format="onnx")
    assert output.read_bytes() == b"precious"


@pytest.mark.parametrize("library", ["tf2onnx", "onnxruntime"])
def test_onnx_without_its_libraries(weights, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        errors.SettingsError, match=f"{library}.*requirements-onnx.txt"
    ):
        export(tmp_path / "mars.onnx", weights=weights, format="onnx")
    assert names(tmp_path) == []


def test_onnx_that_answers_otherwise_is_not_exported(
    weights, tmp_path, monkeypatch
):
    break_a_weight(monkeypatch, onnx)
    with pytest.raises(errors.ModelError, match="mars.onnx: answers otherwise"):
        export(tmp_path / "mars.onnx", weights=weights, format="onnx")
    assert names(tmp_path) == []
