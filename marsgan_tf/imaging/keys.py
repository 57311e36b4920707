"""Keys' cubic convolution kernel, of degradation and enlargement alike."""

import numpy as np


def keys_weights(distance: np.ndarray) -> np.ndarray:
    """The kernel with a = -0.5, as in MATLAB's `imresize`.

    Its weights at a whole step apart sum to 1, wherever they start.

    Args:
        distance: From the centre, of either sign, in the kernel's own px; of
            any shape.

    Returns:
        float64 of the same shape: 1 at 0; 0 at 1, and from 2 on.

    Reference: Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711
    """
    distance = np.abs(distance, dtype=np.float64)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
