"""What degrades, enlarges, shifts and places, for whatever is drawn."""

import affine
import drawn_scenes
import numpy as np
from hypothesis import strategies as st
from properties import holds

from marsgan_tf.assessment import registration_correlation
from marsgan_tf.assessment.registration_correlation import Spectra
from marsgan_tf.assessment.registration_features import Masked
from marsgan_tf.imaging import degrade, enlarge
from marsgan_tf.imaging.georeference import Georeference

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.one_of(st.integers(1, 3), st.integers(1, 40))
SIGMAS = st.floats(0, 3)
# Of sums in float32, against the largest value: some hundred are added.
FLOAT_ERROR = 2e-6


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def close(found, expected, error):
    np.testing.assert_allclose(found, expected, rtol=0, atol=error)


@holds(
    30,
    1000,
    height=SIDES,
    width=SIDES,
    sigma=SIGMAS,
    level=st.floats(-1e6, 1e6),
    gain=st.floats(-100, 100),
    seed=SEEDS,
)
def test_degradation_is_linear(height, width, sigma, level, gain, seed):
    one, other = noise(seed, 2, 4 * height, 4 * width)
    flat = degrade.degrade(np.full_like(one, level), sigma)
    assert flat.shape == (height, width)
    close(flat, level, FLOAT_ERROR * max(abs(level), 1e-30))
    mixed = degrade.degrade(gain * one + other, sigma)
    expected = gain * degrade.degrade(one, sigma).astype(np.float64)
    expected += degrade.degrade(other, sigma)
    largest = np.abs(gain * one).max() + np.abs(other).max()
    close(mixed, expected, FLOAT_ERROR * largest)
    mirrored = degrade.degrade(one[::-1].T, sigma)
    close(mirrored, degrade.degrade(one, sigma)[::-1].T, FLOAT_ERROR * 5)


@holds(
    30,
    1000,
    row=st.integers(-3, 3),
    col=st.integers(-3, 3),
    sigma=SIGMAS,
    seed=SEEDS,
)
def test_degradation_moves_nothing(row, col, sigma, seed):
    """What is moved by four pixels is moved by one, to the bit."""
    ground = noise(seed, 160, 120)
    moved = np.roll(ground, (4 * row, 4 * col), axis=(0, 1))
    found = degrade.degrade(moved, sigma)
    expected = np.roll(degrade.degrade(ground, sigma), (row, col), axis=(0, 1))
    margin = degrade.support_px(sigma) // 4 + 3
    inner = slice(margin, -margin)
    np.testing.assert_array_equal(found[inner, inner], expected[inner, inner])


@holds(
    30,
    1000,
    height=SIDES,
    width=SIDES,
    scale=st.integers(1, 5),
    level=st.floats(-1e6, 1e6),
    seed=SEEDS,
)
def test_enlargement_is_even(height, width, scale, level, seed):
    image = noise(seed, height, width)
    found = enlarge.enlarge(image, scale)
    assert found.shape == (scale * height, scale * width)
    close(enlarge.enlarge(image[::-1, ::-1], scale), found[::-1, ::-1], 1e-12)
    close(enlarge.enlarge(image.T, scale), found.T, 1e-12)
    close(enlarge.enlarge(image + level, scale), found + level, 1e-8)
    # What lies beyond its reach changes nothing.
    half = max(1, height // 2)
    part = enlarge.enlarge(image[: half + enlarge.REACH_PX], scale)
    end = scale * half
    np.testing.assert_array_equal(part[:end], found[:end])


@holds(
    40,
    1000,
    row=st.integers(-9, 9),
    col=st.integers(-9, 9),
    share=st.floats(0, 0.2),
    seed=SEEDS,
)
def test_a_shift_is_found_with_its_sign(row, col, share, seed):
    """What is at p in the moving window is at p + shift in the fixed one."""
    ground = noise(seed, 80, 80)
    fixed, moving = ground[10:70, 10:70], ground[20 + row :, 20 + col :]
    moving = moving[:40, :40]
    valid = np.random.default_rng([seed, 1]).random((2, 60, 60)) >= share
    fixed = Masked(np.where(valid[0], fixed, 0.0), valid[0])
    valid = valid[1, :40, :40]
    moving = Masked(np.where(valid, moving, 0.0), valid)
    near = registration_correlation.find_near(fixed, moving, 0.3)
    close(near.shift, (row, col), 0.5)
    anywhere = registration_correlation.find_anywhere(
        Spectra(fixed, (100, 100)), Spectra(moving, (100, 100)), 300
    )
    close(anywhere.shift, (10 + row, 10 + col), 0.5)


@holds(
    40,
    1000,
    transform=drawn_scenes.transforms(),
    scale=st.sampled_from([0.25, 0.5, 2.0, 4.0]),
    column=st.integers(0, 10**5),
    row=st.integers(0, 10**5),
)
def test_a_scaled_transform_is_of_the_same_ground(
    transform, scale, column, row
):
    found = Georeference(transform=transform).scaled(scale).transform
    if transform == affine.Affine.identity():
        assert found == transform
        return
    expected = np.array(transform @ (column, row))
    error = 1e-15 * np.abs(transform[:6]).max() * max(1, column, row)
    close(found @ (column * scale, row * scale), expected, error)
    back = Georeference(transform=found).scaled(1 / scale).transform
    assert back == transform
