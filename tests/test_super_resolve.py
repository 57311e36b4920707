"""Whole scenes, from file to file, by tiny networks and by stand-ins."""

import dataclasses
import functools
import json

import models
import numpy as np
import pytest
import rasters
from stand_ins import OPTIONS, Bicubic, restored

from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.imaging import degrade, raster, terrain
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference import engines
from marsgan_tf.inference.settings import Model, Targets
from marsgan_tf.inference.super_resolve import super_resolve

SHAPE = (200, 260)
HALO_PX = models.REACH_PX + 3  # So that no tile sees another's end.
TILES = (64, 96, 128, 200, 256)
SIGMA = 1.6


@functools.cache
def description(kind):
    return descriptions.load(descriptions.find(models.exported(kind)))


@functools.cache
def engine(kind="plain", name="openvino", precision="float32", threads=0):
    return engines.open_engine(
        name,
        descriptions.find(models.exported(kind)),
        description(kind),
        precision=precision,
        degradation=description(kind).degradation,
        threads=threads,
        samples=0,
    )


@functools.cache
def ground():
    return terrain.image(SHAPE, gsd_m=6.0, seed=3)


@pytest.fixture
def run(tmp_path):
    """Super-resolves pixels by way of files: `{name: pixels}`."""

    def super_resolved(pixels, used, *, wanted=(), nodata=None, **options):
        source = rasters.write_gdal(
            tmp_path / "in.tif",
            pixels,
            "GTiff",
            nodata=nodata,
            crs=rasters.MARS_WKT,
            transform=rasters.MARS_TRANSFORM,
        )
        paths = {
            name: str(tmp_path / f"{name}.tif") if name in wanted else ""
            for name in ("deviation", "residual")
        }
        image = str(tmp_path / "out.tif")
        super_resolve(
            source,
            Targets(image, **paths),
            Model(
                engine=used,
                description=description("plain"),
                blended=None,
                degradation=Degradation(blur_sigma=SIGMA, noise_sigma=0.0),
            ),
            dataclasses.replace(OPTIONS, **options),
            [],
        )
        found = {"image": image, **{n: p for n, p in paths.items() if p}}
        return {name: read(path) for name, path in found.items()}

    return super_resolved


def read(path):
    with raster.open_raster(path) as reader:
        return reader.read()


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


@functools.cache
def whole(name="openvino", precision="float32"):
    """What the network makes of the ground in one piece."""
    used = engine("plain", name, precision)
    return restored(ground(), engine=used, tile=512, halo=HALO_PX)["pixels"]


# Tiles, threads, engines.


@pytest.mark.parametrize("tile", TILES)
def test_the_tile_size_does_not_matter(run, tile):
    """To a float's rounding, if the halo is what the network sees."""
    found = run(ground(), engine(), tile=tile, halo=HALO_PX)["image"]
    np.testing.assert_allclose(found, whole(), atol=1e-6 * np.ptp(whole()))


@pytest.mark.parametrize("tile", (64, 256))
def test_the_tile_size_does_not_matter_at_16_bits(run, tile):
    dn = np.rint(ground() * 3000 + 1).astype(np.uint16)
    dn[60:75, 90:130] = dn[::37, ::41] = 0
    options = {"nodata": 0, "halo": 56}  # Twice as far: holes are filled.
    expected = run(dn, engine(), tile=512, **options)["image"]
    found = run(dn, engine(), tile=tile, **options)["image"]
    np.testing.assert_array_equal(found == 0, expected == 0)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1  # Where rounding falls either way.
    assert np.mean(difference > 0) < 1e-4


@pytest.mark.parametrize("tile", (64, 128))
def test_a_halo_of_16_px_is_enough_for_one_block(tile):
    """Of the deviation: measured 7e-7."""
    found = restored(ground(), engine=engine(), tile=tile, halo=16)["pixels"]
    assert np.abs(found - whole()).max() < 1e-5 * whole().std()


def test_threads_do_not_matter(run):
    one = engine(threads=1)
    assert one.concurrency == 1
    found = run(ground(), one, tile=96, halo=HALO_PX)["image"]
    np.testing.assert_allclose(found, whole(), atol=2e-6 * np.ptp(whole()))


def test_engines_agree(run):
    used = engine(name="saved_model")
    found = run(ground(), used, tile=96, halo=HALO_PX)["image"]
    np.testing.assert_allclose(found, whole(), atol=2e-6 * np.ptp(whole()))


@pytest.mark.parametrize("name", ["openvino", "saved_model"])
def test_bfloat16_agrees_with_float32(name):
    """Root mean square, of the deviation: measured 2e-4."""
    found = whole(name, "bfloat16")
    assert rms(found - whole()) < 2e-3 * whole().std()
    assert abs(found.mean() - whole().mean()) < 1e-3 * whole().std()


@pytest.mark.parametrize("name", ["openvino", "saved_model"])
def test_the_tile_size_does_not_matter_in_bfloat16(name):
    used = engine("plain", name, "bfloat16")
    found = restored(ground(), engine=used, tile=96, halo=HALO_PX)["pixels"]
    error = rms(found - whole(name, "bfloat16"))
    assert error < 1e-4 * whole().std()


