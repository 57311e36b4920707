import numpy as np
import pytest
from scipy import ndimage
from stand_ins import Bicubic, load, restored, restorer_of, scene_of, survey_of

from marsgan_tf import errors
from marsgan_tf.imaging import degrade, enlarge, terrain
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference.consistency import Projection

DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
NULL = float(np.float32(-3.4028226550889045e38))  # ISIS'.
SIGMA = 1.6


@pytest.fixture(scope="module")
def ground():
    """I/F of 0.02 to 0.4, float32 `(90, 150)`."""
    return terrain.image((90, 150), gsd_m=6.0, seed=3)


@pytest.fixture(scope="module")
def pair():
    """A truth of 8 bits' contrast and what a blur leaves of it, floats."""
    truth = terrain.image((384, 512), gsd_m=1.5, seed=4)
    low, high = truth.min(), truth.max()
    truth = (5 + 245 * (truth - low) / (high - low)).astype(np.float32)
    return truth, degrade.degrade(truth, SIGMA)


@pytest.fixture
def has_data():
    """Where `ground` has data: bays, islands, and single pixels without."""
    rng = np.random.default_rng(2)
    valid = ndimage.gaussian_filter(rng.normal(size=(90, 150)), 6) < 0.04
    return valid & (rng.random((90, 150)) < 0.98)


def quadrupled(array):
    return np.repeat(np.repeat(array, 4, axis=0), 4, axis=1)


def pixels_of(*arguments, **options):
    return restored(*arguments, **options)["pixels"]


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def wrong(answer):
    """An engine's error: a bias, and detail that is not there."""
    return 0.05 + 0.1 * np.sin(90 * answer)


# Radiometry.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (67, 65)])
def test_constants_stay_as_they_are(dtype, shape):
    if np.dtype(dtype).kind == "f":
        values = [0.0, 0.1, -3.3e-5, 1 / 3, 1e30, -3.4e38, 1e-40]
    else:
        limits = np.iinfo(dtype)
        values = [limits.min, limits.min + 1, 0, 123, limits.max]
    for value in values:
        pixels = np.full(shape, value, dtype)
        for options in (
            {"engine": Bicubic(error=wrong)},
            {"projection": Projection(SIGMA), "project": True},
            {"samples": 2, "engine": Bicubic(noise=0.1)},
        ):
            found = pixels_of(pixels, **options)
            assert found.dtype == dtype
            assert found.shape == (4 * shape[0], 4 * shape[1], 1)
            assert (found == pixels[0, 0]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (130, 1), (3, 2)])
def test_small_sides_are_enlarged(shape):
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    found = pixels_of(pixels, halo=20)[..., 0]
    np.testing.assert_allclose(found, enlarge.enlarge(pixels), atol=1e-6)


@pytest.mark.parametrize(
    "factor, offset", [(2.0, 0.0), (1000.0, -50.0), (1e-3, 0.0), (0.5, 3.0)]
)
def test_output_follows_gain_and_offset(ground, factor, offset):
    engine = Bicubic(error=lambda answer: 0.1 * np.sin(9 * answer))
    expected = pixels_of(ground, engine=engine)
    changed = ground * np.float32(factor) + np.float32(offset)
    found = pixels_of(changed, engine=engine)
    # A float32 of the changed image is off by half a step of its largest,
    # and what the engine sees by as much of the range.
    step = np.spacing(np.float32(np.abs(changed).max()))
    tolerance = 4 * step + 1e-6 * np.ptp(changed)
    difference = found - (expected.astype(np.float64) * factor + offset)
    assert np.abs(difference).max() < tolerance


@pytest.mark.parametrize("factor, offset", [(1, 9000), (3, -9000), (7, 0)])
def test_integers_follow_gain_and_offset(ground, factor, offset):
    dn = np.rint(ground * 9000).astype(np.int16)
    exact = pixels_of(dn.astype(np.float32), engine=Bicubic(error=wrong))
    changed = (dn.astype(np.int32) * factor + offset).astype(np.int16)
    found = pixels_of(changed, engine=Bicubic(error=wrong))
    expected = np.clip(exact.astype(np.float64) * factor + offset, None, 32767)
    assert np.abs(found - expected).max() <= 0.5 + 1e-3 * factor


