"""Finished tiles on disk, so that a killed prediction goes on where it was.

A spool is a folder of three files. `settings.json`, written whole, tells what
the tiles are made with. `tiles.raw` holds the pixels: all layers of tile 0,
then of tile 1 and so on, where their sizes put them, so that the file is
sparse until all are done. `ledger.txt` has a line for each finished tile, its
index and the CRC32 of its bytes, appended after them. A tile counts as done
if its last line's checksum is that of its bytes; hence nothing need be synced
to the disk, whatever stops the process or the machine.
"""

import contextlib
import dataclasses
import errno
import fnmatch
import itertools
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging.tiling import Window
from marsgan_tf.inference import spool_files, spool_settings

_TILES, _LEDGER = "tiles.raw", "ledger.txt"

# All lines are equally long, so that the next one covers what a full disk or
# a killed process has left of one.
_LINE = "{:010d} {:08x}\n"
_LINE_PATTERN = re.compile(rb"(\d{10}) ([0-9a-f]{8})\n")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One of the arrays that make up a tile.

    A tile whose core is `(h, w)` LR px has of it an array
    `(h * scale, w * scale, bands)`.

    Attributes:
        name: Unlike that of all other layers.
        dtype: NumPy's name of the dtype.
        bands: At least 1.
        scale: 1 for what is as large as the input.
    """

    name: str
    dtype: str
    bands: int
    scale: int

    def shape(self, core: Window) -> tuple[int, int, int]:
        """Of the tile with this core: `(height, width, bands)`."""
        return core.height * self.scale, core.width * self.scale, self.bands

    def byte_count(self, core: Window) -> int:
        """Bytes of the tile with this core."""
        return int(np.prod(self.shape(core))) * np.dtype(self.dtype).itemsize


class Spool:
    """An open spool; `open_spool` makes it and closes it.

    One thread may write while others read finished tiles.
    """

    def __init__(
        self,
        folder: str,
        cores: Sequence[Window],
        layers: Sequence[Layer],
        *,
        tiles: spool_files.File,
        ledger: spool_files.File,
    ) -> None:
        self._folder = folder
        self._cores = cores
        self._layers = {layer.name: layer for layer in layers}
        if len(self._layers) != len(layers):
            names = [layer.name for layer in layers]
            raise ValueError(
                f"`layers` must have names of their own. Received: {names}"
            )
        self._byte_counts = [
            sum(layer.byte_count(core) for layer in layers) for core in cores
        ]
        self._offsets = list(itertools.accumulate(self._byte_counts, initial=0))
        self._tiles, self._ledger = tiles, ledger
        self._ledger_end = 0
        self._checksums: dict[int, int] = {}

    @property
    def layer_names(self) -> frozenset[str]:
        """Of the arrays that make up a tile."""
        return frozenset(self._layers)

    def __contains__(self, index: int) -> bool:
        return index in self._checksums

    @property
    def done(self) -> int:
        """How many tiles are done."""
        return len(self._checksums)

    def write(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps a tile, which is done then; one that was, is replaced.

        Args:
            index: Of its core.
            arrays: All its layers by name, of their shapes and dtypes.

        Raises:
            ValueError: If there is no such tile, or a layer is missing, is
                unknown, or has another shape or dtype.
            OSError: If the disk is full or fails; it names the file. The
                tile is not done, all others are as before.
        """
        parts = self._parts(index, arrays)
        self._checksums.pop(index, None)
        checksum, offset = 0, self._offsets[index]
        for part in parts:
            self._tiles.write(part, offset)
            checksum = zlib.crc32(part, checksum)
            offset += part.nbytes
        line = _LINE.format(index, checksum).encode()
        self._ledger.write(memoryview(line), self._ledger_end)
        self._ledger_end += len(line)
        self._checksums[index] = checksum

    def read(self, index: int, name: str) -> np.ndarray:
        """One layer of a tile that is done.

        Args:
            index: Of the tile's core.
            name: Of the layer.

        Returns:
            `(height, width, bands)` of the layer's dtype.

        Raises:
            ValueError: If the tile is not done, or the layer unknown.
            OSError: If it cannot be read; it names the file.
        """
        if index not in self or name not in self._layers:
            raise ValueError(
                "`index` must be of a finished tile and `name` of a layer. "
                f"Received: index={index}, name={name!r}"
            )
        core, layer = self._cores[index], self._layers[name]
        names = list(self._layers)
        before = (self._layers[n] for n in names[: names.index(name)])
        offset = self._offsets[index] + sum(b.byte_count(core) for b in before)
        data = self._tiles.read(layer.byte_count(core), offset)
        if data.size != layer.byte_count(core):
            raise OSError(errno.EIO, "cut off", self._tiles.path)
        return data.view(layer.dtype).reshape(layer.shape(core))

    def checksums(self) -> list[int]:
        """CRC32 of every tile by index, over all its layers.

        Raises:
            ValueError: If a tile is not done.
        """
        if self.done < len(self._cores):
            raise ValueError(
                "All tiles must be done. Received: "
                f"{self.done} of {len(self._cores)}"
            )
        return [self._checksums[index] for index in range(self.done)]

    def remove(self) -> None:
        """Deletes the spool: its files, and the folder if no other is in it.

        Raises:
            OSError: If a file cannot be deleted; it names the file.
        """
        # Settings first: without them, what else is left counts for nothing.
        own = [spool_settings.NAME, _TILES, _LEDGER]
        # And what was left of a file when a process was killed over it.
        own += fnmatch.filter(os.listdir(self._folder), ".partial.*")
        for name in own:
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(self._folder, name))
        with contextlib.suppress(OSError):
            os.rmdir(self._folder)

    def _clear(self) -> None:
        self._ledger.truncate(0)
        self._tiles.truncate(0)

    def _recover(self) -> None:
        """Finds the tiles that are done, one in memory at a time."""
        entries, self._ledger_end = _parse_ledger(self._ledger.read_all())
        for index, checksum in entries.items():
            if index < len(self._cores) and checksum == self._checksum(index):
                self._checksums[index] = checksum

    def _checksum(self, index: int) -> int | None:
        size = self._byte_counts[index]
        data = self._tiles.read(size, self._offsets[index])
        return zlib.crc32(data.data) if data.size == size else None

    def _parts(
        self, index: int, arrays: Mapping[str, np.ndarray]
    ) -> list[memoryview]:
        """The bytes of a tile's layers, in the order of the file."""
        if not 0 <= index < len(self._cores):
            raise ValueError(
                f"`index` must be from 0 to {len(self._cores) - 1}. "
                f"Received: index={index}"
            )
        core = self._cores[index]
        expected = {
            name: (layer.shape(core), np.dtype(layer.dtype))
            for name, layer in self._layers.items()
        }
        found = {name: (a.shape, a.dtype) for name, a in arrays.items()}
        if found != expected:
            raise ValueError(
                f"`arrays` must be {expected} for tile {index}. "
                f"Received: {found}"
            )
        return [
            np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data
            for name in self._layers
        ]


