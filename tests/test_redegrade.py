"""Fresh degradations of a batch, against the builder's own."""

import numpy as np
import pytest

from marsgan_tf.imaging import degrade
from marsgan_tf.training import redegrade

SIZE = 48


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.random((300, SIZE, SIZE, 1), dtype=np.float32)


def degraded(batch, seed=(1, 2), **strengths):
    settings = {"blur_sigma": 2.0, "noise_sigma": 0.0, "pattern_sigma": 0.0}
    apply = redegrade.Redegrade(hr_size=SIZE, **{**settings, **strengths})
    found = apply(batch, np.int64(seed))
    return found["lr"].numpy(), found["degradation"].numpy()


def clean(batch, told):
    return np.stack(
        [
            degrade.degrade(image[..., 0], float(blur))
            for image, (blur, _) in zip(batch, told, strict=True)
        ]
    )


def test_blur_is_the_builders(batch):
    lr, told = degraded(batch)
    assert lr.shape == (300, SIZE // 4, SIZE // 4, 1)
    np.testing.assert_allclose(lr[..., 0], clean(batch, told), atol=2e-6)
    assert told[:, 0].min() < 0.1
    assert told[:, 0].max() > 1.9
    assert told[:, 0].mean() == pytest.approx(1.0, abs=0.14)  # 4 deviations
    assert not told[:, 1].any()


def test_noise_has_the_strength_that_is_told(batch):
    lr, told = degraded(batch, noise_sigma=0.08)
    residual = lr[..., 0] - clean(batch, told)
    is_noisy = told[:, 1] > 0
    assert is_noisy.mean() == pytest.approx(0.75, abs=0.1)
    ratio = residual[is_noisy].std((1, 2)) / told[is_noisy, 1]
    # 144 pixels: 6 % each; the clean sum is good to 2e-6.
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    # Squares of even draws: a third in the mean, and nearly all of it at most.
    strengths = told[is_noisy, 1] / 0.08
    assert strengths.mean() == pytest.approx(1 / 3, abs=0.08)
    assert 0.9 < strengths.max() <= 1.0
    assert np.abs(residual[~is_noisy]).max() < 2e-6


def test_pattern_is_common_to_rows_and_columns_and_not_told(batch):
    lr, told = degraded(batch, pattern_sigma=0.02)
    residual = (lr[..., 0] - clean(batch, told)).astype(np.float64)
    assert not told[:, 1].any()
    rows = residual.mean(2, keepdims=True)
    columns = residual.mean(1, keepdims=True)
    rest = residual - rows - columns + residual.mean((1, 2), keepdims=True)
    assert np.abs(rest).max() < 4e-6
    for lines in (rows, columns):
        assert 0.002 < lines.std() < 0.02


def test_draws_are_functions_of_the_seed(batch):
    first, again = (degraded(batch, noise_sigma=0.1)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other, _ = degraded(batch, seed=(1, 3), noise_sigma=0.1)
    assert np.abs(first - other).mean() > 1e-3
