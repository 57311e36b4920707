"""Scenes in memory and engines in plain Python, to test prediction with."""

import dataclasses
import threading

import numpy as np

from marsgan_tf.imaging import enlarge
from marsgan_tf.imaging.tiling import Grid, read_with_halo
from marsgan_tf.inference import scan
from marsgan_tf.inference.scene import Scene
from marsgan_tf.inference.settings import Options
from marsgan_tf.inference.tile_restorer import LoadedTile, TileRestorer

OPTIONS = Options(
    bands=(),
    nodata=None,
    color="auto",
    pan_band=1,
    stretch=None,
    blur_sigma=None,
    noise_sigma=None,
    tile=64,
    halo=8,
    samples=0,
    seed=0,
    project=False,
    file_format="GTiff",
    overviews=False,
    overwrite=True,
    resume=False,
)


class Bicubic:
    """An engine that enlarges, and keeps what it was shown.

    Args:
        noise: Deviation of what `sample` adds: a function of place and seed.
        error: Added to every answer, as a function of it.
        concurrency: Calls that may run at once.
    """

    name = "bicubic"
    precision = "float32"

    def __init__(self, *, noise=0.0, error=None, concurrency=1):
        self.noise = noise
        self.error = error
        self.concurrency = concurrency
        self.seen = []
        self.threads = set()

    def restore(self, lr):
        self.seen.append(lr)
        self.threads.add(threading.current_thread().name)
        answer = np.stack([enlarge.enlarge(image) for image in lr])
        if self.error is not None:
            answer = answer + self.error(answer)
        return answer.astype(np.float32)

    def sample(self, lr, *, row, col, seed):
        answer = self.restore(lr)
        rows = 4 * row + np.arange(answer.shape[1])
        cols = 4 * col + np.arange(answer.shape[2])
        phase = 12.9898 * rows[:, None] + 78.233 * cols + 2.399 * seed
        draw = np.sin(phase)[None, ..., None]
        return (answer + self.noise * draw).astype(np.float32)


@dataclasses.dataclass
class MemoryReader:
    """What prediction asks of an open raster, of an array."""

    pixels: np.ndarray
    is_valid: np.ndarray
    nodata: float | None = None
    path: str = "memory.tif"

    def __post_init__(self):
        self.height, self.width, self.band_count = self.pixels.shape
        self.dtype = self.pixels.dtype

    def read(self, row, col, height, width, bands):
        chosen = [band - 1 for band in bands]
        return self.pixels[row : row + height, col : col + width, chosen]

    def read_valid(self, row, col, height, width, bands):
        chosen = [band - 1 for band in bands]
        window = self.is_valid[row : row + height, col : col + width, chosen]
        return window.all(axis=-1)


def scene_of(pixels, *, valid=None, nodata=None, bands=()):
    """An open scene of `(height, width[, bands])`.

    Args:
        pixels: Of any dtype that rasters have.
        valid: Of the same shape or one plane for all bands; None for all.
        nodata: Value of pixels without data.
        bands: Numbers from 1; empty for all.
    """
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    is_valid = np.isfinite(pixels)
    if valid is not None:
        is_valid &= valid if valid.ndim == 3 else valid[..., None]
    chosen = tuple(bands) or tuple(range(1, pixels.shape[-1] + 1))
    return Scene(MemoryReader(pixels, is_valid, nodata), chosen, nodata)


def survey_of(scene, *, color="auto", pan_band=1, given=None):
    return scan.survey(scene, color=color, pan_band=pan_band, given=given)


def restorer_of(
    scene,
    *,
    engine=None,
    tile=64,
    halo=8,
    color="auto",
    pan_band=1,
    given=None,
    projection=None,
    project=False,
    samples=0,
    seed=0,
):
    """What restores the tiles of a scene, by `Bicubic` if not told."""
    reader = scene.reader
    survey = survey_of(scene, color=color, pan_band=pan_band, given=given)
    return TileRestorer(
        engines=(engine or Bicubic(),) * survey.planes.count,
        survey=survey,
        grid=Grid(reader.height, reader.width, tile, halo),
        dtype=reader.dtype,
        nodata=scene.nodata,
        projection=projection,
        project=project,
        samples=samples,
        seed=seed,
    )


def load(scene, core, grid):
    """A tile of a scene with its halo."""
    return LoadedTile(
        core,
        read_with_halo(lambda w: scene.read(w)[0], core, grid),
        read_with_halo(lambda w: scene.read(w)[1], core, grid),
    )


def restored(pixels, *, valid=None, nodata=None, bands=(), **options):
    """All layers of a scene, tile by tile: `{name: (height, width, n)}`.

    Args:
        pixels: See `scene_of`; so are `valid`, `nodata` and `bands`.
        valid: See above.
        nodata: See above.
        bands: See above.
        **options: Of `restorer_of`.
    """
    scene = scene_of(pixels, valid=valid, nodata=nodata, bands=bands)
    restorer = restorer_of(scene, **options)
    whole = {}
    for core in restorer.grid:
        arrays = restorer.restore(load(scene, core, restorer.grid))
        for name, array in arrays.items():
            scale = array.shape[0] // core.height
            shape = (
                scene.reader.height * scale,
                scene.reader.width * scale,
                array.shape[-1],
            )
            target = whole.setdefault(name, np.empty(shape, array.dtype))
            target[core.scaled(scale).slices] = array
    return whole
