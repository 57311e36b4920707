"""Images on grids of one frame: the reference's pixels, as coarse as wanted.

A frame's points are `(x, y)`, columns and rows of the reference counted from
the corner of its first pixel. A grid of factor f has pixels of f x f of them.
"""

import dataclasses
import math
from collections.abc import Sequence

import affine
import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import footprint
from marsgan_tf.imaging.georeference import Georeference
from marsgan_tf.imaging.pixel_source import ArraySource, PixelSource
from marsgan_tf.imaging.tiling import Window
from marsgan_tf.imaging.warping import View

# Below this, the whole of a grid is kept in memory, in float64.
_LOADED_PX = 2**22


@dataclasses.dataclass(frozen=True)
class Scenery:
    """An image and where it lies.

    Attributes:
        source: Its pixels.
        place: Its transform and CRS.
        bands: Band numbers from 1, whose mean is looked at.
    """

    source: PixelSource
    place: Georeference
    bands: Sequence[int] = (1,)


@dataclasses.dataclass(frozen=True)
class Frame:
    """The reference's pixels.

    Attributes:
        place: The reference's.
    """

    place: Georeference

    def grid(
        self,
        factor: float,
        correction: affine.Affine | None = None,
    ) -> Georeference:
        """Pixels of `factor` x `factor` reference pixels.

        Args:
            factor: Size of a pixel.
            correction: Where on the reference belongs what the georeference
                puts at a point: with it, images are seen where they belong.
        """
        transform = self.place.transform
        if correction is not None:
            transform = transform @ ~correction
        return Georeference(
            self.place.crs_wkt, transform @ affine.Affine.scale(factor)
        )

    def view(
        self,
        scenery: Scenery,
        factor: float = 1.0,
        correction: affine.Affine | None = None,
    ) -> View:
        """An image on a grid of the frame; arguments as of `grid`."""
        return View(
            scenery.source,
            scenery.place,
            self.grid(factor, correction),
            bands=scenery.bands,
        )

    def pixel(self, scenery: Scenery) -> float:
        """Size of an image's pixels, in the reference's."""
        across, down = self.view(scenery).reduction
        return 1.0 / math.sqrt(across * down)

    def box(
        self, scenery: Scenery, correction: affine.Affine | None = None
    ) -> np.ndarray:
        """Upper left and lower right of an image, `(2, 2)` `(x, y)`.

        Raises:
            errors.RegistrationError: If its borders have no place in the
                frame.
        """
        columns, rows = footprint.outline(
            scenery.source.width, scenery.source.height
        )
        view = self.view(scenery, correction=correction)
        outline = np.stack(view.appearances(columns, rows), axis=1)
        if not np.isfinite(outline).all():
            raise errors.RegistrationError(
                "the image's borders have no place in the reference's "
                "coordinate reference system"
            )
        return np.stack([outline.min(axis=0), outline.max(axis=0)])

    def panel(
        self,
        scenery: Scenery,
        factor: float,
        area: Window,
        correction: affine.Affine | None = None,
    ) -> "Panel":
        """Grey windows of an image on a grid; see `Panel`."""
        return Panel(self.view(scenery, factor, correction), area)


class Panel:
    """Grey windows of an image on a grid; small areas are kept in memory.

    Args:
        view: The image on the grid.
        area: What is going to be asked for.
    """

    def __init__(self, view: View, area: Window) -> None:
        self._view = view
        self._area = area
        self._loaded: tuple[np.ndarray, np.ndarray] | None = None
        if area.height * area.width <= _LOADED_PX:
            self._loaded = self._read(area)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Grey and where it has data, both `(height, width)`.

        Args:
            window: Of the grid; within the area.
        """
        if self._loaded is None:
            return self._read(window)
        row, col = window.row - self._area.row, window.col - self._area.col
        part = np.s_[row : row + window.height, col : col + window.width]
        return self._loaded[0][part], self._loaded[1][part]

    def scenery(self) -> Scenery:
        """The whole area as an image of its own."""
        pixels, valid = self.read(self._area)
        corner = affine.Affine.translation(self._area.col, self._area.row)
        grid = self._view.grid
        place = dataclasses.replace(grid, transform=grid.transform @ corner)
        return Scenery(ArraySource(pixels[..., np.newaxis], valid), place)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        pixels, valid = self._view.read(window)
        return pixels.mean(axis=-1, dtype=np.float64), valid


def window_of(box: np.ndarray, factor: float) -> Window:
    """The grid's pixels that cover a box of the frame.

    Args:
        box: `(2, 2)`, upper left and lower right `(x, y)`.
        factor: Of the grid.
    """
    first = np.floor(box[0] / factor).astype(int)
    end = np.maximum(np.ceil(box[1] / factor).astype(int), first + 1)
    left, top = first.tolist()
    width, height = (end - first).tolist()
    return Window(top, left, height, width)
