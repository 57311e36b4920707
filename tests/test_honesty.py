import math

import numpy as np
import pytest
import scipy.ndimage

from marsgan_tf.assessment import calibration, honesty
from marsgan_tf.imaging import degrade, enlarge

FOUND, MISSED, INVENTED = range(3)


@pytest.fixture
def images():
    """A scene, its bicubic, and something between them with noise."""
    random = np.random.default_rng(0)
    hr = scipy.ndimage.gaussian_filter(random.random((48, 64)), 1.0)
    hr = (hr - hr.min()) / np.ptp(hr)
    lr = enlarge.enlarge(degrade.degrade(hr, 1.6))
    sr = 0.6 * hr + 0.4 * lr + random.normal(0, 0.05, hr.shape)
    return sr, lr, hr


def opensr(sr, lr, hr):
    """The three shares of one pixel, as opensr-test's code goes."""
    d_ref, d_im, d_om = abs(lr - hr), abs(sr - hr), abs(sr - lr)
    d_im, d_om = d_im / d_ref, d_om / d_ref
    h = d_im + d_om - 1
    scores = (
        d_im + d_om * (1 - math.exp(-h * 0.05)),
        d_om + d_im * (1 - math.exp(-h * 0.05)),
        math.exp(-d_im * d_om * 0.05),
    )
    softmin = [math.exp(-score / 0.25) for score in scores]
    return [share / sum(softmin) for share in softmin]


def test_equals_the_definition_pixel_by_pixel(images):
    sr, lr, hr = images
    found = honesty.judge(sr, lr, hr, threshold=0.0)
    assert found.counted.all()
    for row, col in np.ndindex(6, 64):
        place = row * 8, col
        expected = opensr(sr[place], lr[place], hr[place])
        np.testing.assert_allclose(
            found.shares[(slice(None), *place)], expected, atol=2e-6
        )


def test_shares_sum_to_one_and_classes_are_the_greatest(images):
    found = honesty.judge(*images, threshold=0.02)
    assert 0 < found.counted.sum() < found.counted.size
    shares = found.shares[:, found.counted]
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)
    assert found.means.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.means, shares.mean(axis=1), rtol=1e-5)
    assert np.isnan(found.shares[:, ~found.counted]).all()
    assert (found.classes[~found.counted] == 0).all()
    chosen = found.classes[found.counted] - 1
    greatest = np.take_along_axis(shares, chosen[np.newaxis], axis=0)[0]
    np.testing.assert_array_equal(greatest, shares.max(axis=0))


def test_input_is_missed_and_reference_found(images):
    _, lr, hr = images
    high = 1 / (1 + 2 * math.exp(-4))
    low = (1 - high) / 2
    threshold = honesty.least_distance(lr, hr)
    missed = honesty.judge(lr, lr, hr, threshold=threshold)
    np.testing.assert_allclose(missed.means, [low, high, low], atol=1e-6)
    found = honesty.judge(hr, lr, hr, threshold=threshold)
    np.testing.assert_allclose(found.means, [high, low, low], atol=1e-6)
    assert set(found.classes[found.counted]) == {FOUND + 1}


def test_what_is_near_neither_is_invented():
    lr, hr = np.full((4, 5), 0.5), np.full((4, 5), 0.6)
    for distance, is_invented in ((0.05, False), (0.3, True), (0.5, True)):
        found = honesty.judge(hr + distance, lr, hr, threshold=0.0)
        assert (found.classes == INVENTED + 1).all() == is_invented
    # Where there was nothing to find, whatever is drawn is invented.
    drawn = honesty.judge(lr + 0.2, lr, lr, threshold=0.1)
    np.testing.assert_allclose(drawn.means, [0, 0, 1], atol=1e-6)


def test_only_what_differs_counts(images):
    sr, lr, hr = images
    threshold = honesty.least_distance(lr, hr)
    distances = np.abs(lr.astype(float) - hr)
    assert np.mean(distances > threshold) == pytest.approx(0.25, abs=1e-3)
    largest = np.maximum(
        distances, np.maximum(np.abs(sr - hr), np.abs(sr - lr))
    )
    found = honesty.judge(sr, lr, hr, threshold=threshold)
    np.testing.assert_array_equal(found.counted, largest > threshold)
    same = honesty.judge(hr, hr, hr, threshold=0.0)
    assert not same.counted.any() and np.isnan(same.means).all()


def test_shares_do_not_depend_on_the_unit(images):
    shares = honesty.judge(*images, threshold=0.05).means
    scaled = [7 * image - 3 for image in images]
    found = honesty.judge(*scaled, threshold=0.35).means
    np.testing.assert_allclose(found, shares, atol=1e-6)


def test_pixels_without_data_have_no_say(images):
    sr, lr, hr = (image.copy() for image in images)
    valid = np.ones(sr.shape, bool)
    valid[10:20, 5:30] = False
    expected = honesty.judge(sr, lr, hr, threshold=0.02, valid=valid)
    threshold = honesty.least_distance(lr, hr, valid)
    hr[~valid], sr[~valid] = np.nan, 1e9
    found = honesty.judge(sr, lr, hr, threshold=0.02, valid=valid)
    np.testing.assert_array_equal(found.shares, expected.shares)
    assert not found.counted[~valid].any()
    assert honesty.least_distance(lr, hr, valid) == threshold


