"""A decoded scene to training pairs: degraded by strips, cut to patches."""

import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from marsgan_tf.dataset import example
from marsgan_tf.imaging import degrade, stretch
from pipelines import patches, sensor_noise
from pipelines.decoding import DecodedScene

_STRIP_PX = 4_000_000

# Of so many variants one has the range's low end: sharp and clean images are
# what users have most, and a uniform draw hardly ever hits them.
_LOW_BLUR_PERIOD = 8
_LOW_NOISE_PERIOD = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How pairs are cut from any scene.

    Attributes:
        hr_size: Side of the high-resolution patches, px.
        stride: Step between patches, px.
        min_contrast: Least standard deviation of a stretched patch.
        blur_sigma: Range of the Gaussian, high-resolution px.
        noise_sigma: Range of the white noise, in stretched units.
        pattern_sigma: Range of the offsets that rows and columns have in
            common, in stretched units.
        defect_rate: Range of the share of dead and hot pixels.
        variants: Degradations of the scene.
        least_pairs: A scene with fewer pairs has more variants, until it has
            as many.
        seed: Of the degradations and the noise.
    """

    hr_size: int
    stride: int
    min_contrast: float
    blur_sigma: tuple[float, float]
    noise_sigma: tuple[float, float]
    variants: int
    seed: int
    least_pairs: int = 0
    pattern_sigma: tuple[float, float] = (0.0, 0.0)
    defect_rate: tuple[float, float] = (0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Degradation:
    """What lies between high and low resolution.

    Attributes:
        seed: Names the noise, together with the window's place.
        blur_sigma: Of the Gaussian, high-resolution px.
        noise: What the sensor adds at low resolution.
    """

    seed: str
    blur_sigma: float
    noise: sensor_noise.SensorNoise


@dataclasses.dataclass(frozen=True)
class _Strip:
    """Windows of a scene with the margin that the degradation looks into.

    Attributes:
        top: The scene's row that is the strip's first.
        grey: `(height, width)` DN.
        valid: `(height, width)` booleans, True where there is data.
        rows: First rows of the windows, in the scene.
    """

    top: int
    grey: np.ndarray
    valid: np.ndarray
    rows: Sequence[int]


def draw_degradations(observation_id: str, recipe: Recipe) -> list[Degradation]:
    """The variants of an observation; they depend on nothing but its ID."""
    # Where in its period each strength is low: as many as a Degradation has.
    phases = _generator(f"{recipe.seed}/{observation_id}").integers(
        0, _LOW_BLUR_PERIOD, 5
    )
    degradations = []
    for variant in range(recipe.variants):
        seed = f"{recipe.seed}/{observation_id}/{variant}"
        rng = _generator(seed)
        is_sharp = (variant + phases[0]) % _LOW_BLUR_PERIOD == 0
        is_clean = (variant + phases[1:]) % _LOW_NOISE_PERIOD == 0
        noise = (
            recipe.noise_sigma,
            recipe.pattern_sigma,
            recipe.pattern_sigma,
            recipe.defect_rate,
        )
        degradations.append(
            Degradation(
                seed,
                _draw_blur(rng, recipe.blur_sigma, is_sharp),
                sensor_noise.SensorNoise(
                    *map(functools.partial(_draw_noise, rng), noise, is_clean)
                ),
            )
        )
    return degradations


def _draw_blur(
    rng: np.random.Generator, limits: tuple[float, float], is_low: bool
) -> float:
    value = rng.uniform(*limits)
    return float(np.float32(limits[0] if is_low else value))


def _draw_noise(
    rng: np.random.Generator, limits: tuple[float, float], is_low: bool
) -> float:
    """Squared, since most images are far cleaner than the worst."""
    low, high = limits
    value = low + rng.random() ** 2 * (high - low)
    return float(np.float32(low if is_low else value))


def windows(
    scene: DecodedScene, observation_id: str, recipe: Recipe
) -> Iterator[tuple[patches.Verdict, list[example.PatchPair]]]:
    """Yields a verdict on every window, and the pairs of those kept.

    A kept window has one pair for each variant. Nothing depends on how the
    scene is divided into strips.

    Args:
        scene: The decoded scene.
        observation_id: What the pairs are named and seeded by.
        recipe: How to cut.
    """
    degradations = draw_degradations(
        observation_id,
        dataclasses.replace(recipe, variants=_variants(scene, recipe)),
    )
    cut = functools.partial(
        _cut_pair, scene.stretch, observation_id, recipe.hr_size
    )
    for strip, verdicts in _judged(scene, recipe):
        twins = []
        if patches.Verdict.KEPT in verdicts.values():
            twins = [(each, _reduce(strip, each)) for each in degradations]
        for window, verdict in verdicts.items():
            kept = twins if verdict is patches.Verdict.KEPT else []
            yield verdict, [cut(strip, *window, *twin) for twin in kept]


def _variants(scene: DecodedScene, recipe: Recipe) -> int:
    """So many that the scene has `least_pairs`; reads no more than it must."""
    enough = math.ceil(recipe.least_pairs / recipe.variants)
    kept = 0
    if enough:
        for _, verdicts in _judged(scene, recipe):
            kept += list(verdicts.values()).count(patches.Verdict.KEPT)
            if kept >= enough:
                return recipe.variants
    return math.ceil(recipe.least_pairs / kept) if kept else recipe.variants


def _judged(
    scene: DecodedScene, recipe: Recipe
) -> Iterator[tuple[_Strip, dict[tuple[int, int], patches.Verdict]]]:
    """Yields the scene's strips, with a verdict on each of their windows."""
    judge = functools.partial(
        patches.judge,
        size=recipe.hr_size,
        reach_px=degrade.reach_px(_widest(recipe), scale=patches.SCALE),
        min_std=recipe.min_contrast * (scene.stretch.high - scene.stretch.low),
    )
    cols = patches.starts(scene.width, recipe.hr_size, recipe.stride)
    for strip in _strips(scene, recipe):
        yield (
            strip,
            {
                (row, col): judge(strip.grey, strip.valid, row - strip.top, col)
                for row, col in itertools.product(strip.rows, cols)
            },
        )


