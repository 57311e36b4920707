"""Where the pixels of ISIS and PDS files lie, from their labels.

GDAL gives zeros for the pixels that a truncated raw file lacks, and reports
success, so that the size a file should have must be known. Labels are GDAL's
JSON forms of them: groups are objects, `5 <BYTES>` is
`{"value": 5, "unit": "BYTES"}`, and a sequence is a list.
"""

from collections.abc import Mapping
from typing import Any

_PDS_POINTERS = ("^IMAGE", "^QUBE", "^SPECTRAL_QUBE")


def isis3_end(label: Mapping[str, Any], pixel_bytes: int) -> int:
    """Bytes that an ISIS3 cube must have to hold all its pixels.

    Args:
        label: The cube's label.
        pixel_bytes: Bytes of one pixel of one band.
    """
    core = label["IsisCube"]["Core"]
    size = core["Dimensions"]
    samples = _padded(size["Samples"], core.get("TileSamples", 1))
    lines = _padded(size["Lines"], core.get("TileLines", 1))
    return (
        int(core.get("StartByte", 1))
        - 1
        + samples * lines * size["Bands"] * pixel_bytes
    )


def pds3_end(label: Mapping[str, Any], image_bytes: int) -> int:
    """Bytes that the file with a PDS3 image's pixels must have.

    Args:
        label: The product's label, attached or detached.
        image_bytes: Bytes of all pixels.
    """
    pointers = [label[name] for name in _PDS_POINTERS if name in label]
    if not pointers or isinstance(pointers[0], str):  # A file of pixels alone.
        return image_bytes
    pointer = pointers[0]
    location = pointer[1] if isinstance(pointer, list) else pointer
    if isinstance(location, Mapping):
        start = int(location["value"])
    else:
        start = (int(location) - 1) * int(label.get("RECORD_BYTES", 1)) + 1
    return start - 1 + image_bytes


def _padded(length: int, tile: int) -> int:
    return -(-length // tile) * tile
