"""How far an exported model may be from the Keras model it came from."""

import numpy as np
from scipy import ndimage

from marsgan_tf import errors

_SHAPE = (72, 88)  # Low-resolution px, unequal so that no axis is mistaken.
_RIM_PX = 4  # Folding is exact but for the outermost ring at high resolution.

# By precision: root mean square and largest difference, as shares of the
# output's standard deviation. Float32 differs by the order of its sums,
# bfloat16 by what rounding does inside the dense blocks.
_TOLERANCES = {"float32": (1e-4, 1e-3), "bfloat16": (5e-3, 5e-2)}


def image(seed=0):
    """A smooth image with some noise, in [0, 1]: `(1, h, w, 1)` float32."""
    generator = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(generator.standard_normal(_SHAPE), 2.0)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    noisy = 0.95 * smooth + 0.05 * generator.random(_SHAPE)
    return noisy[None, ..., None].astype(np.float32)


def compare(expected, found, precision, path):
    """Compares the answers of two models to the same image.

    Args:
        expected: `(1, 4h, 4w, 1)` of the Keras model, float32.
        found: The same of the exported model.
        precision: Of the exported model, "float32" or "bfloat16".
        path: Of the exported model, for the message.

    Returns:
        `{"rms": ..., "max": ...}`: differences within the rim, as shares of
        the expected standard deviation.

    Raises:
        ModelError: If they are larger than the tolerance, the shapes differ,
            or the Keras model does not answer with numbers.
    """
    if not np.isfinite(expected).all():
        raise errors.ModelError(
            f"{path}: the generator answers NaN or infinity, so there is "
            "nothing to export; train it again from a sound checkpoint"
        )
    if found.shape != expected.shape:
        raise errors.ModelError(
            f"{path}: answers otherwise than the Keras model does, with the "
            f"shape {found.shape} instead of {expected.shape}; nothing was "
            "exported"
        )
    inner = (slice(None), *[slice(_RIM_PX, -_RIM_PX)] * 2)
    expected, found = expected[inner], found[inner]
    spread = expected.std() or 1.0  # Of a generator that collapsed.
    difference = (found.astype(np.float64) - expected) / spread
    measured = {
        "rms": float(np.sqrt(np.mean(difference**2))),
        "max": float(np.abs(difference).max()),
    }
    allowed = dict(zip(measured, _TOLERANCES[precision], strict=True))
    # Written so that NaN is refused too.
    if not all(measured[name] <= allowed[name] for name in allowed):
        raise errors.ModelError(
            f"{path}: answers otherwise than the Keras model does: rms "
            f"{measured['rms']:.2g}, largest {measured['max']:.2g} of the "
            f"standard deviation in {precision}, allowed are "
            f"{allowed['rms']:g} and {allowed['max']:g}; nothing was exported"
        )
    return measured
