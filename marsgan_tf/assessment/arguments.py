"""Checks that the scores of whole images share."""

import math

import numpy as np


def checked_range(data_range: tuple[float, float]) -> tuple[float, float]:
    """The lowest and highest value that an image's kind can take.

    Raises:
        ValueError: If they are not two finite numbers, the lower first.
    """
    ends = tuple(float(end) for end in np.ravel(data_range))
    if len(ends) != 2 or not math.isfinite(sum(ends)) or ends[0] >= ends[1]:
        raise ValueError(
            "`data_range` must be (low, high), finite, low below high. "
            f"Received: data_range={data_range}"
        )
    return ends[0], ends[1]


def checked_valid(valid: np.ndarray | None, **images: np.ndarray) -> np.ndarray:
    """Where all images have data.

    Args:
        valid: bool, of the images' shape; None for everywhere.
        **images: `(height, width)`, real, all of one shape, by the names
            that a message gives them.

    Returns:
        bool `(height, width)`.

    Raises:
        ValueError: If a shape is another, an image is not real or not finite
            where it should be, or `valid` is nowhere True.
    """
    shape = next(iter(images.values())).shape
    if valid is None:
        valid = np.ones(shape, bool)
    for name, image in {**images, "valid": valid}.items():
        if image.ndim != 2 or image.shape != shape:
            raise ValueError(
                f"`{name}` must be (height, width), as all others. Received: "
                f"{name}.shape={image.shape}, against {shape}"
            )
    if valid.dtype != bool or not valid.any():
        raise ValueError(
            "`valid` must be bool and somewhere True. Received: "
            f"valid.dtype={valid.dtype}, {np.count_nonzero(valid)} True"
        )
    for name, image in images.items():
        _check_values(name, image, valid)
    return valid


def _check_values(name: str, image: np.ndarray, valid: np.ndarray) -> None:
    if image.dtype.kind not in "uif":
        raise ValueError(
            f"`{name}` must be of integers or floats. Received: "
            f"{name}.dtype={image.dtype}"
        )
    strays = np.count_nonzero(~np.isfinite(image) & valid)
    if strays:
        raise ValueError(
            f"`{name}` must be finite wherever it is valid. Received: "
            f"{strays} pixels that are not"
        )
