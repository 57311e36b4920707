"""From decoded scenes to training pairs."""

import dataclasses
import tempfile

import numpy as np
import pytest

from marsgan_tf.imaging import degrade, stretch
from pipelines import cutting, decoding, hirise, sensor_noise, spool
from pipelines.patches import Verdict

RECIPE = cutting.Recipe(
    hr_size=32,
    stride=32,
    min_contrast=0.02,
    blur_sigma=(1.6, 1.6),
    noise_sigma=(0.0, 0.0),
    variants=1,
    seed=0,
)
STRETCH = stretch.Stretch(100.0, 900.0)


@pytest.fixture
def open_scene():
    """Makes a decoded scene of an array."""
    with tempfile.TemporaryFile() as scratch:

        def decoded(image, valid=None):
            stored = spool.Spool(scratch, *image.shape, image.dtype)
            mask = np.ones(image.shape, bool) if valid is None else valid
            stored.write(0, image, mask)
            return decoding.DecodedScene(
                *image.shape, stored, STRETCH, hirise.Label()
            )

        yield decoded


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.integers(100, 900, (170, 135)).astype(np.uint16)


def cut(scene, **changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    found = list(cutting.windows(scene, "ESP_068294_1985", recipe))
    verdicts = [verdict for verdict, _ in found]
    return verdicts, [pair for _, pairs in found for pair in pairs]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("strip_px", [1, 10_000, 10**7])
def test_pairs_are_cut_from_the_degraded_scene(
    open_scene, image, monkeypatch, dtype, strip_px
):
    monkeypatch.setattr(cutting, "_STRIP_PX", strip_px)
    image = (image // 4 if dtype == "uint8" else image).astype(dtype)
    _, pairs = cut(open_scene(image))
    reduced = degrade.degrade(image, float(np.float32(1.6)))
    if dtype != "float32":
        reduced = np.rint(reduced)
    places = [(pair.row, pair.col) for pair in pairs]
    assert places == [
        (row, col) for row in range(0, 160, 32) for col in range(0, 128, 32)
    ]
    for pair in pairs:
        row, col = pair.row, pair.col
        assert pair.hr.dtype == pair.lr.dtype == dtype
        np.testing.assert_array_equal(
            pair.hr[..., 0], image[row : row + 32, col : col + 32]
        )
        row, col = row // 4, col // 4
        np.testing.assert_array_equal(
            pair.lr[..., 0], reduced[row : row + 8, col : col + 8]
        )
        assert (pair.low, pair.high) == (100.0, 900.0)
        assert pair.blur_sigma == np.float32(1.6)


def test_overshoot_is_clipped_to_the_dtype(open_scene):
    image = np.zeros((64, 64), np.uint8)
    image[:, 40:] = 255
    _, pairs = cut(open_scene(image), blur_sigma=(0.0, 0.0))
    values = np.concatenate([pair.lr.ravel() for pair in pairs])
    # Unclipped, the overshoot of -9 and 264 would wrap to 247 and 8.
    assert {0, 255} == set(values[(values < 10) | (values > 245)])


def test_no_fill_value_reaches_a_kept_pair(open_scene, image):
    image = np.maximum(image, 500)
    valid = np.ones(image.shape, bool)
    valid[60:70, 90:] = False
    image[~valid] = 0
    verdicts, pairs = cut(open_scene(image, valid))
    assert 0 < verdicts.count(Verdict.NO_DATA) < len(verdicts)
    assert len(pairs) == verdicts.count(Verdict.KEPT)
    assert min(pair.lr.min() for pair in pairs) >= 500
    filled = image.copy()
    filled[~valid] = 700
    _, others = cut(open_scene(filled, valid))
    for pair, other in zip(pairs, others, strict=True):
        np.testing.assert_array_equal(pair.lr, other.lr)


def test_flat_windows_are_left_out(open_scene, image):
    image[32:64, :64] = 400
    verdicts, pairs = cut(open_scene(image))
    assert verdicts.count(Verdict.LOW_CONTRAST) == 2
    assert not any(pair.row == 32 and pair.col < 64 for pair in pairs)


def test_scene_without_windows_of_its_own(open_scene, image):
    verdicts, pairs = cut(open_scene(image, np.zeros(image.shape, bool)))
    assert set(verdicts) == {Verdict.NO_DATA}
    assert pairs == []


def test_windows_may_overlap(open_scene, image):
    verdicts, pairs = cut(open_scene(image), stride=16)
    assert len(pairs) == len(verdicts) == 9 * 7
    assert {pair.row for pair in pairs} == set(range(0, 129, 16))


def test_variants_record_their_own_degradation(open_scene, image):
    _, pairs = cut(
        open_scene(image),
        blur_sigma=(0.0, 2.4),
        noise_sigma=(0.001, 0.05),
        variants=5,
    )
    assert len(pairs) == 5 * 20
    drawn = {(pair.blur_sigma, pair.noise_sigma) for pair in pairs}
    assert len(drawn) == 5
    for pair in pairs:
        assert 0.0 <= pair.blur_sigma <= 2.4
        assert 0.001 <= pair.noise_sigma <= 0.05
        clean = degrade.degrade(image, pair.blur_sigma)
        row, col = pair.row // 4, pair.col // 4
        residual = pair.lr[..., 0] - clean[row : row + 8, col : col + 8]
        # 64 samples: the estimate is within 40 % (4.5 sigma).
        expected = np.hypot(pair.noise_sigma * 800, 1 / np.sqrt(12))
        assert abs(residual.std() / expected - 1) < 0.4


@pytest.mark.parametrize("strip_px", [1, 10**7])
@pytest.mark.parametrize(
    ("least_pairs", "variants"), [(0, 2), (40, 2), (41, 3), (139, 7)]
)
def test_a_small_scene_has_more_variants(
    open_scene, image, monkeypatch, strip_px, least_pairs, variants
):
    monkeypatch.setattr(cutting, "_STRIP_PX", strip_px)
    settings = {"blur_sigma": (0.0, 2.4), "variants": 2}
    scene = open_scene(image)
    _, plain = cut(scene, **settings)
    verdicts, pairs = cut(scene, least_pairs=least_pairs, **settings)
    assert len(pairs) == 20 * variants
    assert len({pair.blur_sigma for pair in pairs}) == variants
    assert verdicts.count(Verdict.KEPT) == 20
    # The first variants are those that it has anyway.
    first = [pair for i, pair in enumerate(pairs) if i % variants < 2]
    for one, other in zip(first, plain, strict=True):
        np.testing.assert_array_equal(one.lr, other.lr)


def test_a_scene_without_pairs_has_none_in_any_number(open_scene):
    flat = np.full((64, 64), 500, np.uint16)
    _, pairs = cut(open_scene(flat), least_pairs=100)
    assert not pairs


def test_noise_has_the_recorded_strength(open_scene):
    image = np.full((256, 256), 500.0, np.float32)
    _, pairs = cut(open_scene(image), noise_sigma=(0.01, 0.01), min_contrast=0)
    residuals = np.stack([pair.lr for pair in pairs]) - 500
    assert residuals.std() == pytest.approx(0.01 * 800, rel=0.05)
    assert abs(residuals.mean()) < 0.5
    across = np.corrcoef(residuals.reshape(64, -1))
    assert np.abs(across - np.eye(64)).max() < 0.55  # No two are the same.


def test_degradations_depend_on_seed_and_observation():
    recipe = dataclasses.replace(RECIPE, blur_sigma=(0.0, 2.4), variants=3)
    first = cutting.draw_degradations("A", recipe)
    assert cutting.draw_degradations("A", recipe) == first
    assert cutting.draw_degradations("B", recipe) != first
    other = dataclasses.replace(recipe, seed=1)
    assert cutting.draw_degradations("A", other) != first
    longer = dataclasses.replace(recipe, variants=5)
    assert cutting.draw_degradations("A", longer)[:3] == first
    (fixed,) = cutting.draw_degradations("A", RECIPE)
    assert fixed.blur_sigma == np.float32(1.6)
    assert fixed.noise == sensor_noise.SensorNoise()


def test_many_draws_are_sharp_and_clean():
    recipe = dataclasses.replace(
        RECIPE,
        blur_sigma=(0.0, 2.4),
        noise_sigma=(0.0, 0.06),
        pattern_sigma=(0.0, 0.01),
        defect_rate=(0.0, 0.001),
        variants=2000,
    )
    draws = cutting.draw_degradations("A", recipe)
    blurs = np.array([each.blur_sigma for each in draws])
    noises = np.array([dataclasses.astuple(each.noise) for each in draws])
    assert (blurs == 0).mean() == 1 / 8
    assert blurs[blurs > 0].mean() == pytest.approx(1.2, abs=0.07)
    for column, most in zip(noises.T, (0.06, 0.01, 0.01, 0.001), strict=True):
        assert (column == 0).mean() == 1 / 4
        assert column[column > 0].mean() == pytest.approx(most / 3, rel=0.1)
        assert column.max() <= np.float32(most)
