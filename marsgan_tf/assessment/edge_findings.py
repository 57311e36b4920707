"""Slanted edges of images of any size: Table 3 of each, and its figure."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np

from marsgan_tf.assessment import edge_figure, edge_search, enhancement
from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.assessment.enhancement import EdgePair, Refusal
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.watching import watched
from marsgan_tf.imaging.tiling import Window

_STRIP_PX = 2**20
# Regions to an edge that is wanted. Finer pixels show the bends and the texture
# that the input's blur hid: on real ground two thirds are refused there.
_SPARES = 3


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeFindings:
    """The edges of one super-resolved image.

    Attributes:
        image: Its name.
        pairs: Measured in it and in the input.
        refusals: Not measured, and why.
    """

    image: str
    pairs: tuple[EdgePair, ...]
    refusals: tuple[Refusal, ...]


@contextlib.contextmanager
def input_pixels(lr: GridImage) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The input in its own pixels: values of about [0, 1], and validity."""
    reader = lr.reader
    own = Grid(reader.height, reader.width, reader.georeference)
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        yield _gather(own, lr.read_own, lr.name, first, second)


@contextlib.contextmanager
def grid_pixels(
    image: GridImage, grid: Grid
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An image on the grid: values of about [0, 1], and validity."""
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        yield _gather(grid, image.read, image.name, first, second)


def find(lr: np.ndarray, valid: np.ndarray, *, count: int) -> Sequence[Region]:
    """Regions in which the input has a good edge, the best first.

    Up to three times `count`, since finer images may refuse some.
    """
    if not count:
        return ()
    return edge_search.find_edges(lr, valid, count=_SPARES * count)


def measure(
    image: GridImage,
    grid: Grid,
    lr: tuple[np.ndarray, np.ndarray],
    regions: Sequence[Region],
    *,
    scale: int,
    figure: str,
    most: int,
) -> EdgeFindings:
    """Measures the edges of an image and draws them.

    Args:
        image: Super-resolved.
        grid: What it is read on.
        lr: The input's pixels and validity, in its own size.
        regions: In px of the input.
        scale: Grid px along one of the input's.
        figure: PNG to write, if an edge could be measured.
        most: Edges to report: the first in `regions` that both images show.

    Raises:
        OSError: If the figure cannot be written.
    """
    with grid_pixels(image, grid) as (sr, sr_valid):
        pairs, refusals = enhancement.measure_pairs(
            lr[0],
            sr,
            regions,
            scale=scale,
            lr_valid=lr[1],
            sr_valid=sr_valid,
        )
        pairs, refusals = _first(pairs, refusals, regions, most)
        if pairs:
            edge_figure.write_edges(figure, pairs, lr[0], sr)
    return EdgeFindings(image.name, tuple(pairs), tuple(refusals))


def _first(
    pairs: list[EdgePair],
    refusals: list[Refusal],
    regions: Sequence[Region],
    most: int,
) -> tuple[list[EdgePair], list[Refusal]]:
    """The first pairs, and what was refused on the way to them."""
    if len(pairs) <= most:
        return pairs, refusals
    names = [region.name for region in regions]
    last = names.index(pairs[most - 1].region.name)
    passed = set(names[:last])
    return pairs[:most], [one for one in refusals if one.name in passed]


def _gather(
    grid: Grid,
    read: Callable[[Window], tuple[np.ndarray, np.ndarray]],
    name: str,
    first: IO[bytes],
    second: IO[bytes],
) -> tuple[np.ndarray, np.ndarray]:
    """All of an image, in files without a name that the system can page out."""
    shape = (grid.height, grid.width)
    values = np.memmap(first, np.float32, "w+", shape=shape)
    valid = np.memmap(second, np.bool_, "w+", shape=shape)
    strips = [*grid.strips(max(_STRIP_PX // grid.width, 1))]
    for strip in watched(strips, f"{name}, for edges", unit="strips"):
        rows = strip.slices[0]
        values[rows], valid[rows] = read(strip)
    return values, valid
