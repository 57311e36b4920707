"""Progress of the stages that take long, and silence of those that do not."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from marsgan_tf.progress import Progress

_Item = TypeVar("_Item")

_SILENT_SECONDS = 3.0


def watched(
    items: Sequence[_Item], label: str, *, unit: str
) -> Iterator[_Item]:
    """Yields the items; after three seconds, tells how far it is and the ETA.

    Args:
        items: What is gone through.
        label: What is being done.
        unit: What is counted, plural.
    """
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        shown: Progress | None = None
        for number, item in enumerate(items):
            if not shown and time.monotonic() - start > _SILENT_SECONDS:
                shown = stack.enter_context(
                    Progress(len(items), unit=unit, label=label, done=number)
                )
            yield item
            if shown:
                shown.advance()
