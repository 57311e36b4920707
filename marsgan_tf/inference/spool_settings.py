"""What the tiles of a spool are made with: `settings.json` in its folder."""

import json
import os
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
        for name in {**now[part], **begun[part]}:
            was, is_now = _text(begun[part], name), _text(now[part], name)
            if was != is_now:
                raise errors.SettingsError(
                    f"{folder}: begun with {name}={was}, now {name}={is_now}: "
                    "use the same, or --overwrite to start again"
                )


def _text(values: dict[str, Any], name: str) -> str:
    """A value as JSON: tuples like lists, and NaN like itself."""
    return json.dumps(values.get(name), sort_keys=True)
