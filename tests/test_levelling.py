"""A pattern of sub-pixels, measured and taken out."""

import re

import datasets
import numpy as np
import pytest
from scipy import ndimage
from tiny_generators import images, quiet, scattered

from marsgan_tf import config, errors
from marsgan_tf.models import files, levelling
from marsgan_tf.training import levelling_run


def test_pattern_is_found_on_sloping_ground_with_edges():
    rng = np.random.default_rng(0)
    pattern = rng.normal(0.0, 0.01, (4, 4))
    pattern -= pattern.mean()
    ground = 5.0 * ndimage.gaussian_filter(rng.normal(size=(480, 480)), 8.0)
    ground += ground > 0.1
    image = ground + np.tile(pattern, (120, 120))
    found = levelling.subpixel_pattern(image[None, ..., None])
    np.testing.assert_allclose(found, pattern, atol=2e-3)
    # Of nothing but the pattern, to rounding.
    alone = np.tile(pattern, (3, 5))[None, ..., None] + 7.0
    np.testing.assert_allclose(
        levelling.subpixel_pattern(alone), pattern, atol=1e-12
    )


def test_offsets_are_added_to_every_subpixel_alike():
    generator = quiet(scattered())
    lr = images(2, 12, 14)
    before = np.asarray(generator(lr))
    offsets = np.random.default_rng(1).normal(size=(4, 4))
    levelling.shift_subpixels(generator, offsets)
    added = np.asarray(generator(lr)) - before
    # The outermost ring sees padding instead of the shuffle's neighbours.
    np.testing.assert_allclose(
        added[:, 4:-4, 4:-4, 0],
        np.broadcast_to(np.tile(offsets, (10, 12)), (2, 40, 48)),
        atol=2e-4,
    )


def test_command_levels_a_generator(tmp_path, caplog):
    datasets.write_dataset(tmp_path / "pairs")
    generator = quiet(scattered())
    levelling.shift_subpixels(generator, np.eye(4))
    weights = str(tmp_path / "in.keras")
    files.save_generator(generator, weights)
    settings = {
        "weights": weights,
        "dataset": str(tmp_path / "pairs"),
        "output": str(tmp_path / "out.keras"),
        "pairs": 16,
    }
    with caplog.at_level("INFO", logger="absl"):
        levelling_run.run(config.LevelConfig(**settings))
    files.load_generator(settings["output"])
    (line,) = re.findall(
        r"rms (\S+) of the range before, (\S+) after", caplog.text
    )
    before, after = map(float, line)
    assert before > 0.1
    assert after < 0.1 * before
    with pytest.raises(errors.ModelError, match="exists; choose another"):
        levelling_run.run(config.LevelConfig(**settings))


def test_esrgan_is_refused(tmp_path):
    weights = str(tmp_path / "esrgan.keras")
    files.save_generator(scattered("esrgan"), weights)
    with pytest.raises(errors.ModelError, match="only MARSGAN's"):
        levelling_run.run(
            config.LevelConfig(
                weights=weights, output=str(tmp_path / "out.keras")
            )
        )
