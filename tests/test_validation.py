import keras
import numpy as np
import pytest
import skimage.metrics
from PIL import Image

from marsgan_tf.models.generators import marsgan
from marsgan_tf.training import previews, validation


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    hr = np.cumsum(generator.normal(0, 0.05, (3, 32, 32, 1)), axis=1)
    hr = np.float32(hr - hr.min())
    return {"hr": hr, "lr": hr[:, ::4, ::4]}


def nearest():
    """A generator that repeats each pixel."""
    lr = keras.Input((None, None, 1), name="lr")
    return keras.Model(lr, keras.layers.UpSampling2D(4)(lr))


def test_scores_match_scikit_image(batch):
    scores = validation.evaluate(nearest(), [batch])
    lr = batch["lr"]
    images = {
        "": lr.repeat(4, axis=1).repeat(4, axis=2),
        "_bicubic": np.asarray(validation.enlarge(lr)),
    }
    for suffix, estimates in images.items():
        pairs = list(zip(batch["hr"][..., 0], estimates[..., 0], strict=True))
        psnr = [
            skimage.metrics.peak_signal_noise_ratio(*pair, data_range=1.0)
            for pair in pairs
        ]
        ssim = [
            skimage.metrics.structural_similarity(
                *pair,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for pair in pairs
        ]
        assert scores[f"psnr{suffix}"] == pytest.approx(np.mean(psnr), abs=1e-3)
        assert scores[f"ssim{suffix}"] == pytest.approx(np.mean(ssim), abs=1e-4)


def test_scores_are_means_over_pairs_not_batches(batch):
    whole = validation.evaluate(nearest(), [batch])
    uneven = [
        {name: images[part] for name, images in batch.items()}
        for part in (slice(0, 1), slice(1, 3))
    ]
    parts = validation.evaluate(nearest(), uneven)
    assert parts == pytest.approx(whole, rel=1e-5)


def keys(x):
    """Keys' cubic convolution kernel, a = -0.5."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def test_enlarge_is_keys_cubic_convolution():
    row = np.random.default_rng(1).random(9)
    lr = np.tile(row, (5, 1))[None, ..., None].astype(np.float32)
    enlarged = np.asarray(validation.enlarge(lr))[0, 10, :, 0]
    for col in range(12, 24):  # Away from the borders.
        centre = (col + 0.5) / 4 - 0.5
        expected = sum(
            row[k] * keys(centre - k)
            for k in range(int(centre) - 1, int(centre) + 3)
        )
        assert enlarged[col] == pytest.approx(expected, abs=1e-5)


def test_restore_draws_no_noise(batch):
    noisy = marsgan(blocks=1, features=8, growth=4, noise_weight=1.0)
    first, second = (validation.restore(noisy, batch) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_panels_show_both_images(batch, tmp_path):
    rows = previews.panels(nearest(), batch)
    assert rows.shape == (3, 32, 4 * 32 + 3 * 4)
    assert rows.dtype == np.uint8
    for row, hr in zip(rows, batch["hr"][..., 0], strict=True):
        low, high = np.quantile(hr, [0.01, 0.99])
        expected = np.clip((hr - low) / (high - low), 0, 1) * 255
        np.testing.assert_allclose(row[:, -32:], expected, atol=0.51)
    np.testing.assert_array_equal(rows[:, :, :32], rows[:, :, 72:104])

    previews.write_png(rows, tmp_path / "rows.png")
    image = np.asarray(Image.open(tmp_path / "rows.png"))
    np.testing.assert_array_equal(image[:32], rows[0])
    assert image.shape == (3 * 32 + 2 * 4, rows.shape[2])
