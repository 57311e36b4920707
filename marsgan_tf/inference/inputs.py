"""Which images a command means, and where their results go."""

import dataclasses
import glob
import os

from marsgan_tf import errors

_SUFFIX = "_sr.tif"
_WILDCARDS = frozenset("*?[")


@dataclasses.dataclass(frozen=True)
class Job:
    """One image and its result.

    Attributes:
        source: The image.
        target: The super-resolved one.
    """

    source: str
    target: str


def jobs(
    *, inputs: tuple[str, ...], input_list: str, output: str, output_dir: str
) -> list[Job]:
    """Pairs every image with its result.

    Args:
        inputs: Paths and globs.
        input_list: File with a path a line, or nothing.
        output: Path of the only result, or nothing.
        output_dir: Folder of the results, or nothing.

    Raises:
        errors.SettingsError: If there is no image, or a result would replace
            an image or another result.
    """
    sources = _sources(inputs, input_list)
    if output:
        if len(sources) > 1:
            raise errors.SettingsError(
                f"{len(sources)} images and one --output: name a folder by "
                "--output_dir"
            )
        found = [Job(sources[0], output)]
    else:
        found = [
            Job(source, os.path.join(output_dir, _result_name(source)))
            for source in sources
        ]
    _check(found)
    return found


def _sources(inputs: tuple[str, ...], input_list: str) -> list[str]:
    sources: list[str] = []
    for pattern in (*inputs, *_lines(input_list)):
        sources.extend(_matches(pattern))
    if not sources:
        raise errors.SettingsError(f"{input_list}: names no image")
    return list(dict.fromkeys(sources))


def _lines(path: str) -> list[str]:
    if not path:
        return []
    # Names of files may be any bytes.
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        return [line.strip() for line in file if line.strip()]


def _matches(pattern: str) -> list[str]:
    # A file may have a bracket in its name.
    if os.path.exists(pattern) or not _WILDCARDS & set(pattern):
        return [pattern]
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise errors.SettingsError(f"{pattern}: no file has such a name")
    return found


def _result_name(source: str) -> str:
    return os.path.splitext(os.path.basename(source))[0] + _SUFFIX


def _check(found: list[Job]) -> None:
    owners: dict[str, str] = {}
    inputs = {os.path.realpath(job.source) for job in found}
    for job in found:
        real = os.path.realpath(job.target)
        if real in inputs:
            raise errors.SettingsError(
                f"{job.target}: is an image to read; choose another name"
            )
        if real in owners:
            raise errors.SettingsError(
                f"{job.source} and {owners[real]}: both would be written to "
                f"{job.target}; give them different names or folders"
            )
        owners[real] = job.source
