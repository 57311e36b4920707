"""What sensors add to an image: white noise, row and column pattern, defects.

All strengths are in units of the image that they are added to.
"""

import dataclasses

import numpy as np

# Defects are this far off at least and at most, in units of the data range:
# smaller ones drown in texture, larger ones are masked by the ground segment.
_DEFECT_RANGE = (0.1, 0.6)


@dataclasses.dataclass(frozen=True)
class SensorNoise:
    """Strengths of one image's noise, in units of its stretched range.

    Attributes:
        white_sigma: Standard deviation of each pixel's own noise.
        row_sigma: Of the offsets that each row has in common.
        col_sigma: Of those of each column.
        defect_rate: Share of the pixels that are dead or hot.
    """

    white_sigma: float = 0.0
    row_sigma: float = 0.0
    col_sigma: float = 0.0
    defect_rate: float = 0.0


NONE = SensorNoise()


def draw(
    noise: SensorNoise, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draws the noise of one image.

    Args:
        noise: Its strengths.
        shape: `(height, width)`.
        rng: Source of the draws.

    Returns:
        float64 `(height, width)`, to be added, in units of the range.
    """
    height, width = shape
    drawn = np.zeros(shape)
    if noise.white_sigma:
        drawn += rng.normal(0.0, noise.white_sigma, shape)
    if noise.row_sigma:
        drawn += rng.normal(0.0, noise.row_sigma, (height, 1))
    if noise.col_sigma:
        drawn += rng.normal(0.0, noise.col_sigma, (1, width))
    if noise.defect_rate:
        signs = rng.choice((-1.0, 1.0), shape)
        offsets = signs * rng.uniform(*_DEFECT_RANGE, shape)
        drawn += np.where(rng.random(shape) < noise.defect_rate, offsets, 0.0)
    return drawn
