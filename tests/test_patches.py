import numpy as np
import pytest

from marsgan_tf.imaging import degrade
from pipelines import patches
from pipelines.patches import Verdict

SIZE = 16
REACH = degrade.reach_px(1.6)


@pytest.mark.parametrize(
    ("length", "size", "stride", "expected"),
    [
        (64, 16, 16, [0, 16, 32, 48]),
        (67, 16, 16, [0, 16, 32, 48]),
        (63, 16, 16, [0, 16, 32]),
        (16, 16, 16, [0]),
        (19, 16, 16, [0]),
        (15, 16, 16, []),
        (40, 16, 8, [0, 8, 16, 24]),
        (64, 16, 24, [0, 24, 48]),
    ],
)
def test_windows_lie_within_whole_low_resolution_pixels(
    length, size, stride, expected
):
    assert list(patches.starts(length, size, stride)) == expected


def judge(grey, valid, row=32, col=32):
    return patches.judge(
        grey, valid, row, col, size=SIZE, reach_px=REACH, min_std=3.0
    )


@pytest.fixture
def grey():
    rng = np.random.default_rng(0)
    return rng.integers(400, 600, (80, 80)).astype(np.uint16)


@pytest.mark.parametrize(
    ("row", "col", "is_clear"),
    [
        (32, 32, False),
        (47, 47, False),
        (32 - REACH, 40, False),
        (32 - REACH - 1, 40, True),
        (47 + REACH, 40, False),
        (47 + REACH + 1, 40, True),
        (40, 32 - REACH, False),
        (40, 48 + REACH, True),
    ],
)
def test_pixel_without_data_counts_as_far_as_it_is_felt(
    grey, row, col, is_clear
):
    valid = np.ones(grey.shape, bool)
    valid[row, col] = False
    expected = Verdict.KEPT if is_clear else Verdict.NO_DATA
    assert judge(grey, valid) is expected


def test_window_at_the_scene_border_needs_no_margin(grey):
    valid = np.ones(grey.shape, bool)
    assert judge(grey, valid, row=0, col=64) is Verdict.KEPT


def test_rejected_pixel_would_have_changed_the_low_resolution(grey):
    """The reach is not too small: what is cleared changes nothing."""
    patch = np.s_[8:12, 8:12]
    before = degrade.degrade(grey, 1.6)[patch]
    near, far = grey.copy(), grey.copy()
    near[40, 32 - REACH] = 0
    far[40, 32 - REACH - 1] = 0
    assert (degrade.degrade(near, 1.6)[patch] != before).any()
    np.testing.assert_array_equal(degrade.degrade(far, 1.6)[patch], before)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize(
    ("deviation", "verdict"), [(2, Verdict.LOW_CONTRAST), (4, Verdict.KEPT)]
)
def test_contrast_is_the_standard_deviation(dtype, deviation, verdict):
    checkers = np.indices((80, 80)).sum(axis=0) % 2 * 2 - 1
    grey = (100 + deviation * checkers).astype(dtype)
    assert judge(grey, np.ones(grey.shape, bool)) is verdict
