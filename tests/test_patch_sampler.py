import numpy as np
import pytest

from marsgan_tf.inference.patches import PatchSampler, places


@pytest.mark.parametrize("count", [1, 4, 16, 1000])
def test_places_are_spread_and_inside(count):
    found = np.array(places(256, 256, 40, count))
    assert found.min() == 0
    assert found.max() <= 256 - 40
    # By half a side at least, since nearer ones would tell the same again.
    for axis in range(2):
        assert np.diff(np.unique(found[:, axis])).min(initial=256) >= 20
    assert len(found) <= 2 * count


def test_there_is_no_place_in_what_is_too_small():
    assert places(39, 256, 40, 4) == []


def test_patches_are_the_planes_own_pixels():
    planes = np.random.default_rng(0).random((80, 60, 2))
    valid = np.ones(planes.shape, bool)
    valid[50, 30, 1] = False
    sampler = PatchSampler(20, 2, windows=1)
    sampler.add(planes, valid)
    first, second = sampler.taken()
    windows = np.lib.stride_tricks.sliding_window_view(planes, (20, 20), (0, 1))
    expected = windows[::10, ::10].reshape(-1, 2, 20, 20).astype(np.float32)
    np.testing.assert_array_equal(first, expected[:, 0])
    # Patches that hold the pixel without data: rows 40 (and 30, 50) do.
    is_whole = ~np.isin(
        np.arange(len(expected)),
        [
            index
            for index, (row, col) in enumerate(
                np.ndindex(windows[::10, ::10].shape[:2])
            )
            if 10 * row <= 50 < 10 * row + 20 and 10 * col <= 30 < 10 * col + 20
        ],
    )
    np.testing.assert_array_equal(second, expected[is_whole, 1])
    assert 0 < len(second) < len(first)


def test_memory_does_not_grow_with_the_scene():
    counts = []
    for windows in (1, 100, 10_000):
        sampler = PatchSampler(8, 1, windows, count=64)
        for _ in range(windows):
            window = np.zeros((32, 32, 1))
            sampler.add(window, np.ones(window.shape, bool))
        counts.append(len(sampler.taken()[0]))
    assert counts[0] >= 49  # All that half a side apart leaves room for.
    assert max(counts[1:]) <= 2 * 64
    assert min(counts[1:]) >= 60