def test_residual_of_what_was_degraded_is_nothing(images):
    _, _, hr = images
    lr = degrade.degrade(hr, 1.6)
    left = honesty.residual(lr, hr, blur_sigma=1.6)
    assert np.abs(left).max() < 1e-6
    raised = honesty.residual(lr + 0.25, hr, blur_sigma=1.6)
    np.testing.assert_allclose(raised, 0.25, atol=1e-6)


def test_residual_leaves_out_what_sees_no_data(images):
    _, _, hr = images
    lr = degrade.degrade(hr, 1.6)
    valid = np.ones(hr.shape, bool)
    valid[24, 32] = False
    spoilt = hr.copy()
    spoilt[24, 32] = np.nan
    left = honesty.residual(lr, spoilt, blur_sigma=1.6, sr_valid=valid)
    assert np.isnan(left[6, 8])
    assert np.nanmax(np.abs(left)) < 1e-6
    reach = degrade.reach_px(1.6)
    for row, col in np.argwhere(np.isnan(left)):
        # Of a pixel, or of what shares its low-resolution pixel.
        assert abs(4 * row + 1.5 - 24) <= reach + 8
        assert abs(4 * col + 1.5 - 32) <= reach + 8
    hole = np.ones(lr.shape, bool)
    hole[0, 0] = False
    lr[0, 0] = np.nan
    left = honesty.residual(lr, hr, blur_sigma=1.6, lr_valid=hole)
    np.testing.assert_array_equal(np.isnan(left), ~hole)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"threshold": -0.1}, "`threshold`.*threshold=-0.1"),
        ({"threshold": float("nan")}, "`threshold`"),
        ({"valid": np.zeros((48, 64), bool)}, "`valid`"),
    ],
)
def test_wrong_arguments_are_named(images, change, message):
    with pytest.raises(ValueError, match=message):
        honesty.judge(*images, **{"threshold": 0.0, **change})


def test_wrong_shapes_are_named(images):
    sr, lr, hr = images
    with pytest.raises(ValueError, match="`lr`"):
        honesty.judge(sr, lr[1:], hr, threshold=0.0)
    with pytest.raises(ValueError, match="`sr`.*lr.shape"):
        honesty.residual(lr[:13, :16], sr, blur_sigma=1.6)


@pytest.fixture
def ensemble():
    """Deviations of 1 to 5 and errors drawn from them."""
    random = np.random.default_rng(1)
    deviation = random.uniform(1, 5, (400, 500))
    return deviation, deviation * random.standard_normal(deviation.shape)


def test_calibrated_ensemble(ensemble):
    found = calibration.reliability(*ensemble)
    assert found.slope == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(
        found.coverage, calibration.EXPECTED_COVERAGE, atol=0.005
    )
    np.testing.assert_allclose(found.observed, found.predicted, rtol=0.02)
    # E|z| = sqrt(2 / pi); var |z s| = E s^2 - (2 / pi) (E s)^2.
    mean, square = 3.0, 31 / 3
    expected = math.sqrt(2 / math.pi) * math.sqrt(square - mean**2)
    expected /= math.sqrt(square - 2 / math.pi * mean**2)
    assert found.correlation == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_slope_tells_how_sure_an_ensemble_is(ensemble, factor):
    deviation, error = ensemble
    found = calibration.reliability(factor * deviation, error)
    assert found.slope == pytest.approx(1 / factor, rel=0.01)
    expected = [math.erf(k * factor / math.sqrt(2)) for k in (1, 2)]
    np.testing.assert_allclose(found.coverage, expected, atol=0.005)


def test_bins_are_as_large_and_rise(ensemble):
    deviation, error = ensemble
    valid = deviation < 4.5
    found = calibration.reliability(deviation, error, valid=valid, bins=7)
    assert found.counts.sum() == np.count_nonzero(valid)
    assert np.ptp(found.counts) <= 1
    assert (np.diff(found.predicted) > 0).all()
    assert found.predicted[-1] < 4.5
    total = np.sqrt((found.counts @ found.observed**2) / found.counts.sum())
    assert total == pytest.approx(np.sqrt(np.mean(error[valid] ** 2)))


def test_unlikely_ensembles():
    error = np.array([[1.0, -2.0, 3.0]])
    never = calibration.reliability(np.zeros((1, 3)), error, bins=1)
    assert math.isnan(never.slope) and math.isnan(never.correlation)
    assert never.coverage == (0.0, 0.0)
    with pytest.raises(ValueError, match="`deviation` must be at least 0"):
        calibration.reliability(-error, error, bins=1)
    with pytest.raises(ValueError, match="`bins`.*bins=10"):
        calibration.reliability(np.abs(error), error)
