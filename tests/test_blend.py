"""Network interpolation at prediction: two exported models, mixed."""

import json

import models
import numpy as np
import pytest
from predictions import image, predict
from rasters import write_gdal
from tiny_generators import images

from marsgan_tf import errors
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment import folding, forward, network
from marsgan_tf.inference import blend, engines

NAMES = ("openvino", "saved_model")


def mixed_engine(name, share):
    models.exported("plain-psnr")
    model = models.exported("plain")
    folder = descriptions.find(model)
    description = descriptions.load(folder)
    return engines.open_engine(
        name,
        folder,
        description,
        blended=blend.find(model, description, share),
        precision="float32",
        degradation=description.degradation,
        threads=0,
        samples=0,
    )


def by_hand(lr, share):
    """The forward pass of weights that are mixed one by one."""
    one, other = (
        folding.fold(models.generator(kind)) for kind in ("plain", "plain-psnr")
    )
    others = network.leaves(other)
    mixed = network.replaced(
        one, lambda array: share * array + (1 - share) * next(others)
    )
    return forward.restore(mixed, lr).numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_engines_mix_weight_by_weight(name, share):
    lr = images(1, 20, 24, seed=4)
    expected = by_hand(lr, share)
    found = mixed_engine(name, share).restore(lr)
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < 1e-5 * scale
    if share < 1.0:
        assert np.abs(found - by_hand(lr, 1.0)).max() > 1e-2 * scale


def test_the_output_tells_what_was_mixed(tmp_path):
    models.exported("plain-psnr")
    source = write_gdal(tmp_path / "in.png", image(), "PNG")
    output = predict(source, tmp_path / "out.tif", interpolate=0.25)
    told = json.loads((tmp_path / "out.tif.json").read_text())["interpolated"]
    other = descriptions.load(descriptions.find(models.exported("plain-psnr")))
    assert told == {
        "share": 0.25,
        "with": "plain-psnr/1",
        "weights_sha256": other.weights_sha256,
    }
    with pytest.raises(errors.SettingsError, match="made with interpolated="):
        predict(source, output, resume=True)


def test_a_missing_partner_is_told():
    with pytest.raises(errors.ModelError, match="esrgan-psnr: holds no expo"):
        blend.find(models.exported("esrgan"), None, 0.5)


def test_models_of_other_architectures_are_refused():
    models.exported("plain-psnr")
    other = descriptions.load(descriptions.find(models.exported("conditioned")))
    with pytest.raises(errors.ModelError, match="they cannot be mixed"):
        blend.find(models.exported("plain"), other, 0.5)
