"""Small scenes, as hypothesis draws them."""

import dataclasses

import affine
import numpy as np
import rasters
from hypothesis import strategies as st

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
DTYPES += ("float32", "float64")
# How pixels without data are told: not at all, as there are none; by a value,
# of the file or of the user; by a mask or an alpha band; by what is no number.
MARKS = ("none", "value", "told", "mask", "alpha", "nan")
_OF_VALUES = ("value", "told")
_MOST_VALUES = 6000
_SINUSOIDAL = rasters.MARS_WKT.replace("Equirectangular", "Sinusoidal")
_SINUSOIDAL = _SINUSOIDAL.replace("central_meridian", "longitude_of_center")
_SINUSOIDAL = _SINUSOIDAL.replace('PARAMETER["standard_parallel_1",0],', "")
_DEGREES = (
    'GEOGCS["Mars ocentric",DATUM["Mars sphere",'
    'SPHEROID["Mars sphere",3396190,0]],PRIMEM["Reference meridian",0],'
    'UNIT["degree",0.0174532925199433]]'
)


@dataclasses.dataclass(frozen=True)
class DrawnScene:
    """An image, and how it is to be super-resolved.

    Attributes:
        pixels: `(height, width, bands)`.
        valid: Of the same shape, where they have data; somewhere all have.
        mark: How the file tells, one of `MARKS`.
        nodata: The value, with the marks "value" and "told".
        crs: WKT, or None.
        transform: The identity for none.
        is_point: Whether the file counts from pixels' centres.
        color: Mode of the bands.
        tile: Largest side of a tile; 0 to let the code choose.
        halo: Around it.
    """

    pixels: np.ndarray
    valid: np.ndarray
    mark: str
    nodata: float | None
    crs: str | None
    transform: affine.Affine
    is_point: bool
    color: str
    tile: int
    halo: int

    @property
    def has_own_planes(self):
        """Whether every band is restored by itself, with its own mask."""
        count = self.pixels.shape[-1]
        by_itself = "hsv" if count == 3 else "bands"
        return {"auto": by_itself}.get(self.color, self.color) == "bands"

    @property
    def valid_bands(self):
        """Where the output's bands have data, at the input's size."""
        if self.has_own_planes:
            return self.valid
        every = self.valid.all(axis=-1, keepdims=True)
        return np.broadcast_to(every, self.valid.shape)


@st.composite
def scenes(draw, *, dtypes=DTYPES, marks=MARKS, colors=None, least_halo=4):
    """Draws a scene of at most a few thousand values.

    Args:
        draw: Hypothesis'.
        dtypes: To choose from.
        marks: To choose from.
        colors: To choose from; None for all that the bands allow.
        least_halo: Smallest halo.
    """
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(_shapes())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mark = draw(st.sampled_from(_possible(marks, dtype, shape[-1])))
    valid = _valid(draw, shape, mark, random)
    nodata = draw(_nodata(dtype)) if mark in _OF_VALUES else None
    pixels = _values(draw, shape, dtype, random)
    return DrawnScene(
        _marked(pixels, valid, mark, nodata, random),
        valid,
        mark,
        nodata,
        draw(st.sampled_from([None, rasters.MARS_WKT, _SINUSOIDAL, _DEGREES])),
        draw(transforms()),
        draw(st.booleans()),
        draw(st.sampled_from(colors or _colors(shape[-1]))),
        draw(st.one_of(st.sampled_from([0, 16, 64]), st.integers(16, 50))),
        draw(st.integers(least_halo, 24)),
    )


def _possible(marks, dtype, bands):
    """Integers have no NaN; a GeoTIFF's alpha follows grey or three colours."""
    return [
        mark
        for mark in marks
        if (mark != "nan" or dtype.kind == "f")
        and (mark != "alpha" or bands in (1, 3))
    ]


