"""Dataclasses that are read from JSON hold what their fields say."""

import dataclasses
import types
import typing
from typing import Any

_SHOWN_CHARACTERS = 200
# What JSON has for a field's type; None where the field allows it.
_KINDS: dict[Any, Any] = {
    float: float | int,
    types.UnionType: float | int | None,
}


def require(part: Any) -> None:
    """Holds a dataclass' values against the types of its fields.

    Containers are not looked into, and a field that may be None is a number
    otherwise.

    Raises:
        TypeError: If a value is of another type; it names the field.
    """
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        plain: Any = typing.get_origin(field.type) or field.type
        kind = _KINDS.get(plain, plain)
        # JSON's true is no number.
        is_wrong = isinstance(value, bool) and kind is not bool
        if is_wrong or not isinstance(value, kind):
            told = repr(value)[:_SHOWN_CHARACTERS]
            name = "number" if plain in _KINDS else plain.__name__
            raise TypeError(f"{field.name} is {told}, no {name}")