def test_mean_radiometry_stays(ground):
    found = pixels_of(ground)
    # All that differs is how borders weigh.
    assert abs(found.mean() - ground.mean()) < 1e-3 * ground.std()
    eight_bits = np.rint(ground * 500).astype(np.uint8)
    found = pixels_of(eight_bits)
    assert abs(found.mean() - eight_bits.mean()) < 0.05


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_integers_are_clipped_to_their_range(dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    pixels = np.where(rng.random((40, 50)) < 0.5, limits.min, limits.max)
    found = pixels_of(pixels.astype(dtype))[..., 0]
    expected = np.clip(
        np.rint(enlarge.enlarge(pixels.astype(np.float64))),
        limits.min,
        limits.max,
    )
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found == expected) > 0.99


def test_a_given_range_is_what_the_network_sees(ground):
    engine = Bicubic()
    given = Stretch(0.1, 0.3)
    found = pixels_of(ground, engine=engine, given=given, halo=0, tile=512)
    unit = (ground.astype(np.float64) - 0.1) / 0.2
    assert unit.min() > -1 and unit.max() < 2
    np.testing.assert_allclose(engine.seen[0][0, ..., 0], unit, atol=1e-6)
    np.testing.assert_allclose(
        found[..., 0], enlarge.enlarge(ground), atol=1e-6
    )


# Outliers.


@pytest.mark.parametrize(
    "dtype, extreme",
    [("uint16", 65535), ("float32", 1e30), ("float32", -3.4e38)],
)
def test_an_extreme_pixel_stays_among_itself(ground, dtype, extreme):
    """Beyond what the engine sees of it, here 2 px, nothing changes."""
    scale = 1000 if dtype == "uint16" else 1
    image = (ground * scale).astype(dtype)
    spoilt = image.copy()
    spoilt[40, 61] = extreme
    stretch = survey_of(scene_of(image)).stretches[0]
    width = stretch.high - stretch.low
    expected, found = pixels_of(image), pixels_of(spoilt)
    changed = np.abs(found.astype(np.float64) - expected)[..., 0]
    far = np.ones(changed.shape, bool)
    far[4 * 38 : 4 * 43, 4 * 59 : 4 * 64] = False
    # Without it, the range ends one pixel elsewhere: that is rounding.
    assert changed[far].max() <= (1 if dtype == "uint16" else 1e-6)
    near = ~far
    near[4 * 40 : 4 * 41, 4 * 61 : 4 * 62] = False
    assert changed[near].max() < width
    itself = found[4 * 40 : 4 * 41, 4 * 61 : 4 * 62].astype(np.float64)
    error = np.abs(itself - np.dtype(dtype).type(extreme)).max()
    assert error <= max(2 * width, 1e-6 * abs(extreme))


def test_engines_never_see_outliers(ground):
    spoilt = ground.copy()
    spoilt[40, 61], spoilt[10, 20] = 1e30, -1e30
    engine = Bicubic()
    pixels_of(spoilt, engine=engine)
    shown = np.concatenate([lr.ravel() for lr in engine.seen])
    assert (shown.min(), shown.max()) == (-1.0, 2.0)
    assert np.mean((shown < 0) | (shown > 1)) < 2e-3


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_refused(ground, answer):
    engine = Bicubic(error=lambda _: answer)
    with pytest.raises(errors.PredictionError, match="--precision=float32"):
        restored(ground, engine=engine)


# Pixels without data.