@st.composite
def _shapes(draw):
    """Height, width and bands; thin strips and single pixels are common."""
    bands = draw(st.integers(1, 4))
    least, most = draw(st.sampled_from([(1, 3), (1, 150), (20, 150)]))
    one = draw(st.integers(least, most))
    most = max(1, _MOST_VALUES // (one * bands))
    other = draw(st.integers(min(least, most), min(150, most)))
    sides = (one, other) if draw(st.booleans()) else (other, one)
    return (*sides, bands)


def _colors(bands):
    return ("auto", "bands", "pan", "hsv") if bands == 3 else ("auto", "pan")


@st.composite
def transforms(draw):
    """Pixels of a nanometre to ten kilometres, turned, sheared, mirrored."""
    if draw(st.integers(0, 9)) == 0:
        return affine.Affine.identity()
    size = 10.0 ** draw(st.integers(-9, 4)) * draw(st.floats(1, 9))
    corner = [draw(st.floats(-2e7, 2e7)) for _ in range(2)]
    turned = affine.Affine.identity()
    if draw(st.booleans()):
        turned = affine.Affine.rotation(draw(_degrees(180)))
    if draw(st.booleans()):
        turned = turned @ affine.Affine.shear(draw(_degrees(40)))
    across, down = (size * draw(st.sampled_from([1, -1, 0.5])) for _ in "xy")
    return (
        affine.Affine.translation(*corner)
        @ turned
        @ affine.Affine.scale(across, -down)
    )


def _degrees(most):
    return st.floats(-most, most).map(lambda angle: round(angle, 6))


def _valid(draw, shape, mark, random):
    """Holes of any share, but one pixel is whole; masks are all bands'."""
    if mark == "none":
        return np.ones(shape, bool)
    share = draw(st.sampled_from([0.0, 0.03, 0.4, 0.9]))
    is_shared = mark in ("mask", "alpha") or draw(st.booleans())
    drawn = shape[:2] + ((1,) if is_shared else shape[2:])
    valid = np.broadcast_to(random.random(drawn) >= share, shape).copy()
    valid[random.integers(shape[0]), random.integers(shape[1])] = True
    return valid


def _nodata(dtype):
    if dtype.kind == "f":
        lowest = float(np.finfo(np.float32).min)
        return st.sampled_from([0.0, 0.1, -9999.0, lowest, 1e30, np.nan])
    limits = np.iinfo(dtype)
    ends = st.sampled_from([limits.min, limits.max, 0])
    return st.one_of(ends, st.integers(limits.min, limits.max)).map(float)


def _values(draw, shape, dtype, random):
    """Noise, few values or extremes, of a dtype."""
    kind = draw(st.sampled_from(["noise", "few", "extreme"]))
    unit = random.random(shape)
    if kind != "noise":
        unit = np.rint(unit * 2) / 2
    if dtype.kind == "f":
        most = 10.0 ** draw(st.integers(-20, 20))
        return ((2 * unit - draw(st.floats(0, 2))) * most).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = limits.min, limits.max
    if kind != "extreme":
        low, high = sorted(
            draw(st.lists(st.integers(low, high), min_size=2, max_size=2))
        )
    return np.rint(low + unit * (high - low)).astype(dtype)


def _marked(pixels, valid, mark, nodata, random):
    """The pixels, with what marks holes in them and nowhere else."""
    pixels = pixels.copy()
    if mark == "nan":
        odd = random.choice([np.nan, np.inf, -np.inf], pixels.shape)
        return np.where(valid, pixels, odd.astype(pixels.dtype))
    if mark not in _OF_VALUES:
        return pixels
    if pixels.dtype.kind == "f":
        # GDAL takes what is near for the value itself.
        near = np.abs(pixels - nodata) <= max(1e-5 * abs(nodata), 1e-30)
        pixels[near] = 0.25 if nodata == 0.0 else 0.5 * nodata
    else:
        step = -1 if nodata == np.iinfo(pixels.dtype).max else 1
        pixels[pixels == nodata] = int(nodata) + step
    pixels[~valid] = nodata
    return pixels
