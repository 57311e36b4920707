"""What the tiles of a spool are made with: `settings.json` in its folder."""

import json
import os
from collections.abc import Mapping
from typing import Any

from marsgan_tf import errors, staging

NAME = "settings.json"

# "settings" of the caller and "layout" of the spool, each name to value.
Settings = dict[str, dict[str, Any]]
_PARTS = ("settings", "layout")


def exist(folder: str) -> bool:
    """Whether a spool was begun in a folder."""
    return os.path.exists(os.path.join(folder, NAME))


def write(folder: str, now: Settings) -> None:
    """Writes the settings, whole or not at all.

    Raises:
        OSError: If the file cannot be written; it names it.
    """
    with (
        staging.staged(os.path.join(folder, NAME)) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        json.dump(now, file, indent=1)


def read(folder: str) -> Settings:
    """Reads the settings of the spool in a folder.

    Raises:
        errors.SettingsError: If the file is damaged.
    """
    path = os.path.join(folder, NAME)
    try:
        with open(path, encoding="utf-8") as file:
            begun = json.load(file)
        return {part: dict(begun[part]) for part in _PARTS}
    except (ValueError, TypeError, KeyError) as error:
        raise errors.SettingsError(
            f"{path}: not readable ({error}): --overwrite starts again"
        ) from None


def require_same(folder: str, now: Settings) -> None:
    """Refuses to go on with a spool that was begun with other settings.

    Raises:
        errors.SettingsError: It names the first setting that differs, and
            both values; or the file is damaged.
    """
    begun = read(folder)
    for part in _PARTS:
        different = first_difference(begun[part], now[part])
        if different:
            raise errors.SettingsError(
                f"{folder}: begun with {different}: use the same, or "
                "--overwrite to start again"
            )


def first_difference(
    begun: Mapping[str, Any], now: Mapping[str, Any]
) -> str | None:
    """The first setting that differs, with both values; None if all agree."""
    for name in {**now, **begun}:
        was, is_now = _text(begun, name), _text(now, name)
        if was != is_now:
            return f"{name}={was}, now {name}={is_now}"
    return None


def _text(values: Mapping[str, Any], name: str) -> str:
    """A value as JSON: tuples like lists, and NaN like itself."""
    return json.dumps(values.get(name), sort_keys=True)
