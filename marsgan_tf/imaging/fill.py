"""Pixels without data take their neighbours' values, for a network's sake.

A network looks at every pixel within its reach. What it sees where there is
no data must neither be the no-data value nor make an edge against the data.
"""

import numpy as np
import scipy.ndimage


def fill(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Gives each invalid pixel the value of the nearest valid one.

    Distances are between centres. An invalid pixel at distance d of the data
    depends on nothing beyond d, so the filled pixels that matter, those by
    the data, are the same in every tile that holds them.

    Args:
        image: `(height, width)` or `(height, width, bands)`, of any unit.
            What lies under invalid pixels, NaN or infinity too, is not used.
        valid: `(height, width)` bool.

    Returns:
        `image` itself where all is valid, else a copy of its shape and dtype;
        valid pixels are the same to the bit.

    Raises:
        ValueError: If the shapes do not match, or no pixel is valid.
    """
    if valid.shape != image.shape[:2]:
        raise ValueError(
            "`valid` must have the height and width of `image`. Received: "
            f"valid.shape={valid.shape}, image.shape={image.shape}"
        )
    if valid.all():
        return image
    if not valid.any():
        raise ValueError(
            "`valid` must hold at least one valid pixel. Received: none"
        )
    holes = ~valid
    nearest = scipy.ndimage.distance_transform_edt(
        holes, return_distances=False, return_indices=True
    )
    filled = image.copy()
    filled[holes] = image[tuple(nearest[:, holes])]
    return filled
