"""What wind, layering and breakage put on terrain: ripples, ledges, boulders.

Everything is float32 `(height, width)` on a grid of `spacing_m` metres.
"""

import numpy as np

from marsgan_tf.imaging import terrain_fields

# Steepness of a wind ripple: height against wavelength.
_RIPPLE_ASPECT = 1.0 / 12.0

# Share of the wavelength that is the windward side.
_WINDWARD = 0.68

# Of the tables of a stack of layers.
_SAMPLES_PER_LAYER = 64


def ripples(
    shape: tuple[int, int],
    *,
    spacing_m: float,
    wavelength_m: float,
    wind_deg: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Heights of transverse ridges with gentle windward and steep lee sides.

    Args:
        shape: `(height, width)`.
        spacing_m: Between grid points.
        wavelength_m: From crest to crest.
        wind_deg: Where the wind blows to, clockwise from up.
        rng: Source of the crests' wander.

    Returns:
        Metres above the troughs.
    """
    phase = terrain_fields.ripple_phase(
        shape,
        wavelength=wavelength_m / spacing_m,
        direction_deg=wind_deg,
        rng=rng,
    )
    turn = (phase / np.float32(2.0 * np.pi)) % np.float32(1.0)
    ridge = np.minimum(turn / _WINDWARD, (1.0 - turn) / (1.0 - _WINDWARD))
    # Sharp crests, rounded troughs.
    ridge *= ridge * np.float32(0.6) + np.float32(0.4)
    return ridge * np.float32(wavelength_m * _RIPPLE_ASPECT)


class Strata:
    """A stack of layers, hard and soft, bright and dark.

    Args:
        thickness_m: Mean thickness.
        count: Layers in the stack, which repeats beyond them.
        rng: Source of their properties.
    """

    def __init__(
        self, *, thickness_m: float, count: int, rng: np.random.Generator
    ) -> None:
        thickness = thickness_m * rng.lognormal(0.0, 0.6, count)
        self._total_m = float(thickness.sum())
        edges = np.concatenate([[0.0], np.cumsum(thickness)])
        samples = count * _SAMPLES_PER_LAYER
        depth = (np.arange(samples) + 0.5) * (self._total_m / samples)
        layer = np.searchsorted(edges, depth, side="right") - 1
        fraction = (depth - edges[layer]) / thickness[layer]
        # The upper part of a layer stands as a cliff, the lower is a slope.
        cliff = rng.uniform(0.12, 0.35, count)[layer]
        rise = rng.uniform(0.55, 0.9, count)[layer]
        bench = (1.0 - rise) / (1.0 - cliff)
        ledge = np.where(
            fraction < 1.0 - cliff,
            fraction * bench,
            1.0 - (1.0 - fraction) * rise / cliff,
        )
        offset = (ledge - fraction) * thickness[layer]
        tone = rng.normal(0.0, 1.0, count)[layer]
        tone += 0.3 * rng.normal(0.0, 1.0, samples // 8).repeat(8)
        self._offset = offset.astype(np.float32)
        self._tone = tone.astype(np.float32)

    def erode(self, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ledges and tones where the layers come to the surface.

        Args:
            level: `(height, width)` metres of stratigraphic height.

        Returns:
            Metres to add to the heights, and tones of about unit deviation.
        """
        count = np.float32(len(self._offset))
        turn = level * np.float32(1.0 / self._total_m)
        position = (turn - np.floor(turn)) * count
        index = np.minimum(position.astype(np.int32), len(self._offset) - 1)
        weight = position - index
        following = (index + 1) % len(self._offset)
        offset = self._offset[index]
        offset += weight * (self._offset[following] - offset)
        return offset, self._tone[index]


def boulders(
    likelihood: np.ndarray,
    *,
    spacing_m: float,
    share: float,
    diameters_m: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Heights of half-buried blocks, many small and few large.

    Their number above D falls as `D ** -3`.

    Args:
        likelihood: `(height, width)`, where they lie, in [0, 1].
        spacing_m: Between grid points.
        share: Of the ground that they cover where the likelihood is 1.
        diameters_m: Smallest and largest.
        rng: Source of chance.

    Returns:
        Metres above the ground.
    """
    result = np.zeros(likelihood.shape, np.float32)
    height, width = likelihood.shape
    ground = height * width * spacing_m**2
    edges = np.geomspace(*diameters_m, 9)
    areas = np.pi / 4.0 * edges[:-1] * edges[1:]
    numbers = edges[:-1] ** -3.0 - edges[1:] ** -3.0
    numbers *= share * ground / float((numbers * areas).sum())
    for low, high, number in zip(edges[:-1], edges[1:], numbers, strict=True):
        count = rng.poisson(number)
        rows = rng.integers(0, height, count)
        columns = rng.integers(0, width, count)
        kept = rng.random(count) < likelihood[rows, columns]
        size = rng.uniform(low, high, count)
        _place(result, rows[kept], columns[kept], size[kept], spacing_m, rng)
    return result


def _place(
    result: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    diameters_m: np.ndarray,
    spacing_m: float,
    rng: np.random.Generator,
) -> None:
    """Raises half ellipsoids of like size, all at once for each offset."""
    if not len(rows):
        return
    reach = int(np.ceil(diameters_m.max() / spacing_m / 2.0))
    radius = diameters_m / 2.0
    shift = rng.uniform(-0.5, 0.5, (2, len(rows)))
    aspect = rng.uniform(0.75, 1.35, len(rows))
    tall = rng.uniform(0.7, 1.2, len(rows)) * radius
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            y = (down - shift[0]) * spacing_m / (radius * aspect)
            x = (right - shift[1]) * spacing_m / (radius / aspect)
            inside = 1.0 - x**2 - y**2
            row, column = rows + down, columns + right
            hit = (inside > 0.0) & (row >= 0) & (column >= 0)
            hit &= (row < result.shape[0]) & (column < result.shape[1])
            top = tall[hit] * np.sqrt(inside[hit])
            np.maximum.at(
                result, (row[hit], column[hit]), top.astype(np.float32)
            )
