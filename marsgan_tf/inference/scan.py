"""One look at the whole scene before the first tile.

It finds the range of each plane, which serves all tiles alike, and a file
that is cut off, which is better told now than after hours.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from marsgan_tf import errors
from marsgan_tf.imaging import (
    colour,
    degradation_estimator,
    stretch,
    tiling,
)
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference.patches import PatchSampler
from marsgan_tf.inference.planes import (
    EachBand,
    Panchromatic,
    Planes,
    Value,
)
from marsgan_tf.inference.scene import Scene

# Side of the windows that are read one after the other.
WINDOW_PX = 256

# Pixels of a plane that are looked at for its range, evenly spread.
_SAMPLES = 4_000_000
_HSV_BANDS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Survey:
    """What holds for the whole scene.

    Attributes:
        planes: What passes the network.
        stretches: One a plane.
        constant: Per plane, whether all valid pixels are equal; there is
            nothing to restore then.
        valid_share: Of the pixels, those with data in all bands.
        has_invalid: Whether any pixel of a band has none.
        patches: Of each plane, float32 `(patches, side, side)` in the image's
            numbers, wholly valid and spread over the scene.
    """

    planes: Planes
    stretches: tuple[Stretch, ...]
    constant: tuple[bool, ...]
    valid_share: float
    has_invalid: bool
    patches: tuple[np.ndarray, ...] = dataclasses.field(
        default=(), compare=False, repr=False
    )


def survey(
    scene: Scene,
    *,
    color: str,
    pan_band: int,
    given: Stretch | None,
    heed: Callable[[], None] | None = None,
) -> Survey:
    """Reads a scene once.

    Args:
        scene: The scene.
        color: "hsv", "bands", "pan", or "auto": hsv for three bands.
        pan_band: Position among the chosen bands, from 1, for "pan".
        given: Range of all planes; None to fit each.
        heed: Called between windows; what it raises ends the survey.

    Raises:
        errors.RasterError: If no pixel has data, the bands do not fit the
            colour mode, or the file is damaged.
    """
    mode = _mode(scene, color, pan_band)
    count, total = len(scene.bands), scene.reader.height * scene.reader.width
    first = _preliminary(mode, count, pan_band)
    tally = _Tally(first.count, total)
    levels = _Tally(count, total) if mode == "hsv" else None
    moments = colour.Moments(count) if mode == "pan" else None
    whole = tiling.Grid(
        scene.reader.height, scene.reader.width, WINDOW_PX, halo=0
    )
    sampler = PatchSampler(
        degradation_estimator.PATCH_PX, first.count, len(whole)
    )
    for window in whole:
        if heed is not None:
            heed()
        pixels, valid = scene.read(window)
        # Also where there is no data, so that no NaN is ever compared.
        pixels = np.where(valid, pixels, pixels.dtype.type(0))
        planes, valid_planes = first.split(pixels), first.valid(valid)
        tally.add(window, planes, valid_planes, valid)
        sampler.add(planes, valid_planes)
        if levels is not None:
            every = np.broadcast_to(valid_planes, valid.shape)
            levels.add(window, pixels, every, valid)
        if moments is not None:
            bands = pixels.astype(np.float64)
            pan = bands[..., pan_band - 1]
            moments.add(pan, bands, _plausible(bands, valid))
    tally.require_data(scene.path)
    return Survey(
        planes=_planes(first, pan_band, levels, moments),
        stretches=tuple(
            fitted if given is None else given for fitted in tally.stretches()
        ),
        constant=tuple((tally.low == tally.high).tolist()),
        valid_share=tally.valid_count / tally.total,
        has_invalid=tally.has_invalid,
        patches=sampler.taken(),
    )


class _Tally:
    """Samples and extremes of the planes, window by window."""

    def __init__(self, planes: int, total: int) -> None:
        self.total = total
        self.low = np.full(planes, np.inf)
        self.high = np.full(planes, -np.inf)
        self.valid_count = 0
        self.has_invalid = False
        self._step = max(1, round(math.sqrt(total * planes / _SAMPLES)))
        self._samples: list[list[np.ndarray]] = [[] for _ in range(planes)]

    def add(
        self,
        window: tiling.Window,
        planes: np.ndarray,
        valid: np.ndarray,
        valid_bands: np.ndarray,
    ) -> None:
        self.valid_count += int(np.all(valid_bands, axis=-1).sum())
        self.has_invalid |= not valid_bands.all()
        grid = (
            slice(-window.row % self._step, None, self._step),
            slice(-window.col % self._step, None, self._step),
        )
        for index, samples in enumerate(self._samples):
            plane, mask = planes[..., index], valid[..., index]
            if not mask.any():
                continue
            inside = plane[mask]
            self.low[index] = min(self.low[index], inside.min())
            self.high[index] = max(self.high[index], inside.max())
            found = plane[grid][mask[grid]]
            # A sliver of data between the sampled pixels counts as well.
            samples.append(found if found.size else inside[:1])

    def require_data(self, path: str) -> None:
        if not np.isfinite(self.low).all():
            raise errors.RasterError(
                f"{path}: no pixel has data in all the bands wanted; look at "
                "--nodata and --bands"
            )

    def stretches(self) -> list[Stretch]:
        return [stretch.fit(np.concatenate(s)) for s in self._samples]


def _mode(scene: Scene, color: str, pan_band: int) -> str:
    count = len(scene.bands)
    if color == "auto":
        return "hsv" if count == _HSV_BANDS else "bands"
    if color == "hsv" and count != _HSV_BANDS:
        raise errors.RasterError(
            f"{scene.path}: --color=hsv needs three bands, here are {count}; "
            "choose three by --bands, or use --color=bands"
        )
    if color == "pan" and pan_band > count:
        raise errors.RasterError(
            f"{scene.path}: --pan_band={pan_band}, but there are only {count} "
            "bands"
        )
    return color


def _preliminary(mode: str, bands: int, pan_band: int) -> Planes:
    """The planes, as far as they are known before the scene is."""
    if mode == "hsv":
        return Value(black=0.0)
    if mode == "pan":
        return Panchromatic(pan_band - 1, ())
    return EachBand(bands)


def _plausible(bands: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where all bands have data, none of it far out of its band's range.

    A dead pixel, or a null value that the file does not declare, would alone
    decide how bands vary together.
    """
    every = np.all(valid, axis=-1)
    found = every.copy()
    if every.any():
        for band in np.moveaxis(bands, -1, 0):
            fitted = stretch.fit(band[every])
            width = fitted.high - fitted.low
            found &= band >= fitted.low - width
            found &= band <= fitted.high + width
    return found


def _planes(
    first: Planes,
    pan_band: int,
    levels: _Tally | None,
    moments: colour.Moments | None,
) -> Planes:
    """The planes, with what the whole scene tells of its colours."""
    if levels is not None:
        lows = [fitted.low for fitted in levels.stretches()]
        return Value(black=min(0.0, *lows))
    if moments is not None:
        return Panchromatic(pan_band - 1, tuple(moments.gains().tolist()))
    return first