@pytest.mark.parametrize("dtype, nodata", [("uint16", 0), ("float32", NULL)])
def test_nodata_values_stay_to_the_pixel(ground, has_data, dtype, nodata):
    image = (ground * 1000 + 1).astype(dtype)
    image[~has_data] = nodata
    found = pixels_of(image, nodata=float(nodata), tile=48)[..., 0]
    np.testing.assert_array_equal(found == nodata, quadrupled(~has_data))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_stays_to_the_pixel(ground, has_data, dtype):
    image = np.where(has_data, ground, np.nan).astype(dtype)
    found = restored(image, tile=48)
    np.testing.assert_array_equal(
        np.isnan(found["pixels"][..., 0]), quadrupled(~has_data)
    )
    np.testing.assert_array_equal(found["valid"][..., 0], has_data)


def test_masks_stay_to_the_pixel(ground, has_data):
    image = (ground * 1000).astype(np.uint16)
    found = restored(image, valid=has_data, tile=48)
    np.testing.assert_array_equal(found["valid"][..., 0], has_data)
    assert found["valid"].dtype == np.uint8
    assert (found["pixels"][..., 0][quadrupled(~has_data)] == 0).all()


@pytest.mark.parametrize("color", ["bands", "hsv", "pan"])
def test_masks_of_bands_are_their_own_or_those_of_all(ground, has_data, color):
    image = ground[..., None] * np.float32([1.0, 0.7, 0.4])
    valid = np.stack([has_data, has_data[::-1], has_data[:, ::-1]], axis=-1)
    found = restored(image, valid=valid, color=color, tile=48)
    every = valid.all(axis=-1)
    expected = valid if color == "bands" else np.dstack([every] * 3)
    np.testing.assert_array_equal(
        np.isnan(found["pixels"]), quadrupled(~expected)
    )
    np.testing.assert_array_equal(found["valid"][..., 0], every)


@pytest.mark.parametrize("nodata", [0, 7, 255])
def test_no_valid_integer_becomes_nodata(nodata):
    rng = np.random.default_rng(0)
    near = np.clip(rng.integers(nodata - 2, nodata + 3, (60, 70)), 0, 255)
    image = near.astype(np.uint8)
    engine = Bicubic(error=lambda answer: np.sin(90 * answer))
    found = pixels_of(image, nodata=float(nodata), engine=engine)[..., 0]
    np.testing.assert_array_equal(found == nodata, quadrupled(image == nodata))
    # There are pixels that would have.
    ignored = pixels_of(image, valid=image != nodata, engine=engine)[..., 0]
    assert np.any((ignored == nodata) & quadrupled(image != nodata))


@pytest.mark.parametrize("nodata", [0.25, -9999.0, 0.0])
def test_no_valid_float_becomes_nodata(nodata):
    """Nor a number that GDAL takes for equal: within 2**-21 of it."""
    rng = np.random.default_rng(0)
    image = np.full((60, 70), nodata, np.float32)
    offsets = rng.integers(-2, 3, image.shape)
    image += (offsets * 2e-7 * max(abs(nodata), 1e-30)).astype(np.float32)
    found = pixels_of(image, nodata=nodata)[..., 0]
    valid = quadrupled(image != nodata)
    np.testing.assert_array_equal(found != nodata, valid)
    gap = np.abs(found[valid].astype(np.float64) - nodata)
    assert gap.min() > 2.0**-21 * abs(nodata)


@pytest.mark.parametrize("color", ["bands", "hsv", "pan"])
@pytest.mark.parametrize("garbage", [np.nan, 1e38, -3.4e38, 0.0])
def test_what_lies_under_a_mask_does_not_matter(
    ground, has_data, color, garbage
):
    image = ground[..., None] * np.float32([1.0, 0.7, 0.4])
    spoilt = np.where(has_data[..., None], image, np.float32(garbage))
    options = {
        "color": color,
        "tile": 48,
        "projection": Projection(SIGMA),
        "project": True,
    }
    expected = restored(image, valid=has_data, **options)
    found = restored(spoilt, valid=has_data, **options)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_holes_take_their_neighbours_values_for_the_engine(ground, has_data):
    engine = Bicubic()
    restored(
        np.where(has_data, ground, np.float32(1e30)),
        valid=has_data,
        engine=engine,
    )
    stretch = survey_of(scene_of(ground, valid=has_data)).stretches[0]
    low, high = (
        stretch.apply(ground[has_data]).min(),
        stretch.apply(ground[has_data]).max(),
    )
    for lr in engine.seen:
        assert low <= lr.min() and lr.max() <= high


