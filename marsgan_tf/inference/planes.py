"""What of an image passes the network, and how its colour follows.

Pixels are `(height, width, bands)` float64 in the image's own numbers; planes
`(height, width, planes)` likewise. Each way to treat the bands has

- `mode`: its name;
- `count`: the planes that pass the network;
- `split`: the planes of an image;
- `valid`: where planes have data, from where bands have;
- `join`: the image `(4 * height, 4 * width, bands)`, from the small one
  without holes and from its planes at four times the sides.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from marsgan_tf.imaging import colour


@dataclasses.dataclass(frozen=True)
class EachBand:
    """Every band by itself."""

    mode: ClassVar[str] = "bands"
    count: int

    def split(self, pixels: np.ndarray) -> np.ndarray:
        """See above."""
        return pixels

    def valid(self, valid: np.ndarray) -> np.ndarray:
        """See above."""
        return valid

    def join(self, pixels: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """See above."""
        del pixels
        return restored


@dataclasses.dataclass(frozen=True)
class Value:
    """HSV's value; hue and saturation are enlarged.

    Attributes:
        black: Level from which saturation counts: 0, or the lowest end of
            the bands' ranges where that is negative.
    """

    mode: ClassVar[str] = "hsv"
    black: float
    count: int = 1

    def split(self, pixels: np.ndarray) -> np.ndarray:
        """See above."""
        return colour.value(pixels)[..., np.newaxis]

    def valid(self, valid: np.ndarray) -> np.ndarray:
        """See above."""
        return np.all(valid, axis=-1, keepdims=True)

    def join(self, pixels: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """See above."""
        return colour.recolour(pixels, restored[..., 0], black=self.black)


@dataclasses.dataclass(frozen=True)
class Panchromatic:
    """One band; its detail is added to the others, which are enlarged.

    Attributes:
        band: Position of the band that passes the network.
        gains: Share of its detail that each band takes, from their
            covariance over the scene.
    """

    mode: ClassVar[str] = "pan"
    band: int
    gains: tuple[float, ...]
    count: int = 1

    def split(self, pixels: np.ndarray) -> np.ndarray:
        """See above."""
        return pixels[..., self.band, np.newaxis]

    def valid(self, valid: np.ndarray) -> np.ndarray:
        """See above."""
        return np.all(valid, axis=-1, keepdims=True)

    def join(self, pixels: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """See above."""
        joined = colour.inject(
            pixels,
            pixels[..., self.band],
            restored[..., 0],
            np.array(self.gains),
        )
        joined[..., self.band] = restored[..., 0]
        return joined


Planes = EachBand | Value | Panchromatic
