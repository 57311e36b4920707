"""Named rectangles of an image, and the CSV file that holds them.

The file has the columns name, row, col, height and width, in whole px of one
image; row and col are those of the upper left pixel, from 0.
"""

import csv
import dataclasses
from collections.abc import Sequence
from typing import TextIO

import numpy as np

from marsgan_tf import errors, staging

COLUMNS = ("name", "row", "col", "height", "width")


class RegionFileError(errors.MarsganError, ValueError):
    """A file of regions is missing or not what it should be."""


@dataclasses.dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels.

    Attributes:
        name: What tables and figures call it.
        row: Of the first pixel, px from the top.
        col: Of the first pixel, px from the left.
        height: At least 1 px.
        width: At least 1 px.

    Raises:
        ValueError: If the rectangle is empty or begins before pixel 0.
    """

    name: str
    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.row, self.col) < 0 or min(self.height, self.width) < 1:
            raise ValueError(
                "`row` and `col` must be at least 0, `height` and `width` at "
                f"least 1. Received: row={self.row}, col={self.col}, "
                f"height={self.height}, width={self.width}"
            )

    def scaled(self, scale: float) -> "Region":
        """The same ground in an image of `scale` times as many pixels a side.

        Sides that fall between pixels go to the nearest, but a side of less
        than a pixel becomes one.
        """
        row, col = round(self.row * scale), round(self.col * scale)
        bottom = round((self.row + self.height) * scale)
        right = round((self.col + self.width) * scale)
        height, width = max(bottom - row, 1), max(right - col, 1)
        return Region(self.name, row, col, height, width)

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an image `(height, width, ...)` holds all of it."""
        bottom, right = self.row + self.height, self.col + self.width
        return bottom <= shape[0] and right <= shape[1]

    def crop(self, image: np.ndarray) -> np.ndarray:
        """A view of `(height, width, ...)`.

        Raises:
            ValueError: If a part lies outside the image.
        """
        if not self.fits(image.shape):
            raise ValueError(
                f"`image` must hold the region {self.name}, "
                f"{self.height} x {self.width} px at row {self.row}, column "
                f"{self.col}. Received: image.shape={image.shape}"
            )
        rows = slice(self.row, self.row + self.height)
        return image[rows, self.col : self.col + self.width]

    def overlaps(self, other: "Region") -> bool:
        """Whether the two share a pixel."""
        return (
            self.row < other.row + other.height
            and other.row < self.row + self.height
            and self.col < other.col + other.width
            and other.col < self.col + self.width
        )


def write_regions(path: str, regions: Sequence[Region]) -> None:
    """Writes regions in their order; the file appears when it is whole.

    Raises:
        OSError: If the file cannot be written.
    """
    with staging.staged(path) as temporary:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(dataclasses.astuple(one) for one in regions)


def read_regions(path: str, shape: Sequence[int] | None = None) -> list[Region]:
    """Reads regions; the columns may stand in any order, with others.

    Args:
        path: UTF-8, with or without a byte order mark.
        shape: `(height, width, ...)` of the image, which must hold them all;
            None if it is not known.

    Raises:
        RegionFileError: If the file cannot be read, a column is missing, a
            line does not give a region, or a name stands twice.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _parse(file, path, shape)
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RegionFileError(
            f"{path}: cannot be read as a CSV of regions ({reason}); give a "
            f"file with the columns {','.join(COLUMNS)}"
        ) from error


def _parse(
    file: TextIO, path: str, shape: Sequence[int] | None
) -> list[Region]:
    lines = csv.reader(file)
    header = [title.strip().lower() for title in next(lines, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise RegionFileError(
            f"{path}, line 1: no column {', '.join(missing)}; the first line "
            f"must name {','.join(COLUMNS)}"
        )
    places = [header.index(column) for column in COLUMNS]
    regions: dict[str, Region] = {}
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{path}, line {lines.line_num}"
        region = _parse_line(cells, places, where)
        if region.name in regions:
            raise RegionFileError(
                f"{where}: the name {region.name} stands twice; rename one"
            )
        if shape is not None and not region.fits(shape):
            raise RegionFileError(
                f"{where}: the region {region.name} leaves the image of "
                f"{shape[0]} x {shape[1]} px (rows x columns); move it inside"
            )
        regions[region.name] = region
    if not regions:
        raise RegionFileError(f"{path}: holds no region; add a line for each")
    return list(regions.values())


def _parse_line(cells: list[str], places: list[int], where: str) -> Region:
    if len(cells) <= max(places):
        raise RegionFileError(
            f"{where}: {len(cells)} cells, the header has more; complete it"
        )
    # A cell in quotation marks may hold several lines.
    name, *numbers = (" ".join(cells[place].split()) for place in places)
    try:
        return Region(name, *(int(number) for number in numbers))
    except ValueError as error:
        raise RegionFileError(
            f"{where}: {','.join(numbers)} is no region; give row and col of "
            "at least 0 and height and width of at least 1, in whole px"
        ) from error
