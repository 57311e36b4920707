"""What a raster will be, before there are pixels."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from marsgan_tf.imaging.georeference import Georeference

# Complex numbers and integers of 64 bits are no pixels of images.
DTYPES = frozenset(
    ("uint8", "int8", "uint16", "int16", "uint32", "int32")
    + ("float32", "float64")
)

_PER_BAND = ("band_names", "colour_names", "units", "scales", "offsets")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RasterLayout:
    """All of a raster but its pixels.

    Of what there is one a band, an empty tuple leaves it to the format.

    Attributes:
        height: Rows.
        width: Columns.
        bands: Bands of data.
        dtype: NumPy dtype of all bands: integers of 8, 16 or 32 bits, or
            floats.
        georeference: Where it lies.
        nodata: Value of pixels without data, or None; the dtype must have it.
        has_mask: Whether pixels without data are marked by a mask.
        band_names: Text, empty for none.
        colour_names: What a band shows by rasterio's names: `red`, `gray`,
            `undefined` ...
        units: Text, empty for none.
        scales: A band's value is `DN * scale + offset`, in its unit.
        offsets: See `scales`.
        tags: Metadata, name to text.

    Raises:
        ValueError: If the attributes do not fit together.
    """

    height: int
    width: int
    bands: int
    dtype: np.dtype
    georeference: Georeference = Georeference()
    nodata: float | None = None
    has_mask: bool = False
    band_names: tuple[str, ...] = ()
    colour_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.bands) < 1:
            raise ValueError(
                "`height`, `width` and `bands` must be at least 1. Received: "
                f"{self.height}, {self.width}, {self.bands}"
            )
        if np.dtype(self.dtype).name not in DTYPES:
            raise ValueError(
                "`dtype` must be of integers of 8, 16 or 32 bits or of "
                f"floats. Received: dtype={self.dtype}"
            )
        if self.nodata is not None and not holds(self.dtype, self.nodata):
            raise ValueError(
                "`nodata` must be a value of the pixels' dtype. Received: "
                f"nodata={self.nodata}, dtype={self.dtype}"
            )
        for name in _PER_BAND:
            if len(getattr(self, name)) not in (0, self.bands):
                raise ValueError(
                    f"`{name}` must have one entry a band, or none. Received: "
                    f"{getattr(self, name)} for {self.bands} bands"
                )

    @property
    def pixel_bytes(self) -> int:
        """Size of a pixel of all bands, uncompressed."""
        return self.bands * self.dtype.itemsize


def holds(dtype: np.dtype, value: float) -> bool:
    """Whether a value, such as that of no data, can be a pixel's."""
    if dtype.kind == "f":
        return not math.isfinite(value) or abs(value) <= np.finfo(dtype).max
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max and value == int(value)
