"""What the names, labels and pixel values of HiRISE products mean.

References: the HiRISE RDR SIS, https://pds-imaging.jpl.nasa.gov/documentation/
hirise_rdr_sis.pdf, for the archive's layout and the label's keywords.
"""

import dataclasses
import math
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from marsgan_tf import errors
from pipelines import label_tokens

# Mission phases: aerobraking, transition, primary and extended science.
_OBSERVATION_ID = re.compile(
    r"(?:AEB|TRA|PSP|ESP)_[0-9]{6}_[0-9]{4}", re.IGNORECASE
)

# Table 1 of the paper, then Jezero, which it assesses by number. None of
# them may be trained on.
PAPER_VALIDATION_IDS = (
    "ESP_022619_1495",
    "ESP_012383_1905",
    "ESP_059289_1210",
    "ESP_065469_1440",
    "ESP_058618_1445",
    "ESP_013952_1225",
    "ESP_065307_1425",
    "PSP_002081_1055",
    "ESP_068294_1985",
    "ESP_068360_1985",
)

# Null, low saturations (data, instrument), high saturations (instrument,
# data) of a 10-bit product.
SPECIAL_DNS = (0, 1, 2, 1022, 1023)

# Of a detached label; those of the archive have some 10,000. pvl takes seconds
# for each 100,000, and the square of its length for a word.
_LABEL_BYTES_MAX = 1 << 17
_WORD_BYTES_MAX = 4096

_SPECIAL_KEYWORDS = (
    "CORE_NULL",
    "CORE_LOW_REPR_SATURATION",
    "CORE_LOW_INSTR_SATURATION",
    "CORE_HIGH_INSTR_SATURATION",
    "CORE_HIGH_REPR_SATURATION",
)


@dataclasses.dataclass(frozen=True)
class Label:
    """What a PDS label says of its image's pixels.

    Attributes:
        scaling_factor: I/F = DN * scaling_factor + offset; None if not told.
        offset: See `scaling_factor`.
        special_dns: Values that are no measurement.
        storage_bytes: Of the image when it is not compressed; None if not
            told.
    """

    scaling_factor: float | None = None
    offset: float | None = None
    special_dns: tuple[int, ...] = ()
    storage_bytes: int | None = None


def is_observation_id(text: str) -> bool:
    """Whether `text` is an ID such as `ESP_068294_1985`, and nothing else."""
    return _OBSERVATION_ID.fullmatch(text) is not None


def observation_id(path: str) -> str:
    """The observation that a file's name tells; else the name's stem."""
    name = os.path.basename(path)
    found = _OBSERVATION_ID.search(name)
    return found.group().upper() if found else os.path.splitext(name)[0]


def is_hirise(path: str) -> bool:
    """Whether a file's name has a HiRISE observation ID."""
    return _OBSERVATION_ID.search(os.path.basename(path)) is not None


def product_path(observation: str, archive_root: str) -> str:
    """Where an observation's RED product lies in a copy of the PDS archive.

    Args:
        observation: Such as `ESP_068294_1985`.
        archive_root: The folder that holds `RDR`.
    """
    return os.path.join(archive_root, *_product_parts(observation))


def product_url(observation: str, base_url: str) -> str:
    """The address of an observation's RED product.

    Its label's ends in `.LBL` instead of `.JP2`.

    Args:
        observation: Such as `ESP_068294_1985`.
        base_url: Of the folder that holds `RDR`.
    """
    return "/".join((base_url.rstrip("/"), *_product_parts(observation)))


