"""One tile: from an image's own numbers through the network and back."""

import dataclasses
from typing import Any

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import enlarge, fill, tiling
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference.consistency import Projection
from marsgan_tf.inference.scan import Survey

SCALE = 4

# What the network is shown of the stretched image. The rest, a glint or a
# dead pixel, goes past it and is added to the answer: otherwise one pixel
# would ring through its surroundings, or overflow.
SHOWN = (-1.0, 2.0)

_IDENTITY = Stretch(0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class LoadedTile:
    """A tile with its halo, mirrored beyond the image.

    Attributes:
        core: What the tile contributes.
        pixels: `(height, width, bands)`, in the image's dtype.
        valid: Where they have data.
    """

    core: tiling.Window
    pixels: np.ndarray
    valid: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class TileRestorer:
    """Restores the tiles of one scene, in any order, in several threads.

    Attributes:
        engines: What runs the network, one for each plane.
        survey: What holds for the whole scene.
        grid: The tiles.
        dtype: Of the output.
        nodata: Of the output, or None; floats then become NaN.
        projection: The degradation that residuals are told by; None for none.
        project: Whether the output is made to agree with the input.
        samples: Draws of the noise ensemble; 0 for none.
        seed: Of the first draw.
    """

    engines: tuple[Any, ...]
    survey: Survey
    grid: tiling.Grid
    dtype: np.dtype
    nodata: float | None
    projection: Projection | None
    project: bool
    samples: int
    seed: int

    def restore(self, tile: LoadedTile) -> dict[str, np.ndarray]:
        """Restores a tile's core.

        Returns:
            `pixels` `(4h, 4w, bands)` of the output's dtype; `valid`
            `(h, w, 1)` uint8, 1 where all bands have data; with samples
            `deviation` `(4h, 4w, planes)`, and with a projection `residual`
            `(h, w, planes)`, both float32 in the image's numbers, NaN where
            there is no data.

        Raises:
            errors.PredictionError: If the answer is not finite.
        """
        core = tile.core
        seen = core.grown(self.grid.halo, self.grid.height, self.grid.width)
        inside = _within(seen, core, self.grid.halo)
        own = _within(core, seen, 0)
        valid_core = tile.valid[inside][own]
        planes = self.survey.planes
        restored = self._restore(tile, inside, own)
        arrays = {
            "pixels": self._masked(restored.pop("pixels"), valid_core),
            "valid": np.all(valid_core, axis=-1, keepdims=True).view(np.uint8),
        }
        for name, values in restored.items():
            mask = planes.valid(valid_core)
            scale = values.shape[0] // core.height
            arrays[name] = np.where(
                enlarge.repeat(mask, scale), values, np.nan
            ).astype(np.float32)
        return arrays

    def _restore(self, tile: LoadedTile, inside: Any, own: Any) -> dict:
        origin = (
            tile.core.row - self.grid.halo,
            tile.core.col - self.grid.halo,
        )
        pixels = self._filled(tile)
        planes = self.survey.planes.split(pixels)
        valid = self.survey.planes.valid(tile.valid[inside][own])
        is_flat = np.array(self.survey.constant) | ~valid.any(axis=(0, 1))
        columns = [
            self._repeated(planes[inside][..., index])
            if is_flat[index]
            else self._restore_plane(planes[..., index], index, origin, inside)
            for index in range(self.survey.planes.count)
        ]
        merged = {
            name: np.stack([column[name] for column in columns], axis=-1)
            for name in columns[0]
        }
        joined = self.survey.planes.join(pixels[inside], merged.pop("planes"))
        high_own = tuple(
            slice(part.start * SCALE, part.stop * SCALE) for part in own
        )
        restored = {"pixels": joined[high_own]}
        for name, values in merged.items():
            restored[name] = values[own if name == "residual" else high_own]
        return restored

    def _restore_plane(
        self, plane: np.ndarray, index: int, origin: Any, inside: Any
    ) -> dict[str, np.ndarray]:
        """One plane of a tile and of what is seen around it."""
        stretch = self.survey.stretches[index]
        width = stretch.high - stretch.low
        unit = (plane - stretch.low) / width
        shown = np.clip(unit, *SHOWN)
        beyond = unit - shown
        answer, deviation = self._through(
            self.engines[index], shown.astype(np.float32), origin
        )
        high_inside = tuple(
            slice(part.start * SCALE, part.stop * SCALE) for part in inside
        )
        answer = answer[high_inside].astype(np.float64)
        if not np.isfinite(answer).all():
            raise errors.PredictionError(
                "the network's answer is not finite: try --precision=float32"
            )
        found = {}
        if self.projection is not None:
            low = shown[inside].astype(np.float32)
            if self.project:
                answer = self.projection.apply(answer, low).astype(np.float64)
            found["residual"] = self.projection.residual(answer, low) * width
        if deviation is not None:
            found["deviation"] = deviation[high_inside] * width
        if beyond.any():
            answer = answer + enlarge.repeat(beyond[inside], SCALE)
        found["planes"] = answer * width + stretch.low
        return found

    def _repeated(self, plane: np.ndarray) -> dict[str, np.ndarray]:
        """A plane that is constant, to the bit, or one without data here."""
        found = {"planes": enlarge.repeat(plane, SCALE)}
        if self.projection is not None:
            found["residual"] = np.zeros_like(plane)
        if self.samples:
            found["deviation"] = np.zeros_like(found["planes"])
        return found

    def _through(
        self, engine: Any, shown: np.ndarray, origin: Any
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Through the network: the answer, and its deviation if asked for."""
        batch = np.ascontiguousarray(shown[np.newaxis, ..., np.newaxis])
        if not self.samples:
            return engine.restore(batch)[0, ..., 0], None
        row, col = origin
        draws = [
            engine.sample(batch, row=row, col=col, seed=self.seed + index)
            for index in range(self.samples)
        ]
        stack = np.stack([draw[0, ..., 0] for draw in draws]).astype(np.float64)
        return stack.mean(axis=0), stack.std(axis=0, ddof=1)

    def _filled(self, tile: LoadedTile) -> np.ndarray:
        """Pixels as float64, holes filled from their surroundings."""
        pixels = np.where(tile.valid, tile.pixels, 0).astype(np.float64)
        for band in range(pixels.shape[-1]):
            valid = tile.valid[..., band]
            if valid.any() and not valid.all():
                pixels[..., band] = fill.fill(pixels[..., band], valid)
        return pixels

    def _masked(self, dn: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """In the output's dtype, with no data where the input has none."""
        pixels = _IDENTITY.invert(dn, self.dtype, self.nodata)
        empty: float = 0
        if self.nodata is not None:
            empty = self.nodata
        elif self.dtype.kind == "f":
            empty = np.nan
        return np.where(
            enlarge.repeat(self._valid_bands(valid), SCALE),
            pixels,
            self.dtype.type(empty),
        )

    def _valid_bands(self, valid: np.ndarray) -> np.ndarray:
        """Bands that share a plane are valid together."""
        return np.broadcast_to(self.survey.planes.valid(valid), valid.shape)


def _within(
    window: tiling.Window, around: tiling.Window, margin: int
) -> tuple[slice, slice]:
    """Where a window lies in another one that has `margin` px more."""
    return tiling.Window(
        window.row - around.row + margin,
        window.col - around.col + margin,
        window.height,
        window.width,
    ).slices
