import numpy as np
import pytest
from stand_ins import scene_of, survey_of

from marsgan_tf import errors
from marsgan_tf.imaging import terrain
from marsgan_tf.imaging.stretch import Stretch, fit
from marsgan_tf.inference import planes, scan


@pytest.fixture(scope="module")
def gray():
    return terrain.image((96, 130), gsd_m=6.0, seed=1)


@pytest.fixture(scope="module")
def coloured(gray):
    """Three bands with noise of their own, `(96, 130, 3)`."""
    rng = np.random.default_rng(0)
    factors = np.float32([1.0, 0.7, 0.4])
    noise = rng.normal(0.0, 0.004, (*gray.shape, 3)).astype(np.float32)
    return gray[..., None] * factors + noise


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(scan, "WINDOW_PX", 32)


def test_range_is_that_of_all_valid_pixels(coloured):
    valid = np.random.default_rng(1).random(coloured.shape) < 0.8
    scene = scene_of(coloured, valid=valid)
    found = survey_of(scene, color="bands")
    assert found.stretches == tuple(
        fit(coloured[..., band][valid[..., band]]) for band in range(3)
    )
    assert found.valid_share == valid.all(axis=-1).mean()
    assert found.has_invalid


def test_value_is_measured_where_all_bands_are_valid(coloured):
    valid = np.random.default_rng(1).random(coloured.shape) < 0.8
    (found,) = survey_of(scene_of(coloured, valid=valid)).stretches
    assert found == fit(coloured.max(axis=-1)[valid.all(axis=-1)])


def test_what_lies_under_invalid_pixels_does_not_count(coloured):
    valid = np.ones(coloured.shape, bool)
    valid[10:20, 30:40] = False
    spoilt = coloured.copy()
    spoilt[10:20, 30:40] = np.float32([np.nan, 1e38, -1e38])
    for color in ("bands", "hsv", "pan"):
        expected = survey_of(scene_of(coloured, valid=valid), color=color)
        scene = scene_of(spoilt, valid=valid)
        assert survey_of(scene, color=color) == expected


def test_a_given_range_serves_all_planes(coloured):
    given = Stretch(0.1, 0.6)
    found = survey_of(scene_of(coloured), color="bands", given=given)
    assert found.stretches == (given,) * 3


@pytest.mark.parametrize("color", ["bands", "hsv", "pan"])
def test_windows_do_not_matter(coloured, monkeypatch, color):
    monkeypatch.setattr(scan, "_SAMPLES", 2_000)
    found = []
    for side in (32, 50, 1024):
        monkeypatch.setattr(scan, "WINDOW_PX", side)
        found.append(survey_of(scene_of(coloured), color=color))
    assert found[0].stretches == found[1].stretches == found[2].stretches
    assert found[0].constant == found[2].constant
    if color == "pan":
        gains = [survey.planes.gains for survey in found]
        np.testing.assert_allclose(gains[0], gains[2], rtol=1e-12)


def test_large_scenes_are_sampled_evenly(gray, monkeypatch):
    monkeypatch.setattr(scan, "_SAMPLES", gray.size // 9)
    monkeypatch.setattr(scan, "WINDOW_PX", 40)  # No multiple of the step.
    (found,) = survey_of(scene_of(gray)).stretches
    assert found == fit(gray[::3, ::3])


def test_a_sliver_of_data_between_the_samples_counts(
    monkeypatch, small_windows
):
    monkeypatch.setattr(scan, "_SAMPLES", 1)
    pixels = np.full((96, 130), 7, np.uint16)
    pixels[50, 41] = 12  # Nowhere a sample is taken.
    valid = np.zeros(pixels.shape, bool)
    valid[[3, 50], [5, 41]] = True
    found = survey_of(scene_of(pixels, valid=valid))
    assert found.stretches == (Stretch(7.0, 12.0),)
    assert found.constant == (False,)
    assert found.valid_share == 2 / pixels.size


@pytest.mark.parametrize("color", ["bands", "hsv", "pan"])
def test_no_data_at_all_is_refused(coloured, color):
    valid = np.zeros(coloured.shape, bool)
    with pytest.raises(errors.RasterError, match=r"memory\.tif: no pixel has"):
        survey_of(scene_of(coloured, valid=valid), color=color)


def test_bands_that_are_never_valid_together_are_refused(coloured):
    valid = np.ones(coloured.shape, bool)
    valid[:50, :, 0] = valid[50:, :, 1] = False
    survey_of(scene_of(coloured, valid=valid), color="bands")
    for color in ("hsv", "pan"):
        with pytest.raises(errors.RasterError, match="all the bands wanted"):
            survey_of(scene_of(coloured, valid=valid), color=color)


def test_constant_planes_are_told():
    pixels = np.full((40, 50, 2), 5, np.int16)
    pixels[3, 4, 1] = 6
    valid = np.ones(pixels.shape, bool)
    valid[0, 0] = False
    pixels[0, 0] = 99
    found = survey_of(scene_of(pixels, valid=valid))
    assert found.constant == (True, False)


@pytest.mark.parametrize(
    "bands, mode", [(1, "bands"), (3, "hsv"), (4, "bands")]
)
def test_three_bands_are_taken_for_colour(bands, mode):
    pixels = np.random.default_rng(0).random((9, 8, bands))
    assert survey_of(scene_of(pixels)).planes.mode == mode


def test_modes_that_do_not_fit_are_refused(coloured):
    scene = scene_of(coloured, bands=(1, 3))
    with pytest.raises(errors.RasterError, match="three bands, here are 2"):
        survey_of(scene, color="hsv")
    with pytest.raises(errors.RasterError, match="pan_band=3.*only 2"):
        survey_of(scene, color="pan", pan_band=3)


def test_gains_are_regressions_over_the_whole(coloured, small_windows):
    valid = np.random.default_rng(1).random(coloured.shape) < 0.8
    scene = scene_of(coloured, valid=valid)
    found = survey_of(scene, color="pan", pan_band=2).planes
    every = coloured[valid.all(axis=-1)].astype(np.float64)
    covariance = np.cov(every, rowvar=False)
    assert found == planes.Panchromatic(1, found.gains)
    np.testing.assert_allclose(
        found.gains, covariance[1] / covariance[1, 1], rtol=1e-9
    )


@pytest.mark.parametrize("extreme", [1e30, -3.4e38])
@pytest.mark.parametrize("bands", [[0], [1], [0, 1, 2]])
def test_a_dead_pixel_decides_nothing(coloured, small_windows, extreme, bands):
    spoilt = coloured.copy()
    spoilt[40, 50, bands] = extreme
    sound = np.ones(coloured.shape[:2], bool)
    sound[40, 50] = False
    expected = np.cov(coloured[sound].astype(np.float64), rowvar=False)
    found = survey_of(scene_of(spoilt), color="pan").planes
    np.testing.assert_allclose(
        found.gains, expected[0] / expected[0, 0], rtol=1e-9
    )
    assert survey_of(scene_of(spoilt)).planes == planes.Value(black=0.0)


def test_black_is_the_lowest_end_of_the_bands_where_negative(coloured):
    lowered = coloured - np.float32([0.0, 0.1, 0.2])
    expected = min(fit(lowered[..., band]).low for band in range(3))
    assert expected < -0.1
    assert survey_of(scene_of(lowered)).planes.black == expected
    assert survey_of(scene_of(coloured)).planes.black == 0.0
