"""The ground of a procedural scene: its heights and how bright it is.

Rolling plains and ragged outcrops of layered rock, craters of all ages,
rippled sand in the hollows, boulders, and patches of dust, in that order. A
seed decides the place and its character.
"""

import dataclasses

import numpy as np

from marsgan_tf.imaging import (
    terrain_craters,
    terrain_fields,
    terrain_surface,
)

# Points of the ground along a pixel of the image.
OVERSAMPLING = 2
_ALBEDO_LIMITS = (0.04, 0.6)

# Each has its own stream of chance, so that a change in one leaves the others.
_FEATURES = (
    "character",
    "bedrock",
    "slopes",
    "units",
    "patches",
    "strata",
    "tilt",
    "dust",
    "mantle",
    "craters",
    "rims",
    "sand",
    "ripples",
    "boulders",
)


@dataclasses.dataclass(frozen=True)
class Ground:
    """Ground without light.

    Attributes:
        heights_m: `(rows, columns)` float32, metres, on the fine grid.
        albedo: `(rows, columns)` float32, normal albedo.
        spacing_m: Between grid points.
    """

    heights_m: np.ndarray
    albedo: np.ndarray
    spacing_m: float


@dataclasses.dataclass(frozen=True)
class _Character:
    """What kind of place it is.

    Attributes:
        roughness_m: RMS change of height over 1 m.
        outcrop_level: Deviations above which rock comes to the surface.
        layer_m: Mean thickness of a layer.
        crater_coverage: Area of craters against that of the ground.
        crater_exponent: Of their size distribution.
        sand_level: Deviations above which a hollow holds sand.
        sand_tone: Brightness of sand against that of the ground.
        ripple_m: Wavelength.
        wind_deg: Where the wind blows to, clockwise from up.
        streaking: Length of dust streaks against their width.
        albedo: Mean.
    """

    roughness_m: float
    outcrop_level: float
    layer_m: float
    crater_coverage: float
    crater_exponent: float
    sand_level: float
    sand_tone: float
    ripple_m: float
    wind_deg: float
    streaking: float
    albedo: float


