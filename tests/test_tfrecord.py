import gzip
import struct

import pytest

from marsgan_tf import errors
from marsgan_tf.dataset import tfrecord

PAYLOADS = [b"first", b"", bytes(range(256)) * 9]


def bitwise_crc32c(data):
    """CRC-32C one bit at a time, from its polynomial."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def write(path, payloads, compression=""):
    with tfrecord.open_writer(path, compression) as file:
        for payload in payloads:
            tfrecord.write_record(file, payload)


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(bytes(data))


# RFC 3720, appendix B.4.
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksum_matches_published_vectors(data, crc):
    assert bitwise_crc32c(data) == crc
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
    assert tfrecord.masked_crc(data) == masked


def test_file_is_length_checksum_data_checksum(tmp_path):
    write(tmp_path / "a", [b"payload"])
    length = struct.pack("<Q", 7)
    crcs = [
        struct.pack("<I", ((c >> 15 | c << 17) + 0xA282EAD8) % 2**32)
        for c in map(bitwise_crc32c, (length, b"payload"))
    ]
    expected = length + crcs[0] + b"payload" + crcs[1]
    assert (tmp_path / "a").read_bytes() == expected
    assert tfrecord.record_bytes(7) == len(expected)


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("payloads", [[], PAYLOADS])
def test_round_trip(tmp_path, payloads, compression):
    write(tmp_path / "a", payloads, compression)
    records = tfrecord.read_records(tmp_path / "a", compression)
    assert list(records) == payloads


def test_gzip_depends_on_the_records_alone(tmp_path):
    write(tmp_path / "a", PAYLOADS, "GZIP")
    write(tmp_path / "b", PAYLOADS, "GZIP")
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    assert gzip.decompress(data)[:8] == struct.pack("<Q", 5)


# The second record starts at byte 21 and has 2304 bytes of data.
@pytest.mark.parametrize(
    ("keep", "reason"),
    [(21 + 5, "truncated inside its length"), (200, "inside its data")],
)
def test_truncation_names_file_and_record(tmp_path, keep, reason):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    write(path, [b"first", bytes(2304)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(errors.CorruptRecordError) as caught:
        list(tfrecord.read_records(str(path)))
    assert f"{path}: record 1 is damaged" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "reason"), [(22, "of its length"), (600, "of its data")]
)
def test_flipped_bit_names_file_and_record(tmp_path, offset, reason):
    write(tmp_path / "a", [b"first", bytes(2304)])
    flip(tmp_path / "a", offset)
    with pytest.raises(errors.CorruptRecordError) as caught:
        list(tfrecord.read_records(tmp_path / "a"))
    assert f"record 1 is damaged (wrong checksum {reason})" in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flip", "not gzip"])
def test_damaged_gzip_names_file_and_record(tmp_path, damage):
    path = tmp_path / "a"
    write(path, PAYLOADS * 20, "GZIP")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "flip":
        flip(path, 60)
    else:
        path.write_bytes(b"plain text")
    with pytest.raises(errors.CorruptRecordError, match=r"a: record \d+ is"):
        list(tfrecord.read_records(path, "GZIP"))


def test_unknown_compression_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`compression`.*'ZLIB'"):
        list(tfrecord.read_records(tmp_path / "a", "ZLIB"))


def test_a_forged_length_allocates_nothing(tmp_path):
    for length in (2**31, 2**62, 2**64 - 1):
        header = struct.pack("<Q", length)
        crc = struct.pack("<I", tfrecord.masked_crc(header))
        (tmp_path / "a").write_bytes(header + crc + b"data")
        with pytest.raises(errors.CorruptRecordError, match="record 0"):
            list(tfrecord.read_records(str(tmp_path / "a")))
