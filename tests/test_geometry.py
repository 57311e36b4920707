"""Scenes of any size, type, ground and holes, from file to file."""

import dataclasses

import affine
import drawn_scenes
import numpy as np
from drawn_results import super_resolved
from hypothesis import strategies as st
from properties import holds
from stand_ins import Bicubic

# How far the stand-in looks, and a hole's filling after it.
REACH_PX = 6
SMALL_INTEGERS = ("uint8", "int8", "uint16", "int16")


def quadrupled(array):
    return array.repeat(4, axis=0).repeat(4, axis=1)


def wrong(answer):
    """An engine's error: a bias, and detail that is not there."""
    return 0.05 + 0.1 * np.sin(90 * answer)


def assert_valid_as_told(scene, result):
    np.testing.assert_array_equal(result.valid, quadrupled(scene.valid_bands))


@holds(
    25,
    200,
    scene=drawn_scenes.scenes(),
    file_format=st.sampled_from(["GTiff", "COG"]),
    overviews=st.booleans(),
)
def test_what_a_scene_says_of_itself_is_kept(scene, file_format, overviews):
    source, found = super_resolved(
        scene,
        engine=Bicubic(error=wrong),
        file_format=file_format,
        overviews=overviews,
    )
    height, width, bands = scene.pixels.shape
    assert found.pixels.shape[:2] == (4 * height, 4 * width)
    assert found.profile["count"] == bands
    for name in ("dtype", "crs"):
        assert found.profile[name] == source.profile[name]
    nodata = scene.nodata
    if nodata is not None:  # As a pixel can have it.
        nodata = float(scene.pixels.dtype.type(nodata))
    np.testing.assert_equal(found.profile["nodata"], nodata)
    assert_same_ground(source, found)
    assert_valid_as_told(scene, found)


def assert_same_ground(source, found):
    """A quarter of the pixel, to the bit; the corner stays."""
    before, after = (s.profile["transform"] for s in (source, found))
    if before == affine.Affine.identity():  # Of none, nothing is made.
        assert after == before
        return
    for name in "abde":
        assert getattr(after, name) == getattr(before, name) / 4
    # Where a file counts from centres, GDAL adds half a pixel and takes it.
    half = np.abs(before[:6]).max()
    np.testing.assert_allclose(
        (after.c, after.f), (before.c, before.f), rtol=0, atol=1e-15 * half
    )


@holds(
    20,
    200,
    scene=drawn_scenes.scenes(),
    project=st.booleans(),
    samples=st.sampled_from([0, 2]),
)
def test_constants_stay_as_they_are(scene, project, samples):
    """To the bit; bands that follow another one, to the rounding of doubles."""
    height, width, bands = scene.pixels.shape
    # Of each band, the value that is whole in all.
    row, col = np.argwhere(scene.valid.all(axis=-1))[0]
    flat = np.broadcast_to(scene.pixels[row, col], scene.pixels.shape)
    pixels = np.where(scene.valid, flat, scene.pixels)
    scene = dataclasses.replace(scene, pixels=pixels)
    engine = Bicubic(error=wrong, noise=0.1)
    _, found = super_resolved(
        scene, engine=engine, project=project, samples=samples
    )
    assert_valid_as_told(scene, found)
    expected = np.where(found.valid, flat[0, 0], found.pixels)
    error = 0.0 if scene.has_own_planes else 2.0**-49
    largest = np.abs(flat[0, 0].astype(np.float64)).max()
    np.testing.assert_allclose(
        found.pixels, expected, rtol=0, atol=error * largest
    )


@holds(
    20,
    200,
    scene=drawn_scenes.scenes(least_halo=REACH_PX),
    tile=st.integers(16, 200),
    threads=st.integers(1, 4),
    project=st.booleans(),
)
def test_tiles_and_threads_do_not_matter(scene, tile, threads, project):
    """To the bit; but projected, sums are in float32 and less the same."""
    _, one = super_resolved(scene, engine=Bicubic(error=wrong), project=project)
    engine = Bicubic(error=wrong, concurrency=threads)
    changed = dataclasses.replace(scene, tile=tile, halo=REACH_PX)
    _, other = super_resolved(changed, engine=engine, project=project)
    np.testing.assert_array_equal(one.valid, other.valid)
    if not project:
        np.testing.assert_array_equal(one.pixels, other.pixels)
        return
    found, expected = other.pixels[one.valid], one.pixels[one.valid]
    step = 0 if expected.dtype.kind == "f" else 1
    error = np.abs(found.astype(np.float64) - expected)
    assert error.max() <= step + 2e-6 * np.ptp(expected.astype(np.float64))


