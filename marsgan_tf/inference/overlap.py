"""Reading, computing and writing at the same time."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Input = TypeVar("Input")
Output = TypeVar("Output")


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Input],
    compute: Callable[[Input], Output],
    *,
    workers: int,
) -> Iterator[tuple[Item, Output]]:
    """Yields every item with `compute(read(item))`, in the items' order.

    One thread reads, always one item at a time; `workers` threads compute;
    the caller writes what it is given, meanwhile. What is read ahead is
    bounded, so memory does not grow with the number of items. If something
    raises, or the caller stops, no further item is begun and the threads end.

    Args:
        items: What to work on.
        read: Called in one thread.
        compute: Called in `workers` threads.
        workers: At least 1.
    """
    reader = concurrent.futures.ThreadPoolExecutor(1, "read")
    pool = concurrent.futures.ThreadPoolExecutor(workers, "compute")
    pending: collections.deque = collections.deque()

    def begin(item: Item) -> None:
        loaded = reader.submit(read, item)
        computed = pool.submit(lambda: compute(loaded.result()))
        pending.append((item, loaded, computed))

    try:
        for item in items:
            begin(item)
            # Each worker has one in hand and one that waits for it.
            if len(pending) >= 2 * workers + 1:
                done, _, result = pending.popleft()
                yield done, result.result()
        while pending:
            done, _, result = pending.popleft()
            yield done, result.result()
    finally:
        for _, loaded, computed in pending:
            computed.cancel()
            loaded.cancel()
        reader.shutdown()
        pool.shutdown()
