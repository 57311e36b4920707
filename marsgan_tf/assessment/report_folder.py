"""The folder of a report: replaced as a whole, or left as it was."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator

from marsgan_tf import errors, leftovers, signals, staging

PAGE = "report.html"

_WRITTEN = re.compile(
    r"report\.html|figures|tiles|(crops|regions)\.csv|"
    r"(scores|edges|honesty|residual|calibration|reliability)"
    r"[\w-]*\.(csv|json|md)"
)
_MOST_LETTERS = 60


class SafeNames:
    """File names for whatever users call their images."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def make(self, name: str) -> str:
        """ASCII letters, digits, - and _ alone, and unlike all before.

        Unlike also where upper and lower case are one.
        """
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
        plain = plain[:_MOST_LETTERS] or "image"
        numbered, number = plain, 1
        while numbered.lower() in self._used:
            number += 1
            numbered = f"{plain}_{number}"
        self._used.add(numbered.lower())
        return numbered


def check(path: str, *, overwrite: bool) -> None:
    """Refuses a folder whose content would be lost.

    Raises:
        errors.SettingsError: If it is no folder, holds anything else than a
            report, or a report and may not be replaced.
    """
    if os.path.lexists(path) and not os.path.isdir(path):
        raise errors.SettingsError(
            f"{path}: is no folder: choose another --output_dir"
        )
    held = sorted(os.listdir(path)) if os.path.isdir(path) else []
    strays = [name for name in held if not _WRITTEN.fullmatch(name)]
    if strays:
        raise errors.SettingsError(
            f"{path}: holds {strays[0]}, which is no part of a report: choose "
            "an empty folder, or a new one"
        )
    if held and not overwrite:
        raise errors.SettingsError(
            f"{path}: holds a report: choose another folder, or add --overwrite"
        )


@contextlib.contextmanager
def replaced(path: str) -> Iterator[str]:
    """Yields a new folder that takes the place of `path` in the end.

    If the block raises, `path` stays as it was.

    Raises:
        OSError: If it cannot be written; it names `path`.
    """
    path = os.path.abspath(path)
    fresh, old = (leftovers.temporary_name(path) for _ in range(2))
    try:
        with staging.staged_folder(fresh) as folder:
            yield folder
        with signals.deferred():  # Between the two there is no report.
            if os.path.isdir(path):
                os.rename(path, old)
            try:
                os.rename(fresh, path)
            except OSError:
                if os.path.isdir(old):
                    os.rename(old, path)
                raise
    except OSError as error:
        if error.errno and str(error.filename).startswith(fresh):
            error.filename, error.filename2 = path, None
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
