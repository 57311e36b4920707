import fractions
import math

import affine
import numpy as np
import overflights
import pytest
import scipy.ndimage

from marsgan_tf import errors
from marsgan_tf.assessment import (
    registration,
    registration_correlation,
    registration_features,
    registration_fit,
)
from marsgan_tf.assessment.registration import Options, Scenery
from marsgan_tf.assessment.registration_correlation import Spectra
from marsgan_tf.assessment.registration_features import Masked
from marsgan_tf.assessment.registration_fit import Votes
from marsgan_tf.imaging import terrain
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.pixel_source import ArraySource

A = affine.Affine


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def holed(shape, seed, share=0.3):
    """Noise with holes, 0 where it has none."""
    valid = np.random.default_rng([seed, 1]).random(shape) > share
    return Masked(np.where(valid, 5.0 + random(*shape, seed=seed), 0.0), valid)


# --- Correlation ---


def direct_correlation(fixed, moving, row, col, least):
    """Pearson's of the pixels that both have under a shift, and how many."""
    one, other = [], []
    for r, c in zip(*np.nonzero(moving.valid), strict=True):
        at = (r + row, c + col)
        inside = min(at) >= 0 and (np.array(at) < fixed.valid.shape).all()
        if inside and fixed.valid[at]:
            one.append(fixed.values[at])
            other.append(moving.values[r, c])
    if len(one) < least:
        return 0.0, len(one)
    return np.corrcoef(one, other)[0, 1], len(one)


def test_masked_correlation_is_the_direct_one():
    fixed, moving = holed((11, 13), 1), holed((7, 6), 2)
    shape = (18, 20)
    found, overlap = registration_correlation.correlation(
        Spectra(fixed, shape), Spectra(moving, shape), 5
    )
    for row in range(-6, 11):
        for col in range(-5, 13):
            expected, count = direct_correlation(fixed, moving, row, col, 5)
            assert overlap[row, col] == count
            assert found[row, col] == pytest.approx(expected, abs=1e-9)


def test_correlation_ignores_gain_and_offset():
    fixed, moving = holed((20, 20), 3), holed((12, 12), 4)
    other = Masked(
        np.where(moving.valid, 40 * moving.values - 7, 0), moving.valid
    )
    for window in (moving, other):
        found, _ = registration_correlation.correlation(
            Spectra(fixed, (32, 32)), Spectra(window, (32, 32)), 20
        )
        if window is moving:
            expected = found
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_constant_windows_correlate_with_nothing():
    flat = Masked(np.full((16, 16), 3.0), np.ones((16, 16), bool))
    found, _ = registration_correlation.correlation(
        Spectra(holed((16, 16), 5), (32, 32)), Spectra(flat, (32, 32)), 9
    )
    np.testing.assert_allclose(found, 0.0, atol=1e-6)
    assert registration_correlation.find_near(flat, flat, 0.5) is None


def smooth(shift, side, sigma=2.0, seed=0):
    """A window of smooth noise, `shift` px `(row, column)` further on."""
    whole = scipy.ndimage.gaussian_filter(random(128, 128, seed=seed), sigma)
    rows, columns = np.mgrid[:side, :side] + (128 - side) / 2.0
    return scipy.ndimage.map_coordinates(
        whole, [rows + shift[0], columns + shift[1]]
    )


def everywhere(values):
    return Masked(values, np.ones(values.shape, bool))


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (2.4, -1.3), (-6.5, 0.5)])
def test_shift_is_found_between_pixels(shift):
    fixed, moving = smooth((0, 0), 60), smooth(shift, 40)
    near = registration_correlation.find_near(
        everywhere(fixed), everywhere(moving), 0.7
    )
    np.testing.assert_allclose(near.shift, shift, atol=0.1)
    # Counted from the first pixels, not from the middles.
    anywhere = registration_correlation.find_anywhere(
        Spectra(everywhere(fixed), (100, 100)),
        Spectra(everywhere(moving), (100, 100)),
        200,
    )
    np.testing.assert_allclose(anywhere.shift, np.array(shift) + 10.0, atol=0.1)
    assert anywhere.correlation > 0.95


