"""`<image>.json`: how a raster was made, to tell it and to make it again."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from marsgan_tf import __version__, errors, staging
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.imaging.tiling import Grid
from marsgan_tf.inference import spool_settings
from marsgan_tf.inference.scene import Scene
from marsgan_tf.inference.settings import Model, Options, Targets
from marsgan_tf.inference.spool import Spool
from marsgan_tf.inference.tile_restorer import SCALE, TileRestorer


def facts(
    scene: Scene,
    restorer: TileRestorer,
    degradations: Sequence[Degradation],
    model: Model,
    options: Options,
) -> dict[str, Any]:
    """All that the pixels depend on, as JSON can hold it.

    Args:
        scene: The input.
        restorer: Its planes and tiles.
        degradations: What is assumed of each plane; they share the blur.
        model: What restores.
        options: The user's choices.
    """
    survey = restorer.survey
    return {
        "input": os.path.basename(scene.path),
        "input_sha256": _hashes(scene),
        "input_size": [scene.reader.height, scene.reader.width],
        "bands": list(scene.bands),
        "nodata": None if scene.nodata is None else repr(scene.nodata),
        "valid_share": survey.valid_share,
        "model": f"{model.description.name}/{model.description.version}",
        # Without its description a server's model is known by name alone.
        "weights_sha256": model.description.weights_sha256 or None,
        "server": getattr(model.engine, "server", None),
        "interpolated": _interpolated(model),
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "degradation": {
            "blur_sigma": degradations[0].blur_sigma,
            "noise_sigma": [told.noise_sigma for told in degradations],
        },
        "color": {
            "mode": survey.planes.mode,
            **dataclasses.asdict(survey.planes),
        },
        "stretch": [[s.low, s.high] for s in survey.stretches],
        "scale": SCALE,
        "tile": restorer.grid.tile,
        "halo": restorer.grid.halo,
        "consistency": "project" if options.project else "none",
        "samples": options.samples,
        "seed": options.seed,
    }


def _interpolated(model: Model) -> dict[str, Any] | None:
    if model.blended is None:
        return None
    other = model.blended.description
    return {
        "share": model.blended.share,
        "with": f"{other.name}/{other.version}",
        "weights_sha256": other.weights_sha256,
    }


def write(
    image: str, told: Mapping[str, Any], spool: Spool, grid: Grid, folder: str
) -> None:
    """Writes the sidecar of a raster, with the ledger of its tiles.

    Args:
        image: The raster.
        told: How it was made, name to what JSON can hold.
        spool: Its tiles.
        grid: Where they lie.
        folder: On the same file system, for the file while it grows.

    Raises:
        OSError: If it cannot be written; it names the file.
    """
    ledger = [
        {**dataclasses.asdict(core), "crc32": f"{checksum:08x}"}
        for core, checksum in zip(grid, spool.checksums(), strict=True)
    ]
    body = {"marsgan_tf": __version__, **told, "tiles": ledger}
    with (
        staging.staged(path(image), folder) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        json.dump(body, file, indent=1)
        file.write("\n")


def path(image: str) -> str:
    """Where the sidecar of a raster lies."""
    return f"{image}.json"


def remove(image: str) -> None:
    """Deletes the sidecar of a raster that is about to be replaced."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(path(image))


def is_finished(
    targets: Targets, told: Mapping[str, Any], *, overwrite: bool
) -> bool:
    """Whether all results are there, made just as they would be now.

    Args:
        targets: The results.
        told: As `write` would be told.
        overwrite: Whether results that were made otherwise may be replaced.

    Raises:
        errors.SettingsError: If there are such, and they may not.
    """
    existing = [target for target in targets.paths if os.path.exists(target)]
    if not existing:
        return False
    different = _difference(targets.image, told)
    if different and not overwrite:
        raise errors.SettingsError(
            f"{existing[0]}: exists, {different}: choose another name, or add "
            "--overwrite"
        )
    return not different and existing == targets.paths


def _difference(image: str, told: Mapping[str, Any]) -> str | None:
    """How a raster was made otherwise, in words; None for not at all."""
    try:
        with open(path(image), encoding="utf-8") as file:
            found = dict(json.load(file))
    except FileNotFoundError:
        return "without a sidecar that tells how it was made"
    except (ValueError, TypeError):
        return "with a sidecar that cannot be read"
    begun = {name: found.get(name) for name in told}
    other = spool_settings.first_difference(begun, told)
    return other and f"made with {other}"


def _hashes(scene: Scene) -> dict[str, str]:
    """SHA-256 of all files with pixels, by path from the image's folder."""
    folder = os.path.dirname(scene.path) or os.curdir
    return {
        os.path.relpath(file, folder): _hash(file)
        for file in scene.reader.files
    }


def _hash(name: str) -> str:
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
