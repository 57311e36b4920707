"""What reading and writing have in common of GDAL, through rasterio."""

import rasterio._err
import rasterio.errors

# With more threads, GDAL 3.10 fills the tiles that a truncated JPEG 2000 file
# lacks with zeros, prints to stderr, and reports success.
OPTIONS = {"GDAL_NUM_THREADS": "1"}

# GDAL's own errors pass through rasterio without a common public root.
ERRORS = (rasterio.errors.RasterioError, rasterio._err.CPLE_BaseError)


def reason(error: BaseException) -> str:
    """GDAL's words on one line, from where rasterio keeps them."""
    source = error.__cause__ or error
    text = getattr(source, "errmsg", None) or getattr(source, "strerror", None)
    return " ".join(str(text or source).split())