def read_ids(list_file: str) -> list[str]:
    """The observations of a text file, one a line; empty lines are skipped.

    Raises:
        DatasetError: If it cannot be read, or a line is no observation ID.
    """
    try:
        with open(list_file, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise errors.DatasetError(
            f"{list_file}: cannot be read as a list of observations ({error})"
        ) from None
    for number, line in enumerate(lines, 1):
        if line and not is_observation_id(line):
            raise errors.DatasetError(
                f"{list_file}: line {number} is no observation ID such as "
                f"ESP_068294_1985: {line[:40]!r}"
            )
    return [line.upper() for line in lines if line]


def find_label(path: str) -> str | None:
    """The detached label beside an image, its case not minded; or None."""
    folder = os.path.dirname(path)
    wanted = f"{os.path.splitext(os.path.basename(path))[0]}.lbl".lower()
    names = [n for n in os.listdir(folder or ".") if n.lower() == wanted]
    return os.path.join(folder, min(names)) if names else None


def read_label(path: str) -> Label:
    """Reads a detached PDS label.

    Raises:
        RasterError: If it is no PDS label.
    """
    values = dict(_keywords(load_pvl(path)))
    return Label(
        scaling_factor=_number(values.get("SCALING_FACTOR")),
        offset=_number(values.get("OFFSET")),
        special_dns=tuple(
            int(values[key])
            for key in _SPECIAL_KEYWORDS
            if isinstance(values.get(key), int)
        ),
        storage_bytes=_bytes(values.get("REQUIRED_STORAGE_BYTES")),
    )


def special_dns(path: str, dtype: np.dtype, label: Label) -> tuple[int, ...]:
    """Values of an image that are no measurement.

    The label's, if it gives any. Without them, a 16-bit file named after an
    observation is a 10-bit product, with that product's `SPECIAL_DNS`; an
    8-bit one is a picture, where 0 and 1 may be a shadow.
    """
    if label.special_dns:
        return label.special_dns
    if dtype == np.uint16 and is_hirise(path):
        return SPECIAL_DNS
    return ()


def load_pvl(path: str) -> Any:
    """A label's tree of keywords and objects, as pvl gives it.

    Raises:
        RasterError: If it is no PDS label.
    """
    if os.path.getsize(path) > _LABEL_BYTES_MAX:
        raise _no_label(path, f"it has more than {_LABEL_BYTES_MAX} bytes")
    with open(path, "rb") as file:
        words = file.read().split()
    if len(max(words, key=len, default=b"")) > _WORD_BYTES_MAX:
        raise _no_label(
            path, f"it has a word of more than {_WORD_BYTES_MAX} bytes"
        )
    with warnings.catch_warnings():
        # pvl tells of parts that are optional or old, none of them used here.
        warnings.simplefilter("ignore")
        import pvl

        try:
            parser = pvl.parser.OmniParser(lexer_fn=label_tokens.lexer)
            return pvl.load(path, parser=parser)
        # At the end of a label that is cut off, StopIteration escapes.
        except (
            ValueError,
            StopIteration,
            RecursionError,
            pvl.exceptions.ParseError,
            errors.RasterError,
        ) as error:
            reason = " ".join(str(error).split())[:80] or "cut off"
    raise _no_label(path, reason)


def _no_label(path: str, reason: str) -> errors.RasterError:
    return errors.RasterError(
        f"{path}: is no PDS label ({reason}): fetch it again, or move it away "
        "to read its image without it"
    )


def _keywords(tree: Any) -> Iterator[tuple[str, Any]]:
    """Keywords of a label and of the objects in it, outermost first."""
    for key, value in tree.items():
        if hasattr(value, "items"):
            yield from _keywords(value)
        else:
            yield key, value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return (
        number
        if isinstance(value, (int, float)) and math.isfinite(number)
        else None
    )


def _bytes(value: Any) -> int | None:
    """A size, with `<BYTES>` behind it or without."""
    value = getattr(value, "value", value)
    return value if isinstance(value, int) else None


def _product_parts(observation: str) -> tuple[str, ...]:
    name = observation.upper()
    first_orbit = int(name[4:10]) // 100 * 100
    return (
        "RDR",
        name[:3],
        f"ORB_{first_orbit:06d}_{first_orbit + 99:06d}",
        name,
        f"{name}_RED.JP2",
    )
