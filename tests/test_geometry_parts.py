"""What tiles, fills and stretches, for whatever is drawn."""

import numpy as np
from hypothesis import strategies as st
from properties import holds

from marsgan_tf.imaging import fill, stretch
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.imaging.tiling import Grid, read_with_halo

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.one_of(st.integers(1, 3), st.integers(1, 60))


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@holds(
    40,
    1500,
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    tile=st.integers(1, 700),
)
def test_tiles_cover_each_pixel_once(height, width, tile):
    grid = Grid(height, width, tile, 0)
    for parts, length in ((grid.rows, height), (grid.columns, width)):
        ends = [start + size for start, size in parts]
        assert [start for start, _ in parts] == [0, *ends[:-1]]
        assert ends[-1] == length
        sizes = [size for _, size in parts]
        assert 1 <= min(sizes) <= max(sizes) <= tile
        # By Python's own integers: as few tiles as can be.
        assert len(parts) == -(-length // tile)
        if tile % 64 == 0:  # Borders lie on those of a file's blocks.
            assert all(start % 64 == 0 for start, _ in parts)
    assert len(grid) == len(grid.rows) * len(grid.columns)


@holds(
    30,
    1000,
    height=SIDES,
    width=SIDES,
    tile=st.integers(1, 70),
    halo=st.integers(0, 90),
    seed=SEEDS,
)
def test_a_halo_is_the_image_and_its_mirror(height, width, tile, halo, seed):
    image = noise(seed, height, width, 1)
    padded = np.pad(image, ((halo, halo), (halo, halo), (0, 0)), "symmetric")
    grid = Grid(height, width, tile, halo)
    cores = list(grid)
    core = cores[seed % len(cores)]
    found = read_with_halo(lambda window: image[window.slices], core, grid)
    rows = slice(core.row, core.row + core.height + 2 * halo)
    columns = slice(core.col, core.col + core.width + 2 * halo)
    np.testing.assert_array_equal(found, padded[rows, columns])


@holds(
    30,
    1000,
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    share=st.floats(0, 1),
    margin=st.integers(1, 20),
    seed=SEEDS,
)
def test_fills_are_the_same_from_any_window(height, width, share, margin, seed):
    """Of pixels whose nearest neighbours with data the window holds."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(height, width))
    valid = random.random((height, width)) >= share
    row, col = random.integers(height), random.integers(width)
    valid[row, col] = True
    whole = fill.fill(np.where(valid, image, np.nan), valid)
    np.testing.assert_array_equal(whole[valid], image[valid])
    rows, columns = np.nonzero(valid)
    away = np.hypot(
        np.arange(height)[:, None, None] - rows,
        np.arange(width)[None, :, None] - columns,
    )
    # Each takes the value of one that is nearest.
    nearest = away == away.min(axis=-1, keepdims=True)
    values = image[rows, columns]
    assert np.any(nearest & (whole[..., None] == values), axis=-1).all()
    part = tuple(
        slice(max(0, at - margin), at + margin + 1) for at in (row, col)
    )
    window = fill.fill(image[part], valid[part])
    inside = np.minimum.reduce(
        [
            np.minimum(at - around.start, around.stop - 1 - at)
            for at, around in zip(
                np.indices((height, width)), part, strict=True
            )
        ]
    )
    is_known = (away.min(axis=-1) <= inside)[part]
    np.testing.assert_array_equal(window[is_known], whole[part][is_known])


@holds(
    40,
    1500,
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int16"]),
    low=st.floats(-70000, 70000),
    width=st.floats(1e-3, 2e5),
    seed=SEEDS,
)
def test_stretched_integers_come_back(dtype, low, width, seed):
    limits = np.iinfo(dtype)
    random = np.random.default_rng(seed)
    dn = random.integers(limits.min, limits.max, 500, dtype, endpoint=True)
    chosen = Stretch(low, low + width)
    back = chosen.invert(chosen.apply(dn), dtype)
    np.testing.assert_array_equal(back, dn)
    nodata = int(dn[0])
    back = chosen.invert(chosen.apply(dn), dtype, nodata).astype(int)
    np.testing.assert_array_equal(np.abs(back - dn), dn == nodata)


@holds(
    40,
    1500,
    dtype=st.sampled_from(["float32", "float64"]),
    nodata=st.floats(width=32, allow_nan=False, allow_infinity=False),
    seed=SEEDS,
)
def test_no_float_comes_near_nodata(dtype, nodata, seed):
    """Nearer than GDAL tells apart; and those that would move by little."""
    random = np.random.default_rng(seed)
    step = float(np.spacing(np.float32(abs(nodata) * 0.5)))
    near = nodata + random.integers(-90, 91, 100) * step
    back = Stretch(0.0, 1.0).invert(near, dtype, nodata).astype(np.float64)
    assert np.isfinite(back).all()
    assert np.abs(back - nodata).min() > 2.0**-21 * abs(nodata)
    most = 2.0**-17 * abs(nodata) + 1e-37
    np.testing.assert_allclose(back, near, rtol=0, atol=most)


@holds(
    40,
    1500,
    seed=SEEDS,
    count=st.integers(1, 3000),
    exponent=st.integers(-30, 30),
    steps=st.integers(1, 40),
)
def test_a_fitted_range_holds_most_and_follows_gain(
    seed, count, exponent, steps
):
    samples = np.rint(steps * noise(seed, count)) * 2.0**exponent
    found = stretch.fit(samples)
    assert found.low < found.high
    outside = (samples < found.low) | (samples > found.high)
    assert outside.sum() <= max(2, 0.001 * count)
    if np.ptp(samples):
        twice = stretch.fit(4.0 * samples)
        assert (twice.low, twice.high) == (4 * found.low, 4 * found.high)
