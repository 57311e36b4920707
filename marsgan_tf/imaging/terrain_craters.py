"""Impact craters: how many of which size, and what each does to the ground.

A fresh simple crater is a bowl a fifth as deep as it is wide, inside a raised
rim whose ejecta thin out with the cube of the distance. Wind and creep fill
and round it with time.

References: Pike 1977, Impact and Explosion Cratering, 489-509 (depth, rim);
McGetchin et al. 1973, Earth Planet. Sci. Lett. 20, 226-236 (ejecta).
"""

import dataclasses

import numpy as np

_DEPTH = 0.2
_RIM_HEIGHT = 0.036
# Craters are drawn to this many radii from their centres.
_REACH = 2.5
# Smaller ones, in grid points, are dug many at a time.
_SMALL_RADIUS = 6.0
_BATCH_POINTS = 2_000_000


@dataclasses.dataclass(frozen=True)
class Craters:
    """A population, oldest first.

    Attributes:
        rows: `(n,)` centres, in grid points.
        columns: `(n,)` centres, in grid points.
        diameters_m: `(n,)` from rim to rim.
        freshness: `(n,)` from 0, all but gone, to 1, new.
    """

    rows: np.ndarray
    columns: np.ndarray
    diameters_m: np.ndarray
    freshness: np.ndarray

    def select(self, chosen: np.ndarray | slice) -> "Craters":
        """Those that a slice, or `(n,)` booleans, points out."""
        fields = dataclasses.fields(self)
        return Craters(*(getattr(self, f.name)[chosen] for f in fields))


def populate(
    shape: tuple[int, int],
    *,
    spacing_m: float,
    coverage: float,
    diameters_m: tuple[float, float],
    exponent: float,
    rng: np.random.Generator,
) -> Craters:
    """Draws craters whose number above D falls as `D ** -exponent`.

    Args:
        shape: `(height, width)` of the grid; centres lie up to a tenth of
            it outside.
        spacing_m: Between grid points.
        coverage: Sum of the craters' areas against that of the ground.
        diameters_m: Smallest and largest.
        exponent: Of the cumulative distribution: 2 where old craters make
            room for new ones, 3 where they are young and few.
        rng: Source of chance.

    Returns:
        No craters where the smallest is not below the largest.
    """
    small, large = diameters_m
    if large <= small:
        return Craters(*np.zeros((4, 0)))
    ground_m2 = 1.2**2 * shape[0] * shape[1] * spacing_m**2
    crater_m2 = np.pi / 4.0 * _mean_square(small, large, exponent)
    count = rng.poisson(coverage * ground_m2 / crater_m2)
    share = 1.0 - (small / large) ** exponent
    return Craters(
        rows=rng.uniform(-0.1, 1.1, count) * shape[0],
        columns=rng.uniform(-0.1, 1.1, count) * shape[1],
        diameters_m=small
        * (1.0 - share * rng.random(count)) ** (-1.0 / exponent),
        freshness=np.sort(rng.random(count)) ** 1.5,
    )


def profile(distance: np.ndarray, freshness: float | np.ndarray) -> np.ndarray:
    """Height over the old ground along a radius, against the diameter.

    Args:
        distance: From the centre, against the crater's radius.
        freshness: From 0 to 1, one or an array that broadcasts.
    """
    age = 1.0 - freshness
    depth = _DEPTH * (1.0 - 0.88 * age)
    rim = _RIM_HEIGHT * (1.0 - 0.9 * age)
    # A parabola, level where it has been filled.
    floor = rim - depth * (1.0 - 0.38 * age)
    rise = rim - depth * (1.0 - distance**2) - floor
    corner = (0.02 + 0.02 * age) * depth / _DEPTH
    bowl = floor + 0.5 * (rise + np.sqrt(rise**2 + corner**2))
    ejecta = rim / np.maximum(distance, 0.1) ** 3
    # A new rim is an edge, an old one a swell.
    steepness = 4.0 / (0.02 + 0.16 * age)
    outside = 0.5 + 0.5 * np.tanh((distance - 1.0) * steepness / 2.0)
    return bowl + (ejecta - bowl) * outside


def excavate(
    heights: np.ndarray,
    albedo: np.ndarray,
    craters: Craters,
    *,
    spacing_m: float,
    rng: np.random.Generator,
) -> None:
    """Digs craters into the ground: large ones in turn, then all small ones.

    Args:
        heights: `(height, width)` metres, C-contiguous; changed.
        albedo: `(height, width)`; the ejecta of a new crater brighten or
            darken it; changed.
        craters: What to dig.
        spacing_m: Between grid points.
        rng: Source of the rims' irregularity.
    """
    is_small = craters.diameters_m < 2.0 * _SMALL_RADIUS * spacing_m
    large = craters.select(~is_small)
    for row, column, diameter_m, freshness in zip(
        large.rows.tolist(),
        large.columns.tolist(),
        large.diameters_m.tolist(),
        large.freshness.tolist(),
        strict=True,
    ):
        _dig(
            heights,
            albedo,
            centre=(row, column),
            radius=diameter_m / spacing_m / 2.0,
            diameter_m=diameter_m,
            freshness=freshness,
            chance=rng.standard_normal(9).astype(np.float32),
        )
    _dig_small(heights, craters.select(is_small), spacing_m)


