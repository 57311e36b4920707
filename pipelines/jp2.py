"""Whether a JPEG 2000 file is whole, by its boxes alone.

Reference: ISO/IEC 15444-1, annex I: a file is a row of boxes, each with its
length and its type.
"""

import os
import struct

from marsgan_tf import errors

_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_CODESTREAM = b"jp2c"


def check(path: str) -> None:
    """Follows the boxes to the end of the file; decodes nothing.

    Raises:
        RasterError: If it is no JPEG 2000, is cut off, or goes on behind its
            last box.
    """
    size = os.path.getsize(path)
    place = 0
    has_codestream = False
    with open(path, "rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise errors.RasterError("what came is no JPEG 2000 image")
        while place < size:
            file.seek(place)
            length, kind, least = _box(file.read(16))
            has_codestream |= kind == _CODESTREAM
            if length == 0:  # The last box may say: up to the end.
                length = size - place
            if length < least or place + length > size:
                raise errors.RasterError(
                    f"what came is a damaged JPEG 2000, at byte {place} of "
                    f"{size}"
                )
            place += length
    if not has_codestream:
        raise errors.RasterError("what came is a JPEG 2000 without pixels")


def _box(head: bytes) -> tuple[int, bytes, int]:
    """Length, type and least length of a box, by its first 16 bytes."""
    if len(head) < 8:
        return -1, b"", 8
    length, kind = struct.unpack(">I4s", head[:8])
    if length != 1:
        return length, kind, 8
    if len(head) < 16:
        return -1, kind, 16
    return struct.unpack(">Q", head[8:])[0], kind, 16
