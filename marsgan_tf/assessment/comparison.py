"""Opens the images of an evaluation and brings them together."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence

from absl import logging

from marsgan_tf import errors
from marsgan_tf.assessment import common_grid, radiometry
from marsgan_tf.assessment.common_grid import Grid, GridImage
from marsgan_tf.imaging.raster import RasterReader, open_raster
from marsgan_tf.imaging.stretch import Stretch

# What the builder of training data takes by default.
_USUAL_BLUR_SIGMA = 1.6
# A sidecar that tells of more is damaged: a kernel would fill the memory.
_MOST_BLUR_SIGMA = 100.0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Images of one ground, open, on one grid and of one range.

    Attributes:
        images: In the order given, the input among them.
        reference: None if there is none.
        lr: The input; None if it is not among the images.
        deviations: By the name of the image that they belong to.
        grid: Of the finest.
        stretch: What is read as 0 and 1, in the numbers of the reference, or
            of the finest image without one.
    """

    images: tuple[GridImage, ...]
    reference: GridImage | None
    lr: GridImage | None
    deviations: dict[str, GridImage]
    grid: Grid
    stretch: Stretch

    @property
    def restored(self) -> tuple[GridImage, ...]:
        """All images but the input."""
        return tuple(one for one in self.images if one is not self.lr)

    @property
    def leading(self) -> GridImage:
        """The reference, or the first of the finest images without one."""
        finest = min(self.images, key=lambda image: image.coarser)
        return self.reference or finest

    @property
    def everything(self) -> tuple[GridImage, ...]:
        """The images, then the reference if there is one."""
        return (*self.images, *([self.reference] if self.reference else []))

    def named(self, name: str) -> GridImage:
        """One of the images.

        Raises:
            errors.SettingsError: If none is called so.
        """
        return _named(self.images, name)


@contextlib.contextmanager
def open_all(
    images: Sequence[str],
    *,
    reference: str,
    reference_name: str,
    lr: str,
    deviations: Sequence[str],
    band: int,
    nodata: float | None,
    stretch: str,
    match: bool,
) -> Iterator[Comparison]:
    """Opens all images of an evaluation.

    Args:
        images: `NAME=PATH` each.
        reference: A path; empty for none.
        reference_name: What it is called.
        lr: Name of the input; empty for the only coarser image.
        deviations: `NAME=PATH` each, of images of these names.
        band: As `GridImage` takes it.
        nodata: In the place of the files' own; None for theirs.
        stretch: As `radiometry.choose_range` takes it.
        match: Whether all are brought to the reference's unit.

    Raises:
        errors.RasterError: If a file cannot be read or does not fit.
        errors.SettingsError: If a name is not that of an image, or it is not
            clear which is the input.
    """
    with contextlib.ExitStack() as stack:

        def opened(path: str) -> RasterReader:
            return stack.enter_context(
                open_raster(path, heeds_nodata=nodata is None)
            )

        readers = {name: opened(path) for name, path in _pairs(images)}
        target = opened(reference) if reference else None
        grid = common_grid.choose([*readers.values()])
        if target is not None:
            grid = common_grid.cut(grid, target)

        def on_grid(name: str, reader: RasterReader) -> GridImage:
            return GridImage(name, reader, grid, band=band, nodata=nodata)

        found = tuple(on_grid(name, one) for name, one in readers.items())
        truth = on_grid(reference_name, target) if target else None
        spreads = {
            name: on_grid(name, opened(path))
            for name, path in _pairs(deviations)
        }
        _check_names(spreads, found)
        chosen = _set_ranges(found, truth, grid, stretch, match=match)
        for name, spread in spreads.items():
            # A deviation knows no offset.
            spread.gain = _named(found, name).gain
        yield Comparison(found, truth, _input(found, lr), spreads, grid, chosen)


def blur_sigma(image: GridImage, given: float) -> float:
    """By what blur an image becomes its input, px of the image.

    Args:
        image: A prediction, perhaps with the sidecar that tells.
        given: Taken unless it is negative.
    """
    if given >= 0:
        return given
    try:
        with open(f"{image.reader.path}.json", encoding="utf-8") as file:
            told = json.load(file)
        sigma = float(told["degradation"]["blur_sigma"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
        RecursionError,
    ):
        return _USUAL_BLUR_SIGMA
    return sigma if 0 <= sigma <= _MOST_BLUR_SIGMA else _USUAL_BLUR_SIGMA


def _pairs(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, _, path = text.partition("=")
        yield name.strip(), path.strip()


def _check_names(
    names: dict[str, GridImage], found: Sequence[GridImage]
) -> None:
    for name in names:
        _named(found, name)


def _named(found: Sequence[GridImage], name: str) -> GridImage:
    for image in found:
        if image.name == name:
            return image
    raise errors.SettingsError(
        f"no image is called {name}: the names are "
        f"{', '.join(image.name for image in found)}"
    )


def _input(found: Sequence[GridImage], name: str) -> GridImage | None:
    if name:
        return _named(found, name)
    coarser = [image for image in found if image.coarser > 1]
    if len(coarser) > 1:
        raise errors.SettingsError(
            f"{' and '.join(image.name for image in coarser)} have larger "
            "pixels than the others: say by --lr=NAME which is the input"
        )
    return coarser[0] if coarser else None


def _set_ranges(
    found: Sequence[GridImage],
    truth: GridImage | None,
    grid: Grid,
    wanted: str,
    *,
    match: bool,
) -> Stretch:
    finest = min(found, key=lambda image: image.coarser)
    leading = truth or finest
    chosen = radiometry.choose_range(leading, grid, wanted)
    for image in found:
        if match and truth is not None:
            radiometry.match(image, truth, grid)
        elif not radiometry.overlaps(image, grid, chosen):
            logging.warning(
                "%s: its median lies outside %g to %g, the range of %s; if its "
                "unit is another, add --match",
                image.reader.path,
                chosen.low,
                chosen.high,
                leading.name,
            )
    for image in (*found, *([truth] if truth else [])):
        radiometry.apply_range(image, chosen)
    return chosen
