"""Where a TIFF's blocks of pixels lie, by its own directories.

GDAL reads a block that was never written as zeros, and passes over a
directory that is missing.

Reference: TIFF 6.0, section 2; BigTIFF doubles the size of offsets.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

# Tags of the offsets and sizes of tiles, and of strips.
_OFFSETS = (324, 273)
_SIZES = (325, 279)

_FORMATS = {3: "H", 4: "I", 16: "Q"}


def directories(path: str) -> list[list[tuple[int, int]]]:
    """`(offset, size)` in bytes of all blocks of all directories, in order.

    Args:
        path: A TIFF or BigTIFF.

    Raises:
        OSError: If its directories cannot be read.
    """
    with open(path, "rb") as file:
        try:
            return list(_directories(file))
        except (KeyError, StopIteration, RuntimeError, struct.error):
            raise OSError("its directories cannot be read") from None


def _directories(file: BinaryIO) -> Iterator[list[tuple[int, int]]]:
    order = {b"II": "<", b"MM": ">"}[file.read(2)]
    (version,) = _unpack(file, f"{order}H")
    is_big = version == 43
    word, count = ("Q", "Q") if is_big else ("I", "H")
    if is_big:
        file.seek(8)
    (start,) = _unpack(file, order + word)
    while start:
        file.seek(start)
        (entries,) = _unpack(file, order + count)
        tags = dict(_entry(file, order, word) for _ in range(entries))
        (start,) = _unpack(file, order + word)
        offsets = next(tags[tag] for tag in _OFFSETS if tag in tags)
        sizes = next(tags[tag] for tag in _SIZES if tag in tags)
        yield list(zip(offsets, sizes, strict=True))


def _entry(
    file: BinaryIO, order: str, word: str
) -> tuple[int, tuple[int, ...]]:
    """Tag and values of a directory's entry; of other tags no values."""
    tag, kind, count = _unpack(file, f"{order}HH{word}")
    inline = struct.calcsize(word)
    after = file.tell() + inline
    values: tuple[int, ...] = ()
    if tag in _OFFSETS + _SIZES:
        form = f"{order}{count}{_FORMATS[kind]}"
        if struct.calcsize(form) > inline:
            file.seek(*_unpack(file, order + word))
        values = _unpack(file, form)
    file.seek(after)
    return tag, values


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
