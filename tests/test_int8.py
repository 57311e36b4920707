import functools

import models
import numpy as np
import predictions
import pytest
import rasters
from tiny_generators import images

from marsgan_tf import config, errors
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.inference import engines

openvino_core = pytest.importorskip("marsgan_tf.inference.openvino_core")
ov = openvino_core.ov

from marsgan_tf.inference import openvino_int8  # noqa: E402

CHANNELS, GROWTH = 6, 4


@functools.cache
def engine(kind, precision):
    folder = descriptions.find(models.exported(kind))
    return engines.open_engine(
        "openvino",
        folder,
        descriptions.load(folder),
        precision=precision,
        degradation=Degradation(blur_sigma=1.2, noise_sigma=0.004),
        threads=0,
        samples=0,
    )


@pytest.mark.parametrize("kind", ["plain", "conditioned", "esrgan"])
def test_integers_stay_near_float32(kind):
    lr = images(3, 40, 40)
    expected = engine(kind, "float32").restore(lr)
    found = engine(kind, "int8").calibrated(lr).restore(lr)
    # The trunk's share of the answer, which alone is rounded, is its detail.
    error = np.std(found - expected) / np.std(expected)
    assert 0.0 < error < 0.01


def test_the_trunk_runs_in_integers():
    calibrated = engine("plain", "int8").calibrated(images(3, 40, 40))
    calibrated.restore(images(1, 40, 40))
    precisions = [
        {
            node.get_rt_info()["runtimePrecision"].astype(str)
            for node in part.get_runtime_model().get_ordered_ops()
            if node.get_rt_info()["layerType"].astype(str) == "Convolution"
        }
        for part in calibrated._parts
    ]
    assert precisions[0] == precisions[2] == {"f32"}
    assert precisions[1] <= {"i8", "u8"}


def test_told_and_calibrated_in_either_order():
    lr = images(2, 40, 40)
    other = Degradation(blur_sigma=0.3, noise_sigma=0.03)
    first = engine("conditioned", "int8")
    one = first.told(other).calibrated(lr).restore(lr)
    np.testing.assert_array_equal(
        one, first.calibrated(lr).told(other).restore(lr)
    )
    expected = engine("conditioned", "float32").told(other).restore(lr)
    assert np.std(one - expected) < 0.01 * np.std(expected)


def unequal_trunk(rng):
    """A dense block whose channels differ a hundredfold in magnitude."""
    features = ov.opset13.parameter([1, CHANNELS, -1, -1], np.float32)
    uneven = np.float32(10.0 ** np.linspace(-1, 1, CHANNELS))
    steps = np.float32(10.0 ** np.linspace(1, -1, GROWTH))

    def convolution(source, fed, made):
        shape = (len(made), len(fed), 3, 3)
        kernel = rng.normal(size=shape) / np.sqrt(9 * len(fed))
        kernel = kernel * made[:, None, None, None] / fed[:, None, None]
        found = ov.opset13.convolution(
            source, np.float32(kernel), [1, 1], [1, 1], [1, 1], [1, 1]
        )
        bias = rng.normal(size=(1, len(made), 1, 1)) * made[:, None, None]
        return ov.opset13.add(found, np.float32(bias))

    grown = ov.opset13.prelu(
        convolution(features, uneven, steps), np.float32(0.2)
    )
    joined = ov.opset13.concat([features, grown], 1)
    fed = np.concatenate([uneven, steps])
    answer = ov.opset13.add(convolution(joined, fed, uneven), features)
    return ov.Model([answer], [features], "trunk"), uneven


def compiled(model):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino_core.core().compile_model(model, "CPU", settings)


def test_channels_of_any_magnitude_are_rounded_alike():
    rng = np.random.default_rng(5)
    trunk, uneven = unequal_trunk(rng)
    shape = (1, CHANNELS, 24, 24)
    features = np.float32(rng.normal(size=shape)) * uneven[:, None, None]
    expected = compiled(trunk)(features)[0]
    found = compiled(openvino_int8.quantized(trunk, features))(features)[0]
    errors_of_channels = (found - expected).std(axis=(0, 2, 3)) / uneven
    # A step is 1.25 * 4 sigma / 127, and its rounding a root of 12th of that:
    # 0.011 of a sigma for what goes in, and as much again for the growth.
    assert errors_of_channels.max() < 0.03
    assert errors_of_channels.min() > 0.001


def test_a_glint_that_no_patch_shows_is_clipped_alone():
    """Beyond a quarter more than was seen, maps are clipped, and no more."""
    rng = np.random.default_rng(6)
    trunk, uneven = unequal_trunk(rng)
    features = np.float32(rng.normal(size=(1, CHANNELS, 24, 24)))
    features *= uneven[:, None, None]
    unseen = features.copy()
    unseen[0, :, 12, 12] *= 100.0
    expected = compiled(trunk)(unseen)[0]
    rounded = compiled(openvino_int8.quantized(trunk, features))
    error = np.abs(rounded(unseen)[0] - expected) / uneven[:, None, None]
    error = error.max(axis=(0, 1))
    near = np.zeros(error.shape, bool)
    near[10:15, 10:15] = True  # Two convolutions of 3 px.
    assert error[~near].max() < 0.15
    assert error[near].max() > 1.0


def test_the_command_calibrates_on_the_image(tmp_path):
    source = str(tmp_path / "in.tif")
    rasters.write_geotiff(source, predictions.image(96, 104, dtype="uint16"))
    answers = {}
    for precision in ("float32", "int8"):
        output = str(tmp_path / f"{precision}.tif")
        predictions.predict(
            source, output, model=models.exported("plain"), precision=precision
        )
        with rasters.open_gdal(output) as dataset:
            answers[precision] = dataset.read().astype(float)
    again = str(tmp_path / "again.tif")
    predictions.predict(
        source, again, model=models.exported("plain"), precision="int8"
    )
    with rasters.open_gdal(again) as dataset:
        np.testing.assert_array_equal(dataset.read(), answers["int8"])
    error = np.std(answers["int8"] - answers["float32"])
    assert 0.0 < error < 0.02 * np.std(answers["float32"])


def test_an_image_without_ground_is_told(tmp_path):
    source = str(tmp_path / "in.tif")
    rasters.write_geotiff(source, predictions.image(30, 60))
    with pytest.raises(errors.SettingsError, match="40 by 40 px with data"):
        predictions.predict(
            source,
            str(tmp_path / "out.tif"),
            model=models.exported("plain"),
            precision="int8",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_only_openvino_computes_in_integers():
    folder = descriptions.find(models.exported("plain"))
    with pytest.raises(errors.SettingsError, match="needs --engine=openvino"):
        engines.open_engine(
            "saved_model",
            folder,
            descriptions.load(folder),
            precision="int8",
            degradation=Degradation(blur_sigma=1.2, noise_sigma=0.0),
            threads=0,
            samples=0,
        )
    with pytest.raises(ValueError, match="precision"):
        config.PredictConfig(
            input=("a.tif",),
            output="b.tif",
            engine="grpc://host:8500/marsgan",
            precision="int8",
        )