@contextlib.contextmanager
def open_spool(
    folder: str,
    cores: Sequence[Window],
    layers: Sequence[Layer],
    settings: Mapping[str, Any],
    *,
    resume: bool,
    discard: bool,
) -> Iterator[Spool]:
    """Opens a spool, and keeps other processes out of it.

    The files stay when the block ends, however it does; `Spool.remove`
    deletes them. On file systems without locks nobody is kept out.

    Args:
        folder: Made if missing.
        cores: Of all tiles, in order.
        layers: That each tile has.
        settings: All that the pixels depend on, as JSON can hold it.
        resume: Go on with what the folder holds, after every tile has been
            held against its checksum.
        discard: Start again; without effect where `resume` is set too.

    Yields:
        A `Spool`.

    Raises:
        ValueError: If two layers have the same name.
        errors.SettingsError: If the folder holds a spool and neither `resume`
            nor `discard` is set, or it was begun with other settings, or
            another process is writing it.
        OSError: If the folder or a file cannot be made or written.
    """
    now = _to_json(cores, layers, settings)
    os.makedirs(folder, exist_ok=True)
    with (
        spool_files.opened(os.path.join(folder, _LEDGER)) as ledger,
        spool_files.opened(os.path.join(folder, _TILES)) as tiles,
    ):
        if not ledger.lock():
            raise errors.SettingsError(
                f"{folder}: is being written by another process: wait for its "
                "end, or name another output"
            )
        spool = Spool(folder, cores, layers, tiles=tiles, ledger=ledger)
        is_begun = spool_settings.exist(folder)
        if is_begun and resume:
            spool_settings.require_same(folder, now)
            spool._recover()
        elif is_begun and not discard:
            raise _unfinished(folder, ledger)
        else:
            spool._clear()
            spool_settings.write(folder, now)
        yield spool


def _to_json(
    cores: Sequence[Window],
    layers: Sequence[Layer],
    settings: Mapping[str, Any],
) -> spool_settings.Settings:
    """The caller's settings, and what decides where in the file a tile is."""
    sizes = np.array([(core.height, core.width) for core in cores], "<i8")
    layout = {
        "layers": [dataclasses.asdict(layer) for layer in layers],
        "tiles": len(cores),
        "tile_sizes_crc32": zlib.crc32(sizes.tobytes()),
    }
    return {"settings": dict(settings), "layout": layout}


def _unfinished(folder: str, ledger: spool_files.File) -> errors.SettingsError:
    total = spool_settings.read(folder)["layout"].get("tiles")
    entries, _ = _parse_ledger(ledger.read_all())
    return errors.SettingsError(
        f"{folder}: holds {len(entries)} of {total} tiles of a prediction that "
        "was interrupted: --resume goes on with it, --overwrite starts again"
    )


def _parse_ledger(text: bytes) -> tuple[dict[int, int], int]:
    """The last checksum of each tile, and where the last whole line ends."""
    entries = {
        int(index): int(checksum, 16)
        for index, checksum in _LINE_PATTERN.findall(text)
    }
    return entries, text.rfind(b"\n") + 1