@holds(
    20,
    200,
    scene=drawn_scenes.scenes(marks=("mask", "alpha", "nan")),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_lies_under_a_mask_does_not_matter(scene, seed):
    random = np.random.default_rng(seed)
    pixels = scene.pixels
    if scene.mark == "nan":
        garbage = random.choice([np.nan, np.inf, -np.inf], pixels.shape)
    elif pixels.dtype.kind == "f":
        garbage = random.choice([np.nan, -1e30, 0.0, 1e30], pixels.shape)
    else:
        limits = np.iinfo(pixels.dtype)
        garbage = random.integers(
            limits.min, limits.max, pixels.shape, pixels.dtype, endpoint=True
        )
    spoilt = np.where(scene.valid, pixels, garbage.astype(pixels.dtype))
    spoilt = dataclasses.replace(scene, pixels=spoilt)
    _, expected = super_resolved(scene, engine=Bicubic(error=wrong))
    _, found = super_resolved(spoilt, engine=Bicubic(error=wrong))
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_array_equal(found.valid, expected.valid)


@holds(
    20,
    200,
    scene=drawn_scenes.scenes(
        dtypes=SMALL_INTEGERS,
        marks=("none", "mask", "alpha"),
        colors=("bands",),
    ),
    gain=st.integers(1, 1000),
    offset=st.integers(-(10**6), 10**6),
)
def test_integers_follow_gain_and_offset(scene, gain, offset):
    """To their rounding; the exact answer is that of the same as doubles."""
    changed = scene.pixels.astype(np.int32) * gain + offset
    exact = dataclasses.replace(scene, pixels=scene.pixels.astype(np.float64))
    changed = dataclasses.replace(scene, pixels=changed)
    _, before = super_resolved(exact, engine=Bicubic(error=wrong))
    _, after = super_resolved(changed, engine=Bicubic(error=wrong))
    np.testing.assert_array_equal(after.valid, before.valid)
    expected = before.pixels[before.valid] * gain + offset
    width = np.ptp(changed.pixels.astype(np.float64))
    error = np.abs(after.pixels[after.valid] - expected)
    # The engine computes in float32, of the stretched image.
    assert error.max() <= 0.5 + 1e-5 * width


@holds(
    20,
    200,
    scene=drawn_scenes.scenes(
        dtypes=("float32", "float64"), marks=("none", "mask", "nan")
    ),
    exponent=st.integers(-20, 20),
)
def test_floats_follow_gain_to_the_bit(scene, exponent):
    """Of a power of two, which rounds nothing."""
    gain = scene.pixels.dtype.type(2.0**exponent)
    pixels = scene.pixels * np.where(scene.valid, gain, gain.dtype.type(1))
    changed = dataclasses.replace(scene, pixels=pixels)
    _, before = super_resolved(scene, engine=Bicubic(error=wrong))
    _, after = super_resolved(changed, engine=Bicubic(error=wrong))
    np.testing.assert_array_equal(after.valid, before.valid)
    np.testing.assert_array_equal(
        after.pixels[after.valid], before.pixels[before.valid] * gain
    )


@holds(
    15,
    200,
    scene=drawn_scenes.scenes(colors=("bands",)),
    order=st.permutations([1, 2, 3, 4]),
    count=st.integers(1, 4),
)
def test_chosen_bands_are_as_among_all(scene, order, count):
    bands = [band for band in order if band <= scene.pixels.shape[-1]][:count]
    _, every = super_resolved(scene, engine=Bicubic(error=wrong))
    _, found = super_resolved(scene, engine=Bicubic(error=wrong), bands=bands)
    chosen = np.array(bands) - 1
    np.testing.assert_array_equal(found.pixels, every.pixels[..., chosen])
    np.testing.assert_array_equal(found.valid, every.valid[..., chosen])
