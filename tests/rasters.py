"""Writers of tiny image files for tests: made when a test runs, never kept.

Each takes pixels `(height, width)` or `(height, width, bands)`. The formats
that planetary archives use are written byte by byte from their
specifications, so that the reader is held against the format and not against
another run of GDAL.
"""

import pathlib
import struct
import warnings
import zlib

import affine
import numpy as np
import rasterio

# Equirectangular in metres on IAU's sphere of Mars, planetocentric.
MARS_RADIUS_M = 3396190.0
MARS_WKT = (
    'PROJCS["Mars equirectangular",GEOGCS["Mars ocentric",'
    'DATUM["Mars sphere",SPHEROID["Mars sphere",3396190,0]],'
    'PRIMEM["Reference meridian",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Equirectangular"],PARAMETER["standard_parallel_1",0],'
    'PARAMETER["central_meridian",0],PARAMETER["false_easting",0],'
    'PARAMETER["false_northing",0],UNIT["metre",1],'
    'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)
MARS_TRANSFORM = affine.Affine(6.0, 0.0, 120000.0, 0.0, -6.0, -48000.0)

ISIS_SPECIAL = {  # Null, then low and high saturations.
    "uint8": (0, 255),
    "int16": (-32768, -32767, -32766, -32765, -32764),
    "float32": tuple(
        float(np.uint32(bits).view(np.float32))
        for bits in range(0xFF7FFFFB, 0xFF800000)
    ),
}
_ISIS_TYPE = {
    "uint8": "UnsignedByte",
    "int16": "SignedWord",
    "float32": "Real",
}
_PDS_TYPE = {
    "uint8": ("UNSIGNED_INTEGER", 8),
    "uint16": ("LSB_UNSIGNED_INTEGER", 16),
    "int16": ("LSB_INTEGER", 16),
    "float32": ("PC_REAL", 32),
}


def write_gdal(
    path: pathlib.Path, pixels: np.ndarray, driver: str, **options: object
) -> str:
    """Writes with a GDAL driver and its creation options."""
    planes = np.moveaxis(np.atleast_3d(pixels), -1, 0)
    count, height, width = planes.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver=driver,
            width=width,
            height=height,
            count=count,
            dtype=planes.dtype.name,
            **options,
        ) as dataset:
            dataset.write(planes)
    return str(path)


def write_geotiff(
    path: pathlib.Path,
    pixels: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    described: dict[str, object] | None = None,
    tags: dict[str, str] | None = None,
    **options: object,
) -> str:
    """Writes a GeoTIFF on Mars, if not told otherwise.

    Args:
        path: The file.
        pixels: As above.
        valid: `(height, width)`, for a mask inside the file.
        described: Attributes of rasterio's dataset: `descriptions`, `units`,
            `scales`, `offsets`, `colorinterp`.
        tags: Metadata, name to text.
        **options: Of GDAL's driver.
    """
    ground = {"crs": MARS_WKT, "transform": MARS_TRANSFORM}
    write_gdal(path, pixels, "GTiff", **{**ground, **options})
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
    ):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "r+") as dataset:
            for name, value in (described or {}).items():
                setattr(dataset, name, value)
            dataset.update_tags(**(tags or {}))
            if valid is not None:
                dataset.write_mask(valid)
    return str(path)


def open_gdal(path: str | pathlib.Path, **options: object) -> object:
    """Opens with rasterio, to look at a file without the code under test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, **options)


def write_jp2(
    path: pathlib.Path, pixels: np.ndarray, tile: int, **options: object
) -> str:
    """Writes a lossless JPEG 2000 in tiles of `tile` pixels."""
    return write_gdal(
        path,
        pixels,
        "JP2OpenJPEG",
        blockxsize=tile,
        blockysize=tile,
        QUALITY="100",
        REVERSIBLE="YES",
        **options,
    )


def jp2_tile_size(path: str) -> tuple[int, int]:
    """`(height, width)` of a tile, from the codestream's SIZ marker."""
    data = pathlib.Path(path).read_bytes()
    start = data.index(b"\xff\x4f\xff\x51") + 4
    fields = struct.unpack(">HH8I", data[start : start + 36])
    return fields[7], fields[6]


def write_isis3(path: pathlib.Path, pixels: np.ndarray) -> str:
    """Writes an ISIS3 cube, band sequential, without projection."""
    planes = np.moveaxis(np.atleast_3d(pixels), -1, 0)
    count, height, width = planes.shape
    label = f"""Object = IsisCube
  Object = Core
    StartByte = 4097
    Format = BandSequential
    Group = Dimensions
      Samples = {width}
      Lines = {height}
      Bands = {count}
    End_Group
    Group = Pixels
      Type = {_ISIS_TYPE[planes.dtype.name]}
      ByteOrder = Lsb
      Base = 0.0
      Multiplier = 1.0
    End_Group
  End_Object
End_Object
Object = Label
  Bytes = 4096
End_Object
End
"""
    body = planes.astype(planes.dtype.newbyteorder("<")).tobytes()
    path.write_bytes(label.encode().ljust(4096, b"\0") + body)
    return str(path)


