"""What every settings class is made of: fields with their help, and checks."""

import dataclasses
import math
from typing import Any

# A field of this kind may change when a stage is resumed; any other is part
# of what the stage computes.
FREE = "free"
# A field of this kind is part of stage 2 alone.
GAN = "gan"

PRECISIONS = ("float32", "bfloat16")


def option(
    default: Any, text: str, kind: str = "", *, is_repeated: bool = False
) -> Any:
    """A field with its help.

    Args:
        default: Its value.
        text: The help.
        kind: `FREE`, `GAN` or nothing.
        is_repeated: Of a tuple of NAME=TEXT: the flag may be repeated, and
            commas count where another name follows at once.
    """
    metadata = {"help": text, "kind": kind, "is_repeated": is_repeated}
    return dataclasses.field(default=default, metadata=metadata)


def require(name: str, value: Any, is_right: bool, rule: str) -> None:
    """Raises a ValueError that names the field, unless `is_right`."""
    if not is_right:
        raise ValueError(f"`{name}` must be {rule}. Received: {name}={value}")


def is_range(text: str) -> bool:
    """Whether it reads LOW,HIGH, finite and in this order."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        return False
    return math.isfinite(low) and math.isfinite(high) and low < high


def is_sigma(text: str) -> bool:
    """Whether it reads auto, or a number from 0 on."""
    if text == "auto":
        return True
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False
