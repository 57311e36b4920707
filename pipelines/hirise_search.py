"""Chooses observations from HiRISE's cumulative index."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping

from absl import logging

from marsgan_tf import errors, staging
from pipelines import hirise, hirise_index
from pipelines.find_hirise_config import FindConfig

_SUFFIX = "_RED"
_IDENTITY = ("OBSERVATION_ID", "PRODUCT_ID")
_ANGLES = {
    "emission": "EMISSION_ANGLE",
    "incidence": "INCIDENCE_ANGLE",
    "map_scale": "MAP_SCALE",
}
_SEASON = "SOLAR_LONGITUDE"
_LATITUDES = ("MINIMUM_LATITUDE", "MAXIMUM_LATITUDE")


def run(config: FindConfig) -> None:
    """Writes the list of the observations that `config` asks for.

    Raises:
        DatasetError: If the index cannot be read, or none is left.
    """
    names = columns(config)
    table = hirise_index.read_table(config.index, names)
    found = select(hirise_index.rows(table, names), config)
    if config.most:
        found = itertools.islice(found, config.most)
    os.makedirs(os.path.dirname(config.output) or ".", exist_ok=True)
    count = 0
    with staging.staged(config.output) as path:
        with open(path, "w", encoding="utf-8") as file:
            for identity in found:
                file.write(f"{identity}\n")
                count += 1
        if not count:
            raise errors.DatasetError(
                f"{table.path}: no observation is left: widen the ranges"
            )
    logging.info("%s: %d observations", config.output, count)


def columns(config: FindConfig) -> list[str]:
    """The index's columns that the search reads."""
    names = [*_IDENTITY]
    names += [column for flag, column in _ANGLES.items() if _get(config, flag)]
    if config.solar_longitude:
        names.append(_SEASON)
    if config.latitude:
        names += _LATITUDES
    return names


def select(
    rows: Iterable[Mapping[str, str]], config: FindConfig
) -> Iterator[str]:
    """Yields the observations whose RED product is as asked, each once.

    A row whose value is no number, or out of what it can be, is not chosen.

    Args:
        rows: With the values of `columns(config)`.
        config: What is asked for.
    """
    seen = set()
    for row in rows:
        identity = row["OBSERVATION_ID"].upper()
        if (
            identity not in seen
            and hirise.is_observation_id(identity)
            and row["PRODUCT_ID"].upper() == f"{identity}{_SUFFIX}"
            and _matches(row, config)
        ):
            seen.add(identity)
            yield identity


def _matches(row: Mapping[str, str], config: FindConfig) -> bool:
    if config.phases and row["OBSERVATION_ID"][:3].upper() not in config.phases:
        return False
    for flag, column in _ANGLES.items():
        limits = _get(config, flag)
        if limits and not limits[0] <= _number(row[column]) <= limits[1]:
            return False
    if config.latitude:
        low, high = config.latitude
        south, north = (_number(row[name]) for name in _LATITUDES)
        if not low <= south <= north <= high:
            return False
    return not config.solar_longitude or _is_in_season(
        _number(row[_SEASON]), *config.solar_longitude
    )


def _is_in_season(value: float, start: float, end: float) -> bool:
    """Whether a solar longitude lies between two, over 360 if need be."""
    if start <= end:
        return start <= value <= end
    return start <= value <= 360 or 0 <= value <= end


def _get(config: FindConfig, flag: str) -> tuple[float, ...]:
    return {
        "emission": config.emission,
        "incidence": config.incidence,
        "map_scale": config.map_scale,
    }[flag]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