def write_pds3(
    path: pathlib.Path,
    pixels: np.ndarray,
    *,
    missing: float | None = None,
    body: pathlib.Path | None = None,
    is_projected: bool = False,
) -> str:
    """Writes a PDS3 image; with `body`, the label in `path` is detached."""
    planes = np.moveaxis(np.atleast_3d(pixels), -1, 0)
    count, height, width = planes.shape
    kind, bits = _PDS_TYPE[planes.dtype.name]
    row_bytes = width * bits // 8
    label_rows = -(-4096 // row_bytes)
    pointer = f'("{body.name}",1)' if body else str(label_rows + 1)
    note = "" if missing is None else f"  MISSING_CONSTANT = {missing}\r\n"
    label = (
        "PDS_VERSION_ID = PDS3\r\n"
        "RECORD_TYPE = FIXED_LENGTH\r\n"
        f"RECORD_BYTES = {row_bytes}\r\n"
        f"FILE_RECORDS = {label_rows + height * count}\r\n"
        f"LABEL_RECORDS = {label_rows}\r\n"
        f"^IMAGE = {pointer}\r\n"
        f"{_PDS_PROJECTION if is_projected else ''}"
        "OBJECT = IMAGE\r\n"
        f"  LINES = {height}\r\n"
        f"  LINE_SAMPLES = {width}\r\n"
        f"  BANDS = {count}\r\n"
        "  BAND_STORAGE_TYPE = BAND_SEQUENTIAL\r\n"
        f"  SAMPLE_TYPE = {kind}\r\n"
        f"  SAMPLE_BITS = {bits}\r\n"
        f"{note}"
        "END_OBJECT = IMAGE\r\n"
        "END\r\n"
    ).encode()
    data = planes.astype(planes.dtype.newbyteorder("<")).tobytes()
    if body is None:
        path.write_bytes(label.ljust(label_rows * row_bytes) + data)
    else:
        path.write_bytes(label)
        body.write_bytes(data)
    return str(path)


def write_hirise_label(
    path: pathlib.Path, body: pathlib.Path, *, height: int, width: int
) -> str:
    """Writes the label of a HiRISE product, whose pixels are in a JP2."""
    path.write_text(
        f"""PDS_VERSION_ID = PDS3
OBJECT = COMPRESSED_FILE
  FILE_NAME = "{body.name}"
  RECORD_TYPE = UNDEFINED
  ENCODING_TYPE = "JP2"
  UNCOMPRESSED_FILE_NAME = "{body.with_suffix(".IMG").name}"
END_OBJECT = COMPRESSED_FILE
OBJECT = UNCOMPRESSED_FILE
  FILE_NAME = "{body.with_suffix(".IMG").name}"
  RECORD_TYPE = FIXED_LENGTH
  RECORD_BYTES = {2 * width}
  FILE_RECORDS = {height}
  ^IMAGE = "{body.with_suffix(".IMG").name}"
  OBJECT = IMAGE
    LINES = {height}
    LINE_SAMPLES = {width}
    BANDS = 1
    SAMPLE_TYPE = MSB_UNSIGNED_INTEGER
    SAMPLE_BITS = 16
    BAND_STORAGE_TYPE = BAND_SEQUENTIAL
  END_OBJECT = IMAGE
END_OBJECT = UNCOMPRESSED_FILE
END
"""
    )
    return str(path)


# Pixels of 6 m; the first pixel's centre lies 20000.5 columns west and 8000.5
# rows south of the origin.
_PDS_PROJECTION = (
    "OBJECT = IMAGE_MAP_PROJECTION\r\n"
    '  MAP_PROJECTION_TYPE = "EQUIRECTANGULAR"\r\n'
    "  A_AXIS_RADIUS = 3396.19 <KM>\r\n"
    "  B_AXIS_RADIUS = 3396.19 <KM>\r\n"
    "  C_AXIS_RADIUS = 3396.19 <KM>\r\n"
    '  POSITIVE_LONGITUDE_DIRECTION = "EAST"\r\n'
    "  CENTER_LATITUDE = 0.0 <DEG>\r\n"
    "  CENTER_LONGITUDE = 0.0 <DEG>\r\n"
    "  MAP_SCALE = 6.0 <METERS/PIXEL>\r\n"
    '  COORDINATE_SYSTEM_NAME = "PLANETOCENTRIC"\r\n'
    "  LINE_PROJECTION_OFFSET = -8000.5\r\n"
    "  SAMPLE_PROJECTION_OFFSET = -20000.5\r\n"
    "END_OBJECT = IMAGE_MAP_PROJECTION\r\n"
)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + checksum.to_bytes(4)


def png_pixels(rows: bytes) -> bytes:
    """The IDAT chunk of rows that each start with their filter's byte."""
    return png_chunk(b"IDAT", zlib.compress(rows))