def test_workers_do_not_matter(run):
    expected = run(ground(), Bicubic(concurrency=1), tile=32)["image"]
    several = Bicubic(concurrency=3)
    found = run(ground(), several, tile=32)["image"]
    np.testing.assert_array_equal(found, expected)
    assert len(several.seen) == 7 * 9  # Each tile once.
    assert several.threads <= {f"compute_{index}" for index in range(3)}


def seam(image, tile_px):
    """Second differences across tiles' borders over those in between.

    Only at columns of the same phase: the network's four differ.
    """
    image = image[..., 0].astype(np.float64)
    ratios = []
    for plane in (image, image.T):
        jump = np.abs(np.diff(plane, 2, axis=1)).mean(axis=0)
        at = np.arange(4, plane.shape[1] - 4, 4)
        # The two differences that straddle the border before column `at`.
        both = jump[at - 1] + jump[at - 2]
        is_border = at % (4 * tile_px) == 0
        ratios.append(both[is_border].mean() / both[~is_border].mean())
    return np.mean(ratios)


def test_no_seam_is_visible():
    """Within 1 in 1000, at a halo smaller than what the network sees."""
    image = terrain.image((512, 512), gsd_m=6.0, seed=8)
    options = {"engine": engine(), "tile": 64}
    untiled = restored(image, engine=engine(), tile=512, halo=16)["pixels"]
    # What chance makes of this ground at these very places.
    chance = seam(untiled, 64)
    assert abs(chance - 1) < 0.05
    found = seam(restored(image, halo=16, **options)["pixels"], 64)
    assert found == pytest.approx(chance, abs=1e-3)
    # And it would show.
    short = seam(restored(image, halo=4, **options)["pixels"], 64)
    assert short > chance + 0.02


# The ensemble.


def test_draws_do_not_depend_on_tiles():
    options = {
        "engine": engine("noisy", "saved_model"),
        "samples": 2,
        "seed": 5,
        "halo": HALO_PX,
    }
    image = ground()[:100, :120]
    expected = restored(image, tile=512, **options)
    found = restored(image, tile=64, **options)
    for name in ("pixels", "deviation"):
        scale = np.ptp(expected[name])
        np.testing.assert_allclose(
            found[name], expected[name], atol=1e-5 * scale
        )
    assert expected["deviation"].mean() > 1e-3 * image.std()


def test_networks_without_noise_do_not_deviate(run):
    image = ground()[:60, :70]
    used = engine("plain", "saved_model")
    found = run(image, used, samples=3, wanted=["deviation"])
    assert found["deviation"].shape == (240, 280, 1)
    assert (found["deviation"] == 0).all()
    np.testing.assert_array_equal(found["image"], run(image, used)["image"])


# Agreement with the input.


@pytest.mark.parametrize("project", [False, True])
def test_the_residual_is_told(run, tmp_path, project):
    """The raster, and its root mean square in the sidecar."""
    image = ground()[:100, :120] * 255
    found = run(image, engine(), wanted=["residual"], project=project)
    expected = image - degrade.degrade(found["image"][..., 0], SIGMA)
    scale = np.ptp(found["image"])
    np.testing.assert_allclose(
        found["residual"][..., 0], expected, atol=2e-6 * scale
    )
    sidecar = json.loads((tmp_path / "out.tif.json").read_text())
    assert sidecar["residual_rms"] == pytest.approx(rms(expected), rel=1e-3)
    # A network of random weights agrees with nothing by itself.
    assert (rms(expected) < 0.5) == project


def test_projection_makes_any_network_keep_the_mean(run):
    image = ground()
    free = run(image, engine())["image"]
    found = run(image, engine(), project=True)["image"]
    assert abs(free.mean() - image.mean()) > 0.5 * image.std()
    assert abs(found.mean() - image.mean()) < 2e-3 * image.std()


# What the network sees.


@pytest.mark.parametrize(
    "dtype, stretch, expected",
    [
        ("uint8", "none", (0, 255)),
        ("uint16", "none", (0, 65535)),
        ("int16", "none", (-32768, 32767)),
        ("float32", "none", (0, 1)),
        ("uint16", Stretch(100.0, 300.0), (100, 300)),
    ],
)
def test_the_range_may_be_given(run, tmp_path, dtype, stretch, expected):
    low, high = expected
    image = (100 + 400 * ground()[:30, :40]).astype(dtype)
    if dtype == "float32":
        image = ground()[:30, :40]
    used = Bicubic()
    run(image, used, stretch=stretch, halo=4)
    unit = (np.pad(image, 4, "symmetric").astype(float) - low) / (high - low)
    np.testing.assert_allclose(used.seen[0][0, ..., 0], unit, atol=1e-6)
    sidecar = json.loads((tmp_path / "out.tif.json").read_text())
    assert sidecar["stretch"] == [[low, high]]


def test_files_hold_what_was_restored(run):
    rng = np.random.default_rng(0)
    image = rng.integers(5, 250, (70, 90, 3)).astype(np.uint8)
    image[20:30, 40:50] = 0
    options = {"tile": 32, "halo": 8}
    expected = restored(image, nodata=0.0, **options)
    found = run(image, Bicubic(), nodata=0, **options)
    np.testing.assert_array_equal(found["image"], expected["pixels"])
