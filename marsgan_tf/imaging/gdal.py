"""What reading and writing have in common of GDAL, through rasterio."""

import contextlib
import threading
from collections.abc import Iterator

import rasterio._err
import rasterio.env
import rasterio.errors

# With more threads, GDAL 3.10 fills the tiles that a truncated JPEG 2000 file
# lacks with zeros, prints to stderr, and reports success.
#
# Asked for the whole of an 8-bit PNG at once, it fills what is missing with
# whatever was in memory, and reports success.
OPTIONS = {"GDAL_NUM_THREADS": "1", "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO"}

# GDAL's own errors pass through rasterio without a common public root, and it
# takes all texts of GDAL's for UTF-8, also those that quote a damaged file.
ERRORS = (
    rasterio.errors.RasterioError,
    rasterio._err.CPLE_BaseError,
    UnicodeDecodeError,
)


class _BlockCache:
    """GDAL's one cache of blocks, shared by all who ask for a part of it.

    rasterio hands GDAL_CACHEMAX to GDAL at once, at any time; a
    `rasterio.Env` with other options leaves it as it is. But environments of
    several threads that set it would restore each other's size.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[int] = []
        self._before = 0

    def add(self, size: int) -> None:
        with self._lock:
            if not self._parts:
                self._before = rasterio.env.get_gdal_config("GDAL_CACHEMAX")
            self._parts.append(size)
            self._set(sum(self._parts))

    def remove(self, size: int) -> None:
        with self._lock:
            self._parts.remove(size)
            self._set(sum(self._parts) or self._before)

    def _set(self, size: int) -> None:
        rasterio.env.set_gdal_config("GDAL_CACHEMAX", size)


_cache = _BlockCache()


@contextlib.contextmanager
def block_cache(size: int) -> Iterator[None]:
    """Bounds the memory in which GDAL keeps decoded blocks, process-wide.

    Left to itself, GDAL takes a twentieth of the machine's. Who reads tile
    by tile wants as much as the blocks of one row of tiles. Parts that are
    asked for at the same time, in whichever threads, add up; after the last
    of them, the bound is what it was before the first.

    Args:
        size: In bytes, at least 1.

    Raises:
        ValueError: If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"`size` must be at least 1. Received: size={size}")
    _cache.add(size)
    try:
        yield
    finally:
        _cache.remove(size)


def reason(error: BaseException) -> str:
    """GDAL's words on one line, from where rasterio keeps them."""
    source = error.__cause__ or error
    text = getattr(source, "errmsg", None) or getattr(source, "strerror", None)
    return " ".join(str(text or source).split())