def _strips(scene: DecodedScene, recipe: Recipe) -> Iterator[_Strip]:
    """Reads the scene's windows in strips of bounded size."""
    margin = degrade.support_px(_widest(recipe), scale=patches.SCALE)
    usable = scene.height // patches.SCALE * patches.SCALE
    rows = patches.starts(scene.height, recipe.hr_size, recipe.stride)
    count = max(1, _STRIP_PX // (scene.width * recipe.stride))
    for first in range(0, len(rows), count):
        chosen = rows[first : first + count]
        top = max(0, chosen[0] - margin)
        end = min(usable, chosen[-1] + recipe.hr_size + margin)
        yield _Strip(top, *scene.pixels.read(top, end), chosen)


def _widest(recipe: Recipe) -> float:
    """The largest blur that may be drawn, rounded as those drawn are."""
    return float(np.float32(recipe.blur_sigma[1]))


def _reduce(strip: _Strip, degradation: Degradation) -> np.ndarray:
    return degrade.degrade(
        strip.grey, degradation.blur_sigma, scale=patches.SCALE
    )


def _cut_pair(
    scene_stretch: stretch.Stretch,
    observation_id: str,
    size: int,
    strip: _Strip,
    row: int,
    col: int,
    degradation: Degradation,
    reduced: np.ndarray,
) -> example.PatchPair:
    """The pair at `row`, `col` of the scene, from a strip and its reduction."""
    top = row - strip.top
    hr = strip.grey[top : top + size, col : col + size]
    scale = patches.SCALE
    lr = reduced[
        top // scale : (top + size) // scale,
        col // scale : (col + size) // scale,
    ]
    if degradation.noise != sensor_noise.NONE:
        rng = _generator(f"{degradation.seed}/{row}/{col}")
        noise = sensor_noise.draw(degradation.noise, lr.shape, rng)
        lr = lr + noise * (scene_stretch.high - scene_stretch.low)
    return example.PatchPair(
        hr=hr[..., np.newaxis],
        lr=_as_dtype(lr, hr.dtype)[..., np.newaxis],
        low=scene_stretch.low,
        high=scene_stretch.high,
        observation_id=observation_id,
        row=row,
        col=col,
        blur_sigma=degradation.blur_sigma,
        noise_sigma=degradation.noise.white_sigma,
    )


def _as_dtype(dn: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Rounds and clips to an integer dtype; floats are only converted."""
    if dtype.kind == "f":
        return dn.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(dn), limits.min, limits.max).astype(dtype)


def _generator(seed: str) -> np.random.Generator:
    digest = hashlib.sha256(seed.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
