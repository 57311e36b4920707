"""The commands of the fault matrix, each with the smallest work it can do.

They run in a folder of their own, where `in` holds what they read and `out`
what they write.
"""

import dataclasses
import hashlib
import pathlib
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping

import affine
import datasets
import h5py
import models
import numpy as np
import overflights
import predictions
import rasters
import scene_archives
import tiny_runs

from marsgan_tf.imaging import degrade, terrain
from marsgan_tf.models import files

GROUND = affine.Affine(1.0, 0.0, 500.0, 0.0, -1.0, 900.0)
INPUT, OUTPUT = "in", "out"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command and what it reads.

    Attributes:
        name: In the table.
        module: As in `python -m MODULE`.
        images: Rasters that it reads, in the folder `in`.
        files: Other files that it reads, there.
        make: Writes them all.
        flags: Of the command.
    """

    name: str
    module: str
    images: tuple[str, ...]
    files: tuple[str, ...]
    make: Callable[[pathlib.Path], None]
    flags: Mapping[str, object]

    def arguments(self, *extra):
        """The command line."""
        named = (f"--{name}={value}" for name, value in self.flags.items())
        return [*named, *extra]


def fingerprints(folder):
    """What is in each result: name to a hash that two runs have in common.

    Versions of a model are one. Of texts and pictures, which tell times and
    paths, only their being there counts; checkpoints, which are no results,
    depend on where a run was interrupted.
    """
    found = {}
    for path in sorted((folder / OUTPUT).rglob("*")):
        if path.is_file() and path.parent.name != "checkpoints":
            name = path.relative_to(folder / OUTPUT).as_posix()
            name = re.sub(r"^m/\d+/", "m/N/", name)
            name = re.sub(r"events\.out.*", "events", name)
            found[name] = _fingerprint(path)
    return found


def _fingerprint(path):
    if path.suffix == ".keras":
        return _hash_weights(path)
    if path.suffix in (".tif", ".tfrecord", ".index") or "data-0" in path.name:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix in (".jsonl", ".lock"):  # Of any number of lines.
        return "is there"
    return "is there" if path.stat().st_size else "is empty"


def _hash_weights(path):
    """Of a Keras archive, whose times differ."""
    total = hashlib.sha256()
    with (
        zipfile.ZipFile(path) as archive,
        archive.open("model.weights.h5") as file,
        h5py.File(file) as weights,
    ):
        weights.visititems(
            lambda name, item: total.update(
                name.encode() + np.asarray(item).tobytes()
                if isinstance(item, h5py.Dataset)
                else b""
            )
        )
    return total.hexdigest()


def _relief(seed, shape=(160, 140)):
    image = terrain.image(shape, gsd_m=1.0, seed=seed)
    span = np.ptp(image)
    return np.rint(60 + 900 * (image - image.min()) / span).astype("uint16")


def _make_build(folder):
    for seed, name in enumerate(("a", "b", "c")):
        rasters.write_geotiff(folder / f"{name}.tif", _relief(seed))


_BUILD = {
    "input": "in/*.tif",
    "output_dir": "out/pairs",
    "hr_size": 32,
    "workers": 1,
    "validation_ids": "b",
}


def _make_train(folder):
    datasets.write_dataset(folder / "pairs", train=(6,), validation=(4,))


_TRAIN = {
    **tiny_runs.SETTINGS,
    "perceptual_layers": "block1_conv2",
    "perceptual_weights": 1.0,
    "dataset": "in/pairs",
    "workdir": "out/run",
    "psnr_steps": 4,
    "gan_steps": 0,
    "batch_size": 2,
    "checkpoint_every": 2,
    "validate_every": 100,
    "deterministic": True,
}


def _make_export(folder):
    path = str(folder / "generator.keras")
    files.save_generator(models.generator("plain"), path)


_EXPORT = {
    "weights": "in/generator.keras",
    "output": "out/m",
    "blur_sigma": 1.2,
    "noise_sigma": 0.0,
}


def _make_predict(folder):
    rasters.write_geotiff(folder / "a.tif", predictions.image(48, 56))
    shutil.copytree(models.exported("plain"), folder / "m")


_EXACT = {"model": "in/m", "engine": "openvino", "precision": "float32"}
_PREDICT = {**_EXACT, "input": "in/a.tif", "output": "out/sr.tif", "tile": 24}


def _make_evaluate(folder):
    hr = _relief(5)
    lr = np.rint(degrade.degrade(hr.astype(np.float64), 1.6))
    rasters.write_geotiff(folder / "hr.tif", hr, transform=GROUND)
    rasters.write_geotiff(
        folder / "lr.tif",
        lr.astype("uint16"),
        transform=GROUND @ affine.Affine.scale(4),
    )


_EVALUATE = {
    "images": "input=in/lr.tif",
    "reference": "in/hr.tif",
    "output_dir": "out/report",
    "crop_count": 1,
    "crop_size": 64,
    "edge_count": 2,
}


def _make_coregister(folder):
    pair = overflights.pair(4, size=512, sun_turn_deg=20.0)
    for name, image, scale in (
        ("hr", pair.reference, 1),
        ("lr", pair.image, pair.scale),
    ):
        rasters.write_geotiff(
            folder / f"{name}.tif",
            np.rint(100 + 800 * image).astype("uint16"),
            transform=GROUND @ affine.Affine.scale(scale),
        )


_COREGISTER = {
    "input": "in/lr.tif",
    "reference": "in/hr.tif",
    "output": "out/moved.tif",
}


def _make_archive(folder):
    for seed, name in enumerate(("a", "b")):
        scene_archives.write_scene(folder, name, seed)
    (folder / "scenes.txt").write_text("in/a.tif\nin/b.tif\n")
    shutil.copytree(models.exported("plain"), folder / "m")


_ARCHIVE = {**_EXACT, "inputs": "in/scenes.txt", "output_dir": "out/scenes"}


COMMANDS = (
    Command(
        "build",
        "pipelines.build_tfrecords",
        ("a.tif",),
        (),
        _make_build,
        _BUILD,
    ),
    Command(
        "train",
        "marsgan_tf.train",
        (),
        (
            "pairs/manifest.json",
            "pairs/train-00000-of-00001.tfrecord",
        ),
        _make_train,
        _TRAIN,
    ),
    Command(
        "export",
        "marsgan_tf.export",
        (),
        ("generator.keras",),
        _make_export,
        _EXPORT,
    ),
    Command(
        "predict",
        "marsgan_tf.predict",
        ("a.tif",),
        ("m/1/model.json", "m/1/saved_model.pb"),
        _make_predict,
        _PREDICT,
    ),
    Command(
        "evaluate",
        "marsgan_tf.evaluate",
        ("lr.tif", "hr.tif"),
        (),
        _make_evaluate,
        _EVALUATE,
    ),
    Command(
        "coregister",
        "marsgan_tf.coregister",
        ("lr.tif", "hr.tif"),
        (),
        _make_coregister,
        _COREGISTER,
    ),
    Command(
        "archive",
        "pipelines.predict_archive",
        ("a.tif",),
        ("scenes.txt", "m/1/model.json"),
        _make_archive,
        _ARCHIVE,
    ),
)
