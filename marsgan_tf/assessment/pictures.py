"""How images and maps look: grey, classes over grey, signed residuals.

Pictures are as in `tiles`: floats of [0, 1], 1 or 3 bands, and where there is
data. Colours are apart for the colour-blind and in grey.
"""

import numpy as np

from marsgan_tf.assessment.honesty import CLASSES, Honesty
from marsgan_tf.assessment.tiles import Picture

# Okabe and Ito's blue, yellow and vermilion.
CLASS_COLOURS = dict(
    zip(CLASSES, ("#0072b2", "#f0e442", "#d55e00"), strict=True)
)

# How much of a class's colour covers the grey below: what was missed is most
# of an image's finest detail, and would hide what was invented.
_COVERS = dict(zip(CLASSES, (0.75, 0.45, 0.85), strict=True))

# Below and above 0, and 0 itself.
_LOW, _MIDDLE, _HIGH = "#2166ac", "#f7f7f7", "#b2182b"


def grey(values: np.ndarray, valid: np.ndarray) -> Picture:
    """An image of about [0, 1]."""
    return values[..., np.newaxis], valid


def classes(values: np.ndarray, found: Honesty, valid: np.ndarray) -> Picture:
    """Each pixel's greatest share, over the image; grey where none counts.

    Args:
        values: The super-resolved image, about [0, 1], `(height, width)`.
        found: Of that image.
        valid: bool `(height, width)`.
    """
    under = np.repeat(np.clip(values, 0, 1)[..., np.newaxis], 3, axis=2)
    palette = np.array([_rgb(colour) for colour in CLASS_COLOURS.values()])
    over = palette[np.maximum(found.classes, 1) - 1]
    covers = np.array([0.0, *_COVERS.values()])
    cover = covers[found.classes][..., np.newaxis]
    return (under * (1 - cover) + over * cover).astype(np.float32), valid


def signed(values: np.ndarray, valid: np.ndarray, limit: float) -> Picture:
    """Blue below 0, white at 0, red above; full at `limit` above 0."""
    share = np.clip(values / limit, -1, 1)[..., np.newaxis]
    low, middle, high = (_rgb(colour) for colour in (_LOW, _MIDDLE, _HIGH))
    end = np.where(share < 0, low, high)
    return middle + np.abs(share) * (end - middle), valid


def _rgb(colour: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