@pytest.mark.parametrize("color", ["hsv", "bands"])
def test_planes_without_data_never_reach_the_engine(ground, color):
    valid = np.zeros((*ground.shape, 3), bool)
    valid[5:40, 5:40] = True
    valid[70:, 100:, 0] = True  # Of one band alone.
    image = ground[..., None] * np.float32([1.0, 0.7, 0.4])
    image[~valid] = np.nan
    engine = Bicubic()
    found = restored(
        image,
        color=color,
        engine=engine,
        tile=30,
        projection=Projection(SIGMA),
        samples=2,
    )
    has_data = valid if color == "bands" else valid[..., 1:2]
    count = sum(
        has_data[row : row + 30, col : col + 30, plane].any()
        for plane in range(has_data.shape[-1])
        for row in range(0, 90, 30)
        for col in range(0, 150, 30)
    )
    assert count == {"hsv": 4, "bands": 14}[color]
    assert len(engine.seen) == 2 * count
    for name, expected in (
        ("pixels", quadrupled(np.broadcast_to(has_data, valid.shape))),
        ("deviation", quadrupled(has_data)),
        ("residual", has_data),
    ):
        np.testing.assert_array_equal(np.isfinite(found[name]), expected)


# Agreement with the input.


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_projected_output_degrades_to_the_input(pair, dtype):
    """To half a grey level of 8 bits, rms; at borders too."""
    truth, lr = pair
    lr = np.rint(lr).astype(dtype)
    projection = Projection(SIGMA)
    options = {"projection": projection, "engine": Bicubic(error=wrong)}
    halo = 8 + projection.reach_px
    found = pixels_of(lr, project=True, tile=32, halo=halo, **options)
    free = pixels_of(lr, project=False, tile=32, halo=halo, **options)
    residual, before = (
        degrade.degrade(sr[..., 0], SIGMA) - lr for sr in (found, free)
    )
    assert rms(before) > 3
    assert rms(residual) < 0.5
    borders = np.concatenate(
        [residual[31:-1:32].ravel(), residual[:, 31:-1:32].ravel()]
    )
    rim = [residual[0], residual[-1], residual[:, 0], residual[:, -1]]
    assert rms(borders) < 0.5
    assert rms(np.concatenate(rim)) < 0.6
    assert abs(residual.mean()) < 0.02


def test_projection_comes_no_further_from_the_truth(pair):
    truth, lr = pair
    projection = Projection(SIGMA)
    for engine in (Bicubic(), Bicubic(error=wrong)):
        error = {
            project: rms(
                pixels_of(
                    lr,
                    engine=engine,
                    projection=projection,
                    project=project,
                    halo=8 + projection.reach_px,
                )[..., 0]
                - truth
            )
            for project in (False, True)
        }
        assert error[True] < error[False]


def test_projection_corrects_a_bias(ground):
    biased = Bicubic(error=lambda _: 0.05)
    options = {"engine": biased, "projection": Projection(SIGMA), "halo": 40}
    stretch = survey_of(scene_of(ground)).stretches[0]
    bias = 0.05 * (stretch.high - stretch.low)
    for project, expected in ((False, bias), (True, 0.0)):
        found = pixels_of(ground, project=project, **options)
        assert found.mean() - ground.mean() == pytest.approx(
            expected, abs=0.01 * bias
        )


