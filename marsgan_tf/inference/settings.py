"""What a prediction is told: the model, the user's choices, the results."""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from typing import Any

from marsgan_tf import errors
from marsgan_tf.deployment.description import Degradation, Description
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference.blend import Blend

_EXTENSIONS = (".tif", ".tiff")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A model, loaded.

    Attributes:
        engine: What runs it.
        description: Of the export.
        blended: What is mixed into it, if anything.
        degradation: What is assumed of the input where it is not read from
            it: what the user says, or else what the model was exported with.
    """

    engine: Any
    description: Description
    blended: Blend | None
    degradation: Degradation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose, for any scene.

    Attributes:
        bands: Band numbers from 1; empty for all.
        nodata: Value of pixels without data; None for the file's own.
        color: "auto", "hsv", "bands" or "pan".
        pan_band: Position among the bands, from 1.
        stretch: Range of all planes; None to fit each; "none" for the
            dtype's own.
        blur_sigma: Of the input, px of the output; None to read it from the
            image.
        noise_sigma: Likewise, in stretched units.
        tile: Largest side of a tile, low-resolution px; 0 to choose one.
        halo: Around it.
        samples: Draws of the ensemble; 0 for none.
        seed: Of the first draw.
        project: Whether the output is made to agree with the input.
        file_format: "GTiff" or "COG".
        overviews: Whether the output gets them.
        overwrite: Whether an output that exists is replaced.
        resume: Whether an interrupted run goes on.
    """

    bands: Sequence[int]
    nodata: float | None
    color: str
    pan_band: int
    stretch: Stretch | str | None
    blur_sigma: float | None
    noise_sigma: float | None
    tile: int
    halo: int
    samples: int
    seed: int
    project: bool
    file_format: str
    overviews: bool
    overwrite: bool
    resume: bool


@dataclasses.dataclass(frozen=True)
class Targets:
    """Where the results go; empty for what is not wanted.

    Attributes:
        image: The super-resolved raster.
        deviation: The ensemble's standard deviation.
        residual: The input minus the degraded output.
    """

    image: str
    deviation: str = ""
    residual: str = ""

    @property
    def paths(self) -> list[str]:
        """Those that are wanted."""
        return [p for p in (self.image, self.deviation, self.residual) if p]


def check_targets(source: str, targets: Targets, options: Options) -> None:
    """Refuses results that exist, or that cannot be written.

    Raises:
        errors.SettingsError: If one is the image itself or another result,
            has no TIFF extension, is a folder, exists and may not be
            replaced, or its own folder is missing.
    """
    taken = {os.path.realpath(source)}
    for path in targets.paths:
        if os.path.realpath(path) in taken:
            raise errors.SettingsError(
                f"{path}: is the image to read or another result; give each "
                "a name of its own"
            )
        taken.add(os.path.realpath(path))
        if not path.lower().endswith(_EXTENSIONS):
            raise errors.SettingsError(
                f"{path}: must end in .tif, since results are GeoTIFFs"
            )
        if os.path.isdir(path):
            raise errors.SettingsError(
                f"{path}: is a folder; name a file, or use --output_dir"
            )
        folder = folder_of(path)
        if not os.path.isdir(folder):
            raise errors.SettingsError(
                f"{path}: the folder {folder} does not exist; make it first"
            )
        if os.path.exists(path) and not (options.overwrite or options.resume):
            raise errors.SettingsError(
                f"{path}: exists; choose another name, or add --overwrite"
            )
        if not os.access(folder, os.W_OK):
            raise errors.SettingsError(
                f"{path}: the folder {folder} may not be written to; choose "
                "another one"
            )


def require_space(partial: str, needed: int) -> None:
    """Refuses to begin what the disk cannot hold.

    Args:
        partial: Folder of the tiles; where it exists, it is not checked.
        needed: Bytes of all tiles.

    Raises:
        errors.SettingsError: If less is free.
    """
    folder = folder_of(partial)
    free = shutil.disk_usage(folder).free
    if free < needed and not os.path.exists(partial):
        raise errors.SettingsError(
            f"{folder}: has {free / 2**30:.1f} GiB free, the tiles alone take "
            f"{needed / 2**30:.1f} GiB; free some space, or choose another "
            "folder"
        )


def folder_of(path: str) -> str:
    """The folder that a file lies in."""
    return os.path.dirname(path) or "."
