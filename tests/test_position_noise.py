"""Statistics are held against bounds that a fair draw passes a.s. (p 1e-6)."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from marsgan_tf.deployment.position_noise import position_noise

CHANCE = 1e-6
GOLDEN = 0x9E3779B9


def draw(origin=(0, 0), height=64, width=64, features=8, *, layer=0, seed=0):
    return position_noise(
        tf.constant(origin, tf.int32),
        height,
        width,
        features,
        layer=layer,
        seed=tf.constant(seed, tf.int32),
    ).numpy()[0]


def finalise(words):
    """MurmurHash3's fmix32, in 64 bits that are cut to 32."""
    words = np.asarray(words, np.uint64) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        words = words ^ (words >> np.uint64(shift))
        words = words * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    return words


def spread(numbers):
    """Times the golden ratio's word, modulo 2**32; negatives wrap."""
    numbers = np.asarray(numbers, np.int64) % 2**32
    return numbers.astype(np.uint64) * np.uint64(GOLDEN)


def by_hand(origin, height, width, features, layer, seed):
    rows = finalise(spread(origin[0] + np.arange(height)))
    cols = spread(origin[1] + np.arange(width))
    place = finalise(rows[:, None] + cols)
    stream = finalise(finalise(spread(seed)) + spread(layer))
    pairs = finalise(stream + spread(np.arange((features + 1) // 2)))
    words = finalise(place[..., None] + pairs)
    radius = np.sqrt(-2 * np.log(((words >> np.uint64(16)) + 0.5) / 65536))
    angle = 2 * np.pi * (words % np.uint64(65536)) / 65536
    both = [radius * np.cos(angle), radius * np.sin(angle)]
    return np.concatenate(both, axis=-1)[..., :features]


def test_the_hash_of_these_tests_is_the_published_one():
    # MurmurHash3_x86_32 of nothing is its finaliser of the seed.
    assert finalise(1) == 0x514E28B7
    assert finalise(0xFFFFFFFF) == 0x81F16F39


@pytest.mark.parametrize("features", [8, 5])
@pytest.mark.parametrize(
    "origin, layer, seed", [((0, 0), 0, 0), ((-30, 1_000_000), 68, -7)]
)
def test_matches_numpy(origin, layer, seed, features):
    found = draw(origin, 40, 50, features, layer=layer, seed=seed)
    expected = by_hand(origin, 40, 50, features, layer, seed)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def bound(comparisons):
    """Standard deviations that the largest of some normals stays below."""
    return stats.norm.isf(CHANCE / comparisons / 2)


def test_draws_are_unit_gaussian():
    values = draw(height=128, width=128, features=16, layer=3).ravel()
    values = values.astype(np.float64)
    # Power, its mean and its variance under the unit Gaussian.
    for power, mean, variance in (
        (1, 0, 1),
        (2, 1, 2),
        (3, 0, 15),
        (4, 3, 96),
        (6, 15, 10_170),
    ):
        error = np.mean(values**power) - mean
        assert abs(error) < bound(5) * np.sqrt(variance / values.size), power
    assert stats.kstest(values, "norm").pvalue > CHANCE


def test_every_place_has_its_own_spread():
    """No row, column or channel is louder than the others."""
    values = draw(height=96, width=96, features=32).astype(np.float64)
    for axes in ((1, 2), (0, 2), (0, 1)):
        power = np.mean(values**2, axis=axes)
        count = values.size / power.size
        worst = np.abs(power - 1).max()
        assert worst < 1.2 * bound(power.size) * np.sqrt(2 / count)


def assert_independent(streams):
    """No correlation between any two, of the values nor of their squares."""
    streams = [np.ravel(stream).astype(np.float64) for stream in streams]
    pairs = len(streams) * (len(streams) - 1)  # Values and squares.
    for power in (1, 2):
        found = np.corrcoef([stream**power for stream in streams])
        worst = np.abs(found - np.eye(len(streams))).max()
        assert worst < bound(pairs) / np.sqrt(streams[0].size)


def test_channels_are_independent():
    values = draw(height=128, width=128, features=32)
    assert_independent(np.moveaxis(values, -1, 0))


def test_neighbours_are_independent():
    values = draw((-20, -20), 132, 132, 8)
    shifts = itertools.product(range(5), repeat=2)
    assert_independent(
        [values[row : row + 128, col : col + 128] for row, col in shifts]
    )


def test_rows_and_columns_are_not_mixed_up():
    values = draw(height=128, width=128)
    rows, cols = np.triu_indices(128, 1)
    assert_independent([values[rows, cols], values[cols, rows]])


def test_layers_and_seeds_are_independent():
    streams = itertools.product((0, 1, 2, 68), (0, 1, 2, -1, 2**31 - 1))
    assert_independent(
        [draw(layer=layer, seed=seed) for layer, seed in streams]
    )


@pytest.mark.parametrize("origin", [(0, 0), (-13, -9), (70_000, -3)])
def test_a_window_is_a_part_of_the_scene(origin):
    whole = draw(origin, 40, 30, 6, layer=5, seed=11)
    for row, col, height, width in (
        (0, 0, 7, 30),
        (11, 6, 20, 9),
        (39, 29, 1, 1),
    ):
        place = (origin[0] + row, origin[1] + col)
        window = draw(place, height, width, 6, layer=5, seed=11)
        # The same words; only the last bit of a cosine depends on where a
        # number lies in the processor's vectors.
        np.testing.assert_allclose(
            window, whole[row : row + height, col : col + width], atol=1e-6
        )


def test_sides_may_be_tensors():
    @tf.function(autograph=False)
    def traced(sides, origin, seed):
        return position_noise(origin, sides[0], sides[1], 6, layer=5, seed=seed)

    for sides in ((4, 5), (1, 9)):
        found = traced(
            tf.constant(sides), tf.constant((-2, 3)), tf.constant(11)
        )
        assert found.shape == (1, *sides, 6)
        np.testing.assert_allclose(
            found[0], draw((-2, 3), *sides, 6, layer=5, seed=11), atol=1e-6
        )