def ground(size: int | tuple[int, int], *, gsd_m: float, seed: int) -> Ground:
    """Makes the ground of a scene.

    Args:
        size: Of the image in pixels, a side or `(height, width)`.
        gsd_m: Size of an image pixel on the ground.
        seed: Decides the place, together with `size` and `gsd_m`.

    Returns:
        A grid of twice as many rows and columns as the image.

    Raises:
        ValueError: If a side is below 1 pixel, or `gsd_m` is not positive.
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    if min(height, width) < 1 or not gsd_m > 0.0:
        raise ValueError(
            "`size` must be at least 1 and `gsd_m` above 0. Received: "
            f"size={size}, gsd_m={gsd_m}"
        )
    shape = (height * OVERSAMPLING, width * OVERSAMPLING)
    spacing_m = gsd_m / OVERSAMPLING
    streams = np.random.default_rng(seed).spawn(len(_FEATURES))
    chance = dict(zip(_FEATURES, streams, strict=True))
    place = _draw_character(gsd_m, chance["character"])
    heights, outcrop = _bedrock(shape, spacing_m, place, chance)
    albedo = _dust(shape, spacing_m, place, chance)
    _lay_strata(heights, albedo, outcrop, spacing_m, place, chance)
    craters = terrain_craters.populate(
        shape,
        spacing_m=spacing_m,
        coverage=place.crater_coverage,
        diameters_m=(2.5 * gsd_m, _extent(shape) * spacing_m / 6.0),
        exponent=place.crater_exponent,
        rng=chance["craters"],
    )
    terrain_craters.excavate(
        heights, albedo, craters, spacing_m=spacing_m, rng=chance["rims"]
    )
    sand = _blow_sand(heights, albedo, outcrop, spacing_m, place, chance)
    likelihood = (0.05 + 0.95 * outcrop) * (1.0 - sand)
    heights += terrain_surface.boulders(
        likelihood,
        spacing_m=spacing_m,
        share=0.02,
        diameters_m=(0.5 * gsd_m, 3.0 * gsd_m),
        rng=chance["boulders"],
    )
    albedo *= np.float32(place.albedo)
    np.clip(albedo, *_ALBEDO_LIMITS, out=albedo)
    return Ground(heights, albedo, spacing_m)


def _draw_character(gsd_m: float, rng: np.random.Generator) -> _Character:
    return _Character(
        roughness_m=rng.uniform(0.04, 0.065),
        outcrop_level=rng.uniform(0.0, 1.4),
        layer_m=rng.uniform(1.5, 3.5) * max(1.0, gsd_m),
        crater_coverage=float(np.exp(rng.uniform(-3.0, -1.0))),
        crater_exponent=rng.uniform(2.0, 2.6),
        sand_level=rng.uniform(-0.2, 2.4),
        sand_tone=rng.uniform(0.75, 1.15),
        # Ripples where pixels are small, dunes where they are large.
        ripple_m=max(6.0, rng.uniform(8.0, 24.0) * gsd_m),
        wind_deg=rng.uniform(0.0, 360.0),
        streaking=rng.uniform(1.0, 4.0),
        albedo=rng.uniform(0.16, 0.26),
    )


def _extent(shape: tuple[int, int]) -> float:
    """Side of the square of the same area, in grid points."""
    return float(np.sqrt(shape[0] * shape[1]))


def _bedrock(
    shape: tuple[int, int],
    spacing_m: float,
    place: _Character,
    chance: dict[str, np.random.Generator],
) -> tuple[np.ndarray, np.ndarray]:
    """Heights in metres, and where rock comes to the surface, in [0, 1]."""
    extent = _extent(shape)
    detail = terrain_fields.fractal(
        shape,
        spacing_m=spacing_m,
        hurst=0.8,
        outer_m=extent * spacing_m / 3.0,
        rng=chance["bedrock"],
    )
    relief = terrain_fields.blur(detail, 24.0)
    detail -= relief
    ragged = terrain_fields.smooth(
        shape, scale=extent / 3.0, rng=chance["units"]
    )
    ragged += np.float32(0.35) * terrain_fields.standardise(relief)
    ragged += np.float32(0.12) * terrain_fields.standardise(detail)
    level = place.outcrop_level
    outcrop = terrain_fields.step(ragged, level - 0.05, level + 0.05)
    patches = terrain_fields.smooth(
        shape, scale=extent / 10.0, rng=chance["patches"]
    )
    detail *= 0.75 * np.exp(np.float32(0.45) * patches) + 0.7 * outcrop
    heights = relief * (np.float32(0.6) + np.float32(0.4) * outcrop)
    heights += detail
    heights *= np.float32(place.roughness_m)
    heights += np.float32(0.006 * extent * spacing_m) * terrain_fields.smooth(
        shape, scale=extent / 5.0, rng=chance["slopes"]
    )
    return heights, outcrop


def _dust(
    shape: tuple[int, int],
    spacing_m: float,
    place: _Character,
    chance: dict[str, np.random.Generator],
) -> np.ndarray:
    """Albedo against its mean: clouds of dust, drawn out by the wind."""
    extent = _extent(shape)
    cloud = terrain_fields.fractal(
        shape,
        spacing_m=spacing_m,
        hurst=0.35,
        outer_m=extent * spacing_m / 4.0,
        rng=chance["dust"],
        stretch=place.streaking,
        direction_deg=place.wind_deg,
    )
    cloud = np.float32(0.06) * terrain_fields.standardise(cloud)
    cloud += np.float32(0.05) * terrain_fields.smooth(
        shape, scale=extent / 4.0, rng=chance["mantle"]
    )
    return np.exp(cloud, out=cloud)


def _lay_strata(
    heights: np.ndarray,
    albedo: np.ndarray,
    outcrop: np.ndarray,
    spacing_m: float,
    place: _Character,
    chance: dict[str, np.random.Generator],
) -> None:
    """Cuts ledges into outcrops and gives the layers their tones, in place."""
    strata = terrain_surface.Strata(
        thickness_m=place.layer_m, count=24, rng=chance["strata"]
    )
    extent = _extent(heights.shape)
    level = np.float32(0.004 * extent * spacing_m) * terrain_fields.smooth(
        heights.shape, scale=extent / 1.5, rng=chance["tilt"]
    )
    level += heights
    ledge, tone = strata.erode(level)
    # The plains' cover is a little lower than the rock that it lies against.
    ledge += np.float32(0.3 * place.layer_m)
    heights += outcrop * ledge
    albedo *= np.exp(outcrop * (np.float32(0.10) + np.float32(0.07) * tone))


def _blow_sand(
    heights: np.ndarray,
    albedo: np.ndarray,
    outcrop: np.ndarray,
    spacing_m: float,
    place: _Character,
    chance: dict[str, np.random.Generator],
) -> np.ndarray:
    """Lays rippled sand into hollows, in place; returns where, in [0, 1]."""
    shape = heights.shape
    smoothed = terrain_fields.blur(heights, 4.0)
    depth = terrain_fields.blur(heights, 30.0)
    depth -= smoothed
    depth = terrain_fields.standardise(depth)
    depth += np.float32(0.9) * terrain_fields.smooth(
        shape, scale=_extent(shape) / 6.0, rng=chance["sand"]
    )
    depth -= np.float32(0.2) * outcrop
    level = place.sand_level
    sand = terrain_fields.step(depth, level - 0.4, level + 0.5)
    waves = terrain_surface.ripples(
        shape,
        spacing_m=spacing_m,
        wavelength_m=place.ripple_m,
        wind_deg=place.wind_deg,
        rng=chance["ripples"],
    )
    # Sand buries most of what is finer than its own thickness.
    heights += sand * (waves - np.float32(0.8) * (heights - smoothed))
    albedo *= 1.0 + np.float32(place.sand_tone - 1.0) * sand
    return sand
