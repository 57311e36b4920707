"""What the names, labels and pixel values of HiRISE products mean.

References: the HiRISE RDR SIS, https://pds-imaging.jpl.nasa.gov/documentation/
hirise_rdr_sis.pdf, for the archive's layout and the label's keywords.
"""

import dataclasses
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from marsgan_tf import errors

_OBSERVATION_ID = re.compile(r"(?:PSP|ESP)_\d{6}_\d{4}", re.IGNORECASE)

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
    """

    scaling_factor: float | None = None
    offset: float | None = None
    special_dns: tuple[int, ...] = ()


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
    first_orbit = int(observation[4:10]) // 100 * 100
    return os.path.join(
        archive_root,
        "RDR",
        observation[:3],
        f"ORB_{first_orbit:06d}_{first_orbit + 99:06d}",
        observation,
        f"{observation}_RED.JP2",
    )


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
    values = dict(_keywords(_load_label(path)))
    return Label(
        scaling_factor=_number(values.get("SCALING_FACTOR")),
        offset=_number(values.get("OFFSET")),
        special_dns=tuple(
            int(values[key])
            for key in _SPECIAL_KEYWORDS
            if isinstance(values.get(key), int)
        ),
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


def _load_label(path: str) -> Any:
    with warnings.catch_warnings():
        # pvl tells of parts that are optional or old, none of them used here.
        warnings.simplefilter("ignore")
        import pvl

        try:
            return pvl.load(path)
        # At the end of a label that is cut off, StopIteration escapes.
        except (ValueError, StopIteration, pvl.exceptions.ParseError) as error:
            reason = " ".join(str(error).split())[:80] or "cut off"
    raise errors.RasterError(
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
    return float(value) if isinstance(value, (int, float)) else None
