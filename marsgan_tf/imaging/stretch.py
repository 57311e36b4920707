"""From an image's own numbers to about [0, 1] for a network, and back.

One range serves a whole scene, never a tile, so that tiles join without
seams. Nothing is clipped on the way in: the few pixels beyond the range lie
below 0 or above 1 and return unharmed.
"""

import dataclasses
import math

import numpy as np

# Five pixels in ten thousand at either end may lie beyond [0, 1]. That is more
# than detectors' hot and dead pixels or a glint take, and less than shadows or
# frost cover where they matter; and since nothing is clipped, a wrong guess
# costs no radiometry.
_TAIL = 0.0005

# Width of a constant image's range, against its value: wide enough that one
# step of a float32 stays far below 1.
_CONSTANT_WIDTH = 2.0**-8

# GDAL takes floats, doubles too, for equal to the no-data value within about
# 2**-21 of it.
_NODATA_GAP = 2.0**-20


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A linear map that takes `low` to 0 and `high` to 1, without limits.

    Attributes:
        low: In the image's own numbers (DN, I/F).
        high: Above `low`.

    Raises:
        ValueError: If the range is not finite or empty.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not (finite and math.isfinite(self.high - self.low)):
            raise ValueError(
                "`low` and `high` must be finite. Received: "
                f"low={self.low}, high={self.high}"
            )
        if self.high <= self.low:
            raise ValueError(
                "`high` must be above `low`. Received: "
                f"low={self.low}, high={self.high}"
            )

    def apply(self, dn: np.ndarray) -> np.ndarray:
        """Maps the image's numbers to about [0, 1].

        Args:
            dn: Of any shape and real dtype.

        Returns:
            float32 of the same shape. Integers of up to 16 bits come back
            exactly from `invert`, whatever the range.
        """
        unit = (np.asarray(dn, np.float64) - self.low) / (self.high - self.low)
        return unit.astype(np.float32)

    def invert(
        self,
        values: np.ndarray,
        dtype: np.typing.DTypeLike,
        nodata: float | None = None,
    ) -> np.ndarray:
        """Maps values of about [0, 1] back to the image's numbers.

        Integers are rounded, half to even, and clipped to the dtype. What
        would fall on the no-data value becomes its nearest neighbour (of
        floats, the nearest that GDAL tells apart): these are pixels with data.

        Args:
            values: Finite, of any shape.
            dtype: Of the result, integer or floating.
            nodata: The image's no-data value, or None.

        Returns:
            `dtype`, of the shape of `values`.

        Raises:
            ValueError: If a value is NaN or infinite.
        """
        dtype = np.dtype(dtype)
        dn = np.asarray(values, np.float64) * (self.high - self.low) + self.low
        if not np.isfinite(dn).all():
            raise ValueError(
                "`values` must be finite. Received: "
                f"{np.count_nonzero(~np.isfinite(dn))} of {dn.size} are not"
            )
        if dtype.kind == "f":
            return _to_floats(dn, dtype, nodata)
        return _to_integers(dn, dtype, nodata)


def fit(samples: np.ndarray, *, tail: float = _TAIL) -> Stretch:
    """Chooses a scene's range from its valid pixels.

    The range leaves out `tail` of the samples at either end, and at least
    one where there are more than two, so that no single pixel sets it. If all
    others are equal, the range is that of all samples.

    Args:
        samples: Valid pixels, finite, of any shape; a subset will do.
        tail: Share of the samples beyond either end, in [0, 0.5).

    Returns:
        A range that holds more than one value, even for a constant image.

    Raises:
        ValueError: If there is no sample, or one is not finite.
    """
    if not 0.0 <= tail < 0.5:
        raise ValueError(f"`tail` must be in [0, 0.5). Received: tail={tail}")
    flat = np.ravel(samples)
    if flat.size == 0:
        raise ValueError(
            "`samples` must hold at least one valid pixel. Received: none"
        )
    if not np.isfinite(flat).all():
        raise ValueError("`samples` must be finite. Received: NaN or infinity")
    least = 1 if flat.size > 2 else 0
    rank = max(int(tail * flat.size), least)
    last = flat.size - 1 - rank
    ordered = np.partition(flat, (rank, last))
    low, high = float(ordered[rank]), float(ordered[last])
    if low == high:
        low, high = float(flat.min()), float(flat.max())
    if low == high:
        half = max(abs(low) * _CONSTANT_WIDTH, _least_half(flat.dtype)) / 2.0
        low, high = low - half, high + half
    return Stretch(low, high)


def _least_half(dtype: np.dtype) -> float:
    return float(np.finfo(np.float32).tiny) if dtype.kind == "f" else 1.0


def _to_integers(
    dn: np.ndarray, dtype: np.dtype, nodata: float | None
) -> np.ndarray:
    limits = np.iinfo(dtype)
    rounded = np.clip(np.rint(dn), limits.min, limits.max)
    if nodata is not None:
        above = dn > nodata if nodata > limits.min else True
        above = above & (nodata < limits.max)
        neighbour = np.where(above, nodata + 1.0, nodata - 1.0)
        rounded = np.where(rounded == nodata, neighbour, rounded)
    return rounded.astype(dtype)


def _to_floats(
    dn: np.ndarray, dtype: np.dtype, nodata: float | None
) -> np.ndarray:
    limits = np.finfo(dtype)
    dn = np.clip(dn, limits.min, limits.max)
    cast = dn.astype(dtype)
    if nodata is None:
        return cast
    # Towards zero, since beyond the largest float there is no neighbour.
    least = float(np.finfo(np.float32).tiny)
    gap = max(abs(float(nodata)) * _NODATA_GAP, least)
    neighbour = nodata - gap if nodata > 0 else nodata + gap
    return np.where(abs(dn - nodata) < gap, dtype.type(neighbour), cast)