def _dig(
    heights: np.ndarray,
    albedo: np.ndarray,
    *,
    centre: tuple[float, float],
    radius: float,
    diameter_m: float,
    freshness: float,
    chance: np.ndarray,
) -> None:
    """One crater; `radius` in grid points, `chance` nine normal deviates."""
    reach = radius * _REACH + 1.0
    box = tuple(
        slice(max(int(point - reach), 0), max(int(point + reach) + 2, 0))
        for point in centre
    )
    ground = heights[box]
    if ground.size == 0:
        return
    y, x = (
        (np.arange(side, dtype=np.float32) + (part.start - point)) / radius
        for side, part, point in zip(ground.shape, box, centre, strict=True)
    )
    distance = _rim_distance(y[:, np.newaxis], x, chance)
    level = ground.mean()
    # Older relief is gone inside, and buried under thick ejecta.
    buried = 0.75 * freshness * np.clip(1.35 - 0.6 * distance, 0.0, 1.0)
    rise = profile(distance, freshness) * diameter_m * _taper(distance)
    ground += (level - ground) * buried + rise
    if freshness > 0.9:
        halo = np.clip(1.0 - distance / _REACH, 0.0, 1.0) ** 2
        albedo[box] *= 1.0 + (freshness - 0.9) * 2.0 * chance[8] * halo


def _rim_distance(
    y: np.ndarray, x: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """Distance against the radius of a rim that is not quite round."""
    distance = np.hypot(x, y)
    # Powers of the direction's complex number are its sines and cosines.
    turn = (x + np.complex64(1j) * y) / np.maximum(distance, 1e-3)
    second = turn * turn
    third = second * turn
    fifth = third * second
    weights = (chance[0:4] + 1j * chance[4:8]) / (2, 3, 5, 7)
    wobble = sum(
        weight * power
        for weight, power in zip(
            weights.astype(np.complex64),
            (second, third, fifth, fifth * second),
            strict=True,
        )
    )
    return distance * (1.0 + np.float32(0.045) * wobble.real)


def _taper(distance: np.ndarray) -> np.ndarray:
    return np.clip((_REACH - distance) / (_REACH - 1.6), 0.0, 1.0)


def _dig_small(heights: np.ndarray, craters: Craters, spacing_m: float) -> None:
    """Adds those whose centres lie on the grid, batch by batch."""
    height, width = heights.shape
    craters = craters.select(
        (craters.rows >= 0)
        & (craters.rows < height)
        & (craters.columns >= 0)
        & (craters.columns < width)
    )
    half = int(np.ceil(_SMALL_RADIUS * _REACH))
    offsets = np.arange(-half, half + 1)
    batch = max(1, _BATCH_POINTS // len(offsets) ** 2)
    for start in range(0, len(craters.rows), batch):
        part = craters.select(slice(start, start + batch))
        _add_round(heights, part, offsets, spacing_m)


def _add_round(
    heights: np.ndarray, craters: Craters, offsets: np.ndarray, spacing_m: float
) -> None:
    """Adds round craters, all in a window of `offsets` about their centres.

    They wrap around at the borders, as the fields under them do.
    """
    height, width = heights.shape
    # Axes: crater, row, column.
    rows = np.floor(craters.rows).astype(int)[:, np.newaxis] + offsets
    columns = np.floor(craters.columns).astype(int)[:, np.newaxis] + offsets
    y = (rows - craters.rows[:, np.newaxis]).astype(np.float32)
    x = (columns - craters.columns[:, np.newaxis]).astype(np.float32)
    diameters = craters.diameters_m.astype(np.float32)
    diameters = diameters[:, np.newaxis, np.newaxis]
    freshness = craters.freshness.astype(np.float32)
    distance = np.hypot(y[:, :, np.newaxis], x[:, np.newaxis, :])
    distance *= np.float32(2.0 * spacing_m) / diameters
    rise = profile(distance, freshness[:, np.newaxis, np.newaxis])
    rise *= diameters * _taper(distance)
    index = (rows % height)[:, :, np.newaxis] * width
    index = index + (columns % width)[:, np.newaxis, :]
    np.add.at(heights.reshape(-1), index, rise)


def _mean_square(small: float, large: float, exponent: float) -> float:
    """Mean of `D ** 2` of the truncated power law."""
    share = 1.0 - (small / large) ** exponent
    if abs(exponent - 2.0) < 1e-9:
        return 2.0 * small**2 * float(np.log(large / small)) / share
    power = 2.0 - exponent
    integral = (large**power - small**power) / power
    return exponent * small**exponent * integral / share