def test_what_lies_beyond_the_search_is_not_found():
    near = registration_correlation.find_near(
        everywhere(smooth((0, 0), 50)), everywhere(smooth((14, 0), 40)), 0.7
    )
    assert near is None or near.correlation < 0.7


@pytest.mark.parametrize("contrast", [1.0, -3.0])
@pytest.mark.parametrize(
    "shift, within_px",
    [((0, 0), 1e-9), ((1.5, -3.0), 0.02), ((2.2, 0.3), 0.15)],
)
def test_doubled_phases_see_through_reversed_contrast(
    shift, within_px, contrast
):
    """The next round takes out what a parabola is wrong by in between."""
    pairs = [
        (smooth((0, 0), 64, 1.0, seed), smooth(shift, 64, 1.0, seed))
        for seed in range(4)
    ]
    phases = np.stack(
        [
            registration_correlation.doubled_phases(fixed, contrast * moving)
            for fixed, moving in pairs
        ]
    )
    for each in phases:
        found = registration_correlation.find_by_phases(
            each, np.ones(each.shape)
        )
        np.testing.assert_allclose(found, shift, atol=within_px)


def test_only_frequencies_that_agree_count():
    pairs = [
        (smooth((0, 0), 64, 1.5, seed), smooth((0.1, 0.1), 64, 1.5, seed))
        for seed in range(16)
    ]
    phases = np.stack(
        [
            registration_correlation.doubled_phases(
                fixed + 0.01 * random(64, 64, seed=100 + index),
                moving + 0.01 * random(64, 64, seed=200 + index),
            )
            for index, (fixed, moving) in enumerate(pairs)
        ]
    )
    weights = registration_correlation.coherent_frequencies(phases)
    assert weights[1:6, 1:6].all()
    # Nearly all that is beyond the blur is noise.
    assert weights[26:38, 26:].mean() < 0.1


def test_unrelated_windows_have_no_frequency_to_agree_on():
    phases = np.stack(
        [
            registration_correlation.doubled_phases(
                random(32, 32, seed=seed), random(32, 32, seed=500 + seed)
            )
            for seed in range(24)
        ]
    )
    # Where mean and taper are one, doubled phases always agree.
    np.testing.assert_allclose(phases[:, 0, 0], 1.0, atol=1e-5)
    weights = registration_correlation.coherent_frequencies(phases)
    assert weights[0, 0] == 0.0
    assert weights.mean() < 0.2


# --- Edges ---


def test_edges_ignore_gain_and_offset():
    image, valid = smooth((0, 0), 48), np.ones((48, 48), bool)
    expected = registration_features.edges(image, valid)
    for other in (250.0 * image + 3000.0, -0.01 * image):
        found = registration_features.edges(other, valid)
        np.testing.assert_allclose(found.values, expected.values, atol=1e-5)


def test_edges_see_nothing_of_holes():
    image = smooth((0, 0), 48)
    valid = np.ones((48, 48), bool)
    valid[10:20, 25:31] = False
    found = [
        registration_features.edges(np.where(valid, image, under), valid)
        for under in (np.nan, -32768.0, image.mean())
    ]
    expected = np.ones((48, 48), bool)
    expected[7:23, 22:34] = False
    for one in found:
        np.testing.assert_array_equal(one.valid, expected)
        np.testing.assert_array_equal(one.values, found[0].values)
        assert (one.values[~one.valid] == 0.0).all()


def test_edges_of_nothing_are_nothing():
    flat = registration_features.edges(np.ones((9, 9)), np.ones((9, 9), bool))
    np.testing.assert_allclose(flat.values, 0.0, atol=1e-9)
    none = registration_features.edges(np.ones((9, 9)), np.zeros((9, 9), bool))
    assert not none.valid.any()


