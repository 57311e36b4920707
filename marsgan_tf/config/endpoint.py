"""Where a served model is to be had: `grpc://HOST:PORT/MODEL[/VERSION]`."""

import dataclasses
import re

FORM = "grpc://HOST:PORT/MODEL[/VERSION]"
_PATTERN = re.compile(
    r"grpc://(?P<address>[^/\s]+:\d{1,5})/(?P<model>[^/\s]+)"
    r"(/(?P<version>[1-9]\d*))?/?"
)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A model on a server.

    Attributes:
        address: HOST:PORT.
        model: Its name there.
        version: Its number; None for the one that the server takes.
    """

    address: str
    model: str
    version: int | None

    def __str__(self) -> str:
        end = "" if self.version is None else f"/{self.version}"
        return f"grpc://{self.address}/{self.model}{end}"


def parse(text: str) -> Endpoint | None:
    """Reads an endpoint; None for a text that is none."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return None
    version = int(found["version"]) if found["version"] else None
    return Endpoint(found["address"], found["model"], version)
