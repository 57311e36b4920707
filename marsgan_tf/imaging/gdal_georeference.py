"""Georeferencing into and out of GDAL's datasets, through rasterio."""

from typing import Any

import affine
import rasterio.control
import rasterio.crs
import rasterio.errors
import rasterio.rpc

from marsgan_tf.imaging import footprint, gdal, georeference


def read(dataset: Any) -> georeference.Georeference:
    """What an open dataset says of its place on the ground."""
    points, points_crs = dataset.gcps
    if not points:  # Some drivers give the CRS of points that they lack.
        points_crs = None
    return georeference.Georeference(
        crs_wkt=dataset.crs.to_wkt() if dataset.crs else None,
        transform=dataset.transform,
        gcps=tuple(_from_gdal(point) for point in points),
        gcps_crs_wkt=points_crs.to_wkt() if points_crs else None,
        rpcs=_read_rpcs(dataset),
    )


def write(dataset: Any, ground: georeference.Georeference) -> None:
    """Tells a dataset that is open for writing where it lies.

    A GeoTIFF holds either a transform or ground control points: where there
    are points, the transform is left out.

    Raises:
        ValueError: If a CRS is not WKT.
    """
    if ground.gcps:
        points = [_to_gdal(point) for point in ground.gcps]
        dataset.gcps = (points, parse_crs(ground.gcps_crs_wkt))
    else:
        if ground.crs_wkt is not None:
            dataset.crs = parse_crs(ground.crs_wkt)
        if ground.transform != affine.Affine.identity():
            dataset.transform = ground.transform
    if ground.rpcs is not None:
        terms = {name.lower(): term for name, term in ground.rpcs.items()}
        dataset.rpcs = rasterio.rpc.RPC(**terms)


def parse_crs(crs_wkt: str | None) -> Any:
    """A CRS from its WKT, the empty one from None.

    Raises:
        ValueError: If it is no WKT.
    """
    if crs_wkt is None:
        return rasterio.crs.CRS()
    try:
        return rasterio.crs.CRS.from_wkt(crs_wkt)
    except rasterio.errors.CRSError as error:
        raise ValueError(
            f"`crs_wkt` must be WKT. Received: {crs_wkt!r} "
            f"({gdal.reason(error)})"
        ) from error


def own_geographic(crs: Any) -> Any:
    """Longitude and latitude on the body of `crs`; None if it has no body.

    Built from its semi-axes, since PROJ refuses to go from one celestial
    body's CRS to that of another, such as EPSG:4326.
    """
    axes = footprint.semi_axes(crs.to_dict(projjson=True))
    if axes is None:
        return None
    major, minor = axes
    return rasterio.crs.CRS.from_proj4(
        f"+proj=longlat +a={major!r} +b={minor!r} +no_defs"
    )


def _from_gdal(point: Any) -> georeference.GroundControlPoint:
    return georeference.GroundControlPoint(
        row=point.row,
        col=point.col,
        x=point.x,
        y=point.y,
        z=point.z or 0.0,
        id=point.id or "",
        info=point.info or "",
    )


def _to_gdal(point: georeference.GroundControlPoint) -> Any:
    return rasterio.control.GroundControlPoint(
        row=point.row,
        col=point.col,
        x=point.x,
        y=point.y,
        z=point.z,
        id=point.id or None,
        info=point.info or None,
    )


def _read_rpcs(dataset: Any) -> georeference.Rpcs | None:
    try:
        rpcs = dataset.rpcs
    except (KeyError, ValueError):  # A term is missing, or no number.
        return None
    if rpcs is None:
        return None
    return {
        name.upper(): tuple(term) if isinstance(term, list) else term
        for name, term in rpcs.to_dict().items()
        if term is not None
    }
