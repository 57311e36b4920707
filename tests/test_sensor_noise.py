"""Noise of a sensor: each part alone has the strength and shape it says."""

import numpy as np
import pytest

from pipelines import sensor_noise

SHAPE = (400, 300)


def drawn(**strengths):
    noise = sensor_noise.SensorNoise(**strengths)
    return sensor_noise.draw(noise, SHAPE, np.random.default_rng(3))


def test_nothing_is_added_without_strengths():
    assert not drawn().any()


def test_white_noise_differs_at_each_pixel():
    noise = drawn(white_sigma=0.02)
    assert noise.std() == pytest.approx(0.02, rel=0.01)
    assert noise.mean(1).std() == pytest.approx(0.02 / np.sqrt(300), rel=0.2)


@pytest.mark.parametrize(("name", "axis"), [("row_sigma", 1), ("col_sigma", 0)])
def test_pattern_is_common_to_a_line(name, axis):
    noise = drawn(**{name: 0.01})
    assert np.ptp(noise, axis=axis).max() == 0
    # 300 lines at least: the estimate of a sigma is within 4 % (1 sigma).
    assert noise.std() == pytest.approx(0.01, rel=0.16)


def test_defects_are_rare_and_stand_out():
    noise = drawn(defect_rate=0.01)
    size = np.abs(noise[noise != 0])
    assert len(size) == pytest.approx(0.01 * noise.size, rel=0.15)
    assert 0.1 <= size.min() < size.max() <= 0.6
    assert abs(np.sign(noise[noise != 0]).mean()) < 0.15


def test_parts_add_up():
    noise = drawn(white_sigma=0.03, row_sigma=0.04)
    assert noise.std() == pytest.approx(0.05, rel=0.1)
