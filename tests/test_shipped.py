"""The shipped generators, as they come."""

import os
import pathlib

import numpy as np
import pytest

from marsgan_tf.config import PredictConfig
from marsgan_tf.demonstration import strip
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.imaging import degrade, enlarge, raster
from marsgan_tf.inference import blend, predicting

MODELS = pathlib.Path(__file__).parent.parent / "saved_models"
NAMES = ("marsgan", "marsgan-psnr")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A generated colour strip, its truth, and what the models make of it."""
    folder = tmp_path_factory.mktemp("shipped")
    fine, coarse = str(folder / "truth.tif"), str(folder / "strip.tif")
    strip.write(fine, coarse, size=(512, 512), gsd_m=1.0, seed=31)
    images = {"truth": read(fine), "input": read(coarse)}
    for name in NAMES:
        output = str(folder / f"{name}.tif")
        predicting.predict(
            PredictConfig(
                input=(coarse,), output=output, model=str(MODELS / name)
            )
        )
        images[name] = read(output)
    return images


def read(path):
    with raster.open_raster(path) as reader:
        return reader.read().astype(np.float64)


def inner(image):
    return image[32:-32, 32:-32]


@pytest.mark.parametrize("name", NAMES)
def test_models_are_whole_and_explained(name):
    found = descriptions.load(descriptions.find(str(MODELS / name)))
    assert found.name == name
    assert found.conditioned
    card = (MODELS / name / "MODEL_CARD.md").read_text()
    for word in ("## Recipe", "## Figures", "## Limits", "score_shipped"):
        assert word in card
    assert "@@" not in card


def test_they_are_one_network_and_can_be_mixed():
    model = str(MODELS / "marsgan")
    description = descriptions.load(descriptions.find(model))
    assert blend.find(model, description, 0.5).description.name == NAMES[1]


def test_the_repository_stays_small():
    paths = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(os.path.getsize(path) for path in paths) < 60e6


@pytest.mark.parametrize(
    ("name", "least_gain"), [(NAMES[0], 0.2), (NAMES[1], 0.5)]
)
def test_generated_ground_gains_over_bicubic(scene, name, least_gain):
    """Ground that no training saw; blur and noise are read from it."""
    truth = inner(scene["truth"])
    low = scene["input"].astype(np.float32)
    bicubic = np.stack(
        [enlarge.enlarge(band) for band in np.moveaxis(low, -1, 0)], axis=-1
    )
    errors = {
        key: np.mean((inner(image) - truth) ** 2)
        for key, image in (("bicubic", bicubic), ("ours", scene[name]))
    }
    gain = 10 * np.log10(errors["bicubic"] / errors["ours"])
    assert gain > least_gain


@pytest.mark.parametrize("name", NAMES)
def test_hue_stays(scene, name):
    """Mean drift below a degree, between input and degraded output."""
    degraded = np.stack(
        [
            degrade.degrade(band.astype(np.float32), strip.BLUR_SIGMA)
            for band in np.moveaxis(scene[name], -1, 0)
        ],
        axis=-1,
    )
    before, after = (chroma(image) for image in (scene["input"], degraded))
    drift = np.abs(np.angle(after * before.conj(), deg=True))
    assert np.average(drift, weights=np.abs(before)) < 1.0


def chroma(image):
    """Hue and chroma as one complex number (the colour hexagon)."""
    first, second, third = np.moveaxis(image, -1, 0)
    real = first - 0.5 * (second + third)
    return real + 1j * np.sqrt(0.75) * (second - third)