# --- The fit ---

SIMILARITY = A.translation(7.0, -4.0) @ A.rotation(0.8) @ A.scale(1.004)
AFFINE = A(1.012, 0.006, -3.0, -0.003, 0.991, 5.0)


def votes_of(matrix, *, noise_px=0.1, outliers=0.4, seed=0, count=60):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 500, (count, 2))
    found = np.stack(matrix @ tuple(image.T), axis=1)
    found += rng.normal(0, noise_px, found.shape)
    is_outlier = np.arange(count) < outliers * count
    angles = rng.uniform(0, 2 * np.pi, is_outlier.sum())
    off = rng.uniform(4, 10, is_outlier.sum())
    found[is_outlier] += (off * [np.cos(angles), np.sin(angles)]).T
    return Votes(image, found, count, 10.0), ~is_outlier


def fit(votes, model="auto"):
    return registration_fit.fit(
        votes, tolerance_px=1.0, model=model, log10_tries=6.0
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "matrix, model", [(SIMILARITY, "similarity"), (AFFINE, "affine")]
)
def test_known_map_is_found_among_outliers(matrix, model, seed):
    votes, is_right = votes_of(matrix, seed=seed)
    found = fit(votes)
    assert found.model == model
    np.testing.assert_array_equal(found.inliers, is_right)
    corners = np.array([[0, 500, 0, 500], [0, 0, 500, 500]])
    off = np.array(found.matrix @ corners) - np.array(matrix @ corners)
    assert np.hypot(*off).max() < 0.15
    assert found.rms_px == pytest.approx(0.1 * math.sqrt(2), rel=0.25)
    assert found.log10_false_alarms < -20


def test_exact_votes_give_the_exact_map():
    for model, matrix in (("similarity", SIMILARITY), ("affine", AFFINE)):
        votes, _ = votes_of(matrix, noise_px=0.0, outliers=0.3)
        found = fit(votes, model)
        np.testing.assert_allclose(found.matrix, matrix, atol=1e-9)


def test_deviation_is_that_of_repeated_measurements():
    corners = np.array([[0.0, 0.0], [500.0, 500.0], [250.0, 250.0]])
    for model in ("similarity", "affine"):
        fits = [
            fit(votes_of(SIMILARITY, outliers=0, seed=seed)[0], model)
            for seed in range(20)
        ]
        ends = np.array([f.matrix @ tuple(corners.T) for f in fits])
        expected = np.sqrt(ends.var(axis=0, ddof=1).sum(axis=0))
        told = np.mean([f.covariance.deviation(corners) for f in fits], axis=0)
        np.testing.assert_allclose(told, expected, rtol=0.3)


def test_too_few_votes_give_no_map():
    for count in (0, 1, 2):
        votes = Votes(np.zeros((count, 2)), np.zeros((count, 2)), 9, 10.0)
        assert fit(votes, "similarity") is None
    in_a_line = np.array([[x, 2.0 * x] for x in range(20)], float)
    assert fit(Votes(in_a_line, in_a_line, 20, 10.0), "affine") is None
    in_a_point = np.zeros((20, 2))
    assert fit(Votes(in_a_point, in_a_point, 20, 10.0), "similarity") is None


@pytest.mark.parametrize("tried, inliers, samples", [(20, 5, 2), (49, 17, 3)])
def test_false_alarms_are_counted_as_published(tried, inliers, samples):
    chance = fractions.Fraction(1, 140)

    def choices(n, k):
        return math.factorial(n) // math.factorial(k) // math.factorial(n - k)

    expected = (
        (tried - samples)
        * choices(tried, inliers)
        * choices(inliers, samples)
        * chance ** (inliers - samples)
    )
    found = registration_fit.log10_false_alarms(
        tried=tried,
        inliers=inliers,
        samples=samples,
        chance=float(chance),
        log10_tries=2.5,
    )
    assert found == pytest.approx(2.5 + math.log10(expected), abs=1e-9)