@pytest.mark.parametrize("project", [False, True])
def test_residual_is_the_input_less_the_degraded_output(pair, project):
    _, lr = pair
    projection = Projection(SIGMA)
    found = restored(
        lr,
        engine=Bicubic(error=wrong),
        projection=projection,
        project=project,
        tile=32,
        halo=8 + projection.reach_px,
    )
    expected = lr - degrade.degrade(found["pixels"][..., 0], SIGMA)
    assert found["residual"].dtype == np.float32
    np.testing.assert_allclose(found["residual"][..., 0], expected, atol=1e-3)
    assert (rms(expected) < 0.5) == project


def test_residual_is_none_where_there_is_no_data(ground, has_data):
    found = restored(ground, valid=has_data, projection=Projection(SIGMA))
    np.testing.assert_array_equal(
        np.isnan(found["residual"][..., 0]), ~has_data
    )


# The ensemble.


def draws(image, engine, *, count, seed, halo):
    """The engine's own, of the whole image at once, in its numbers."""
    (stretch,) = survey_of(scene_of(image)).stretches
    padded = np.pad(stretch.apply(image), halo, mode="symmetric")
    answers = [
        engine.sample(
            padded[None, ..., None], row=-halo, col=-halo, seed=seed + k
        )
        for k in range(count)
    ]
    inner = np.stack(answers)[:, 0, 4 * halo : -4 * halo, 4 * halo : -4 * halo]
    return inner * (stretch.high - stretch.low) + stretch.low


@pytest.mark.parametrize("tile", [48, 512])
def test_ensembles_are_mean_and_deviation_of_draws(ground, tile):
    engine = Bicubic(noise=0.1)
    found = restored(
        ground, engine=engine, samples=5, seed=7, tile=tile, halo=8
    )
    drawn = draws(ground, engine, count=5, seed=7, halo=8)
    mean = drawn.sum(axis=0) / 5
    variance = ((drawn - mean) ** 2).sum(axis=0) / 4
    assert found["deviation"].dtype == np.float32
    np.testing.assert_allclose(found["pixels"], mean, atol=1e-6)
    np.testing.assert_allclose(found["deviation"], np.sqrt(variance), atol=1e-6)
    assert found["deviation"].mean() > 0.01


def test_ensembles_are_reproducible_and_depend_on_the_seed(ground):
    options = {"engine": Bicubic(noise=0.1), "samples": 3}
    first, again = (restored(ground, seed=1, **options) for _ in "ab")
    other = restored(ground, seed=2, **options)
    for name in ("pixels", "deviation"):
        np.testing.assert_array_equal(first[name], again[name])
        assert np.abs(first[name] - other[name]).max() > 0.005


def test_draws_that_are_equal_do_not_deviate(ground):
    found = restored(ground, engine=Bicubic(), samples=7)
    assert (found["deviation"] == 0).all()
    np.testing.assert_array_equal(found["pixels"], pixels_of(ground))


def test_deviation_is_none_where_there_is_no_data(ground, has_data):
    engine = Bicubic(noise=0.1)
    found = restored(ground, valid=has_data, engine=engine, samples=2)
    np.testing.assert_array_equal(
        np.isnan(found["deviation"][..., 0]), quadrupled(~has_data)
    )


# Tiles.


@pytest.mark.parametrize("tile", [16, 33, 64, 100])
def test_tiles_make_the_whole(ground, has_data, tile):
    """Holes within the halo take the same values in every tile."""
    options = {
        "valid": has_data,
        "projection": Projection(SIGMA),
        "project": True,
        "halo": 8 + Projection(SIGMA).reach_px,
    }
    expected = restored(ground, tile=512, **options)
    found = restored(ground, tile=tile, **options)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-6)


def test_tiles_may_come_in_any_order(ground):
    scene = scene_of(ground)
    restorer = restorer_of(scene, tile=50)
    tiles = [load(scene, core, restorer.grid) for core in restorer.grid]
    expected = [restorer.restore(tile)["pixels"] for tile in tiles]
    for tile, pixels in reversed(list(zip(tiles, expected, strict=True))):
        np.testing.assert_array_equal(restorer.restore(tile)["pixels"], pixels)
