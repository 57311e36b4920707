"""TFRecord files, written and read without TensorFlow.

A record is its length (uint64), the masked CRC-32C of the length, the payload
and the masked CRC-32C of the payload, all little endian. Records count from 0.
"""

import contextlib
import gzip
import io
import struct
import zlib
from collections.abc import Iterator

import google_crc32c

from marsgan_tf import errors

COMPRESSIONS = ("", "GZIP")

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _LENGTH.size + _CHECKSUM.size
_MASK_DELTA = 0xA282EAD8
# More than any pair of patches; who forges a length would have it allocated.
_MOST_PAYLOAD_BYTES = 2**30
# Level 6 is gzip's own default; 9 costs three times the time for 1 % here.
_GZIP_LEVEL = 6
# Many records at once: each by itself would be written across pages.
_BUFFER_BYTES = 2**20


def masked_crc(payload: bytes) -> int:
    """CRC-32C, rotated and shifted as the TFRecord format asks for."""
    crc = google_crc32c.value(payload)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def record_bytes(payload_bytes: int) -> int:
    """Size of a record in an uncompressed file, from its payload's size."""
    return _HEADER_BYTES + payload_bytes + _CHECKSUM.size


def write_record(file: io.BufferedIOBase, payload: bytes) -> None:
    """Appends one record to an open binary file."""
    length = _LENGTH.pack(len(payload))
    file.write(length + _CHECKSUM.pack(masked_crc(length)))
    file.write(payload)
    file.write(_CHECKSUM.pack(masked_crc(payload)))


@contextlib.contextmanager
def open_writer(
    path: str, compression: str = ""
) -> Iterator[io.BufferedIOBase]:
    """Opens a file for `write_record`; equal records give equal bytes.

    Args:
        path: The file, which is replaced.
        compression: "" or "GZIP".

    Raises:
        ValueError: If `compression` is neither.
    """
    check_compression(compression)
    with io.BufferedWriter(io.FileIO(path, "wb"), _BUFFER_BYTES) as raw:
        if not compression:
            yield raw
            return
        # No time and no name in the header, so the bytes depend on nothing
        # but the records.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
            yield packed


def read_records(path: str, compression: str = "") -> Iterator[bytes]:
    """Yields the payloads of a file in order, each checked.

    Args:
        path: The file.
        compression: "" or "GZIP".

    Raises:
        CorruptRecordError: At the first record that is cut or altered; the
            message names the file and the record.
        OSError: If the file cannot be opened.
        ValueError: If `compression` is neither "" nor "GZIP".
    """
    check_compression(compression)
    opener = gzip.open if compression else open
    with opener(path, "rb") as file:
        number = 0
        while True:
            payload = _read_checked(file, path, number)
            if payload is None:
                return
            yield payload
            number += 1


def check_compression(compression: str) -> None:
    """Raises ValueError unless `compression` is "" or "GZIP"."""
    if compression not in COMPRESSIONS:
        raise ValueError(
            "`compression` must be '' or 'GZIP'. "
            f"Received: compression={compression!r}"
        )


def corrupt(path: str, number: int, reason: str) -> errors.CorruptRecordError:
    """The error for record `number` of the file `path`."""
    return errors.CorruptRecordError(
        f"{path}: record {number} is damaged ({reason}); copy the file again "
        "from its origin, or delete the dataset folder and build it again"
    )


def _read_checked(
    file: io.BufferedIOBase, path: str, number: int
) -> bytes | None:
    """One payload, or None at the end of the file."""
    try:
        return _read_payload(file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise corrupt(path, number, _one_line(error)) from None


def _read_payload(file: io.BufferedIOBase) -> bytes | None:
    header = file.read(_HEADER_BYTES)
    if not header:
        return None
    if len(header) < _HEADER_BYTES:
        raise EOFError("truncated inside its length")
    _check(header[: _LENGTH.size], header[_LENGTH.size :], "length")
    length = _LENGTH.unpack_from(header)[0]
    if length > _MOST_PAYLOAD_BYTES:
        raise EOFError(f"{length} bytes long, more than any pair")
    payload = file.read(length)
    checksum = file.read(_CHECKSUM.size)
    if len(payload) < length or len(checksum) < _CHECKSUM.size:
        raise EOFError("truncated inside its data")
    _check(payload, checksum, "data")
    return payload


def _check(payload: bytes, checksum: bytes, what: str) -> None:
    if masked_crc(payload) != _CHECKSUM.unpack(checksum)[0]:
        raise gzip.BadGzipFile(f"wrong checksum of its {what}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
