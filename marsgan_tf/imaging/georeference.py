"""Where an image lies on the ground, and where one of another size would lie.

Rows and columns count from the corner of the first pixel, as GDAL counts
them, but for RPCs, which count from its centre.
"""

import dataclasses
from collections.abc import Mapping

import affine

# RPC terms by GDAL's names: twenty coefficients, or one number.
Rpcs = Mapping[str, float | tuple[float, ...]]

_RPC_OFFSETS = ("LINE_OFF", "SAMP_OFF")
_RPC_SCALES = ("LINE_SCALE", "SAMP_SCALE")


@dataclasses.dataclass(frozen=True)
class GroundControlPoint:
    """A point of the image whose place on the ground is known.

    Attributes:
        row: From the upper edge of the first pixel: its centre is at 0.5.
        col: From the left edge of the first pixel.
        x: Easting or longitude, in units of the points' CRS.
        y: Northing or latitude.
        z: Height, mostly in metres.
        id: Name of the point; a GeoTIFF numbers them anew.
        info: Note on the point; a GeoTIFF does not keep it.
    """

    row: float
    col: float
    x: float
    y: float
    z: float = 0.0
    id: str = ""
    info: str = ""


@dataclasses.dataclass(frozen=True)
class Georeference:
    """What a file says of an image's place; any part may be missing.

    Attributes:
        crs_wkt: Coordinate reference system as WKT, or None.
        transform: Pixel corner `(column, row)` to CRS units; the identity
            where the file has none.
        gcps: Ground control points.
        gcps_crs_wkt: CRS of their `x` and `y` as WKT, or None.
        rpcs: Rational polynomial coefficients by GDAL's names (`LINE_OFF`,
            `LINE_NUM_COEFF` ...), or None. Lines and samples count from the
            centre of the first pixel: GDAL's RPC transformer adds 0.5 to
            them, to count from its corner.
    """

    crs_wkt: str | None = None
    transform: affine.Affine = affine.Affine.identity()
    gcps: tuple[GroundControlPoint, ...] = ()
    gcps_crs_wkt: str | None = None
    rpcs: Rpcs | None = None

    def scaled(self, scale: float) -> "Georeference":
        """The georeference of an image of the same ground, in other pixels.

        Args:
            scale: Sides of the other image over the sides of this one.

        Raises:
            ValueError: If `scale` is not positive.
        """
        if not scale > 0.0:
            raise ValueError(f"`scale` must be positive. Received: {scale=}")
        return dataclasses.replace(
            self,
            transform=_scaled_transform(self.transform, scale),
            gcps=tuple(
                dataclasses.replace(
                    gcp, row=gcp.row * scale, col=gcp.col * scale
                )
                for gcp in self.gcps
            ),
            rpcs=self.rpcs and _scaled_rpcs(self.rpcs, scale),
        )


def _scaled_transform(transform: affine.Affine, scale: float) -> affine.Affine:
    if transform == affine.Affine.identity():
        return transform  # It stands for none.
    a, b, x, d, e, y = transform[:6]
    return affine.Affine(a / scale, b / scale, x, d / scale, e / scale, y)


def _scaled_rpcs(rpcs: Rpcs, scale: float) -> Rpcs:
    """RPCs whose lines and samples are `(l + 0.5) * scale - 0.5`."""
    scaled = dict(rpcs)
    for name in _RPC_OFFSETS:
        scaled[name] = (_number(rpcs, name) + 0.5) * scale - 0.5
    for name in _RPC_SCALES:
        scaled[name] = _number(rpcs, name) * scale
    return scaled


def _number(rpcs: Rpcs, name: str) -> float:
    value = rpcs[name]
    if isinstance(value, tuple):
        raise ValueError(f"`rpcs` must have one number of {name}")
    return value
