import dataclasses

import numpy as np
import pytest

from marsgan_tf.imaging import raster, raster_writer, stretch
from marsgan_tf.imaging.stretch import Stretch

DTYPES = ("uint8", "int8", "uint16", "int16")


def every_value(dtype):
    limits = np.iinfo(dtype)
    return np.arange(limits.min, limits.max + 1).astype(dtype)


def test_apply_is_the_closed_form():
    dn = np.array([[100, 200], [300, 0]], np.uint16)
    values = Stretch(100.0, 300.0).apply(dn)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [[0.0, 0.5], [1.0, -0.5]], rtol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low, high", [(3.0, 1021.0), (41.3, 42.0), (-1, 9e4)])
def test_every_integer_comes_back(dtype, low, high):
    dn = every_value(dtype)
    scene = Stretch(low, high)
    back = scene.invert(scene.apply(dn), dtype)
    assert back.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back, dn)


@pytest.mark.parametrize("dtype", DTYPES)
def test_valid_integers_never_become_nodata(dtype):
    dn = every_value(dtype)
    scene = Stretch(3.0, 1021.0)
    for nodata in {int(dn[0]), 0, 100, int(dn[-1])}:
        back = scene.invert(scene.apply(dn), dtype, nodata).astype(int)
        assert nodata not in back
        moved = np.flatnonzero(back != dn)
        assert dn[moved].tolist() == [nodata]
        assert abs(back[moved] - nodata) == 1


@pytest.mark.parametrize(
    "dn, nodata, expected",
    [
        (9.6, 10, 9),
        (10.4, 10, 11),
        (-7.0, 0, 1),
        (300.0, 255, 254),
        (254.8, 255, 254),
        (0.3, 0, 1),
        (10.2, -9999, 10),
    ],
)
def test_nodata_is_left_on_the_side_of_the_exact_value(dn, nodata, expected):
    values = np.array([(dn - 50.0) / 100.0])
    assert Stretch(50.0, 150.0).invert(values, "uint8", nodata) == [expected]


def test_halves_round_to_even_and_the_rest_is_clipped():
    values = np.array([0.5, 1.5, 2.5, -3.0, 300.0])
    back = Stretch(0.0, 1.0).invert(values, np.uint8)
    assert back.tolist() == [0, 2, 2, 0, 255]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low, high", [(0.04, 0.31), (-5e3, 2e4)])
def test_floats_come_back_within_a_step_of_the_range(dtype, low, high):
    rng = np.random.default_rng(0)
    dn = rng.uniform(low, high, (40, 30, 2)).astype(dtype)
    scene = stretch.fit(dn)
    back = scene.invert(scene.apply(dn), dtype)
    assert back.dtype == np.dtype(dtype) and back.shape == dn.shape
    np.testing.assert_allclose(back, dn, atol=2e-7 * (high - low))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nodata", [0.0, 1.0, -1.0, 0.1, -9999.0, 1e30])
def test_valid_floats_never_become_nodata(tmp_path, dtype, nodata):
    near = nodata * (1.0 + np.linspace(-3e-7, 3e-7, 20))
    values = np.append(np.append(near, nodata), 0.25)
    back = Stretch(0.0, 1.0).invert(values, dtype, nodata)
    np.testing.assert_allclose(back, values, rtol=2e-6, atol=1e-30)
    # GDAL's own comparison is less than exact.
    path = str(tmp_path / "floats.tif")
    raster_writer.write_raster(path, back[np.newaxis], nodata=nodata)
    with raster.open_raster(path) as reader:
        assert reader.read_valid().all()


@pytest.mark.parametrize("nodata", [np.finfo("f4").min, np.finfo("f4").max])
@pytest.mark.parametrize("beyond", [1.0, 1.00001, 2.0])
def test_nodata_at_the_end_of_floats_is_left_inwards(nodata, beyond):
    values = np.array([beyond * float(nodata)])  # Of an overshoot, say.
    back = Stretch(0.0, 1.0).invert(values, np.float32, nodata)
    assert np.isfinite(back).all() and abs(back) < abs(nodata)


def test_nan_as_nodata_changes_nothing():
    back = Stretch(0.0, 1.0).invert(np.array([0.5]), np.float32, np.nan)
    assert back == [0.5]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_values_must_be_finite(wrong):
    with pytest.raises(ValueError, match="finite.*1 of 2 are not"):
        Stretch(0.0, 1.0).invert(np.array([0.0, wrong]), np.uint8)


def test_fit_takes_the_quantiles_of_a_ramp():
    samples = np.random.default_rng(0).permutation(100_000)
    found = stretch.fit(samples.reshape(100, 1000))
    assert found == Stretch(50.0, 99_949.0)
    assert stretch.fit(samples, tail=0.1) == Stretch(10_000.0, 89_999.0)


@pytest.mark.parametrize("count", [100, 1000, 50_000])
@pytest.mark.parametrize("extreme", [-1e6, 1e6])
def test_one_extreme_pixel_does_not_matter(count, extreme):
    samples = np.random.default_rng(0).normal(500.0, 50.0, count)
    plain, hit = stretch.fit(samples), samples.copy()
    hit[17] = extreme
    found = stretch.fit(hit)
    width = plain.high - plain.low
    assert abs(found.low - plain.low) < 0.2 * width
    assert abs(found.high - plain.high) < 0.2 * width


@pytest.mark.parametrize(
    "dtype, value",
    [
        ("uint8", 0),
        ("uint8", 255),
        ("uint16", 65535),
        ("int16", -32768),
        ("float32", 0.0),
        ("float32", 0.123),
        ("float64", -4e12),
    ],
)
def test_constant_in_constant_out(dtype, value):
    dn = np.full((5, 7), value, dtype)
    scene = stretch.fit(dn)
    assert scene.high > scene.low
    values = scene.apply(dn)
    np.testing.assert_allclose(values, 0.5, atol=1e-6)
    np.testing.assert_array_equal(scene.invert(values, dtype), dn)


def test_constant_but_for_a_few_spans_them_all():
    samples = np.full(10_000, 20, np.uint8)
    samples[5] = 90
    assert stretch.fit(samples) == Stretch(20.0, 90.0)


@pytest.mark.parametrize(
    "samples, expected", [([7, 9], (7, 9)), ([1, 5, 9, 13], (5, 9))]
)
def test_handful_of_samples(samples, expected):
    found = stretch.fit(np.array(samples))
    assert dataclasses.astuple(found) == expected


@pytest.mark.parametrize(
    "samples, words",
    [
        (np.array([], np.uint8), "`samples` must hold at least one"),
        (np.array([1.0, np.nan]), "`samples` must be finite"),
    ],
)
def test_samples_that_will_not_do(samples, words):
    with pytest.raises(ValueError, match=words):
        stretch.fit(samples)


def test_tail_must_leave_something():
    with pytest.raises(ValueError, match="`tail` must be in.*tail=0.5"):
        stretch.fit(np.arange(9), tail=0.5)


@pytest.mark.parametrize(
    "low, high", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (-1e308, 1e308)]
)
def test_empty_and_infinite_ranges_are_refused(low, high):
    with pytest.raises(ValueError, match="Received: low=.*high="):
        Stretch(low, high)