def test_random_votes_give_no_more_maps_than_told():
    """Of n sets, fewer than n times e have a fit that is told to be e."""
    told = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        image = rng.uniform(0, 500, (16, 2))
        found = image + rng.uniform(-4.0, 4.0, (16, 2))
        votes = Votes(image, found, 16, 4.0)
        one = registration_fit.fit(
            votes, tolerance_px=1.0, model="similarity", log10_tries=0.0
        )
        told.append(one.log10_false_alarms if one else np.inf)
    for limit in (0.0, -0.5, -1.0):
        assert np.mean(np.array(told) < limit) <= 10.0**limit
    # And the number is no bound beyond reason: most have a fit near chance.
    assert np.median(told) < 3.0


# --- All of it ---


def scenery(pixels, place=None, valid=None):
    pixels = np.atleast_3d(pixels).astype(np.float32)
    if valid is None:
        valid = np.ones(pixels.shape[:2], bool)
    return Scenery(ArraySource(pixels, valid), place or Georeference())


def corner_error_px(pair, **options):
    place = Georeference(None, A.scale(pair.scale))
    found = registration.register(
        scenery(pair.reference), scenery(pair.image, place), Options(**options)
    )
    return pair.corner_error_px(found.correction @ place.transform), found


@pytest.mark.parametrize("seed", [0, 8, 14])
def test_map_is_found_under_another_sun(seed):
    """Scale 4, sun turned by 90 degrees; px of the coarser image."""
    error, found = corner_error_px(overflights.pair(seed), is_placed=True)
    assert error < 0.5
    assert found.pixel == pytest.approx(4.0)
    assert found.solution.inlier_share > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("is_placed", [True, False])
def test_corners_of_twenty_grounds(is_placed):
    errors_px = [
        corner_error_px(overflights.pair(seed, size=768), is_placed=is_placed)[
            0
        ]
        for seed in range(20)
    ]
    assert np.median(errors_px) < 0.5
    assert max(errors_px) < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("sun_turn_deg", [0.0, 45.0, 135.0, 180.0])
def test_any_sun_will_do(sun_turn_deg):
    errors_px = [
        corner_error_px(
            overflights.pair(seed, size=768, sun_turn_deg=sun_turn_deg),
            is_placed=True,
        )[0]
        for seed in range(5)
    ]
    assert max(errors_px) < 1.0


def test_place_need_not_be_known():
    error, found = corner_error_px(
        overflights.pair(3, size=320, scale=1, blur_sigma=0.8)
    )
    assert error < 0.5
    assert found.pixel == pytest.approx(1.0)


@pytest.mark.slow
def test_scale_need_not_be_known():
    pair = overflights.pair(2)
    found = registration.register(
        scenery(pair.reference),
        scenery(pair.image),
        Options(is_scale_known=False),
    )
    assert pair.corner_error_px(found.correction) < 0.5
    assert found.image_pixel == pytest.approx(4.0, rel=0.005)


@pytest.mark.parametrize("seed", [0, 1])
def test_other_ground_is_refused(seed):
    pair = overflights.pair(seed)
    other = terrain.image(128, gsd_m=4.0, seed=50 + seed)
    place = Georeference(None, A.scale(4.0))
    with pytest.raises(errors.RegistrationError, match="local shifts"):
        registration.register(
            scenery(pair.reference), scenery(other, place), Options()
        )


@pytest.mark.slow
def test_thirty_other_grounds_are_refused():
    place = Georeference(None, A.scale(4.0))
    for seed in range(30):
        one = terrain.image(512, gsd_m=1.0, seed=seed)
        other = terrain.image(128, gsd_m=4.0, seed=100 + seed)
        with pytest.raises(errors.RegistrationError):
            registration.register(
                scenery(one), scenery(other, place), Options(is_placed=True)
            )
