"""Damaged models: the description of one, and the folder it lies in."""

import shutil

import fuzz_mutations
import fuzz_texts
import numpy as np
import stand_ins

from marsgan_tf import errors
from marsgan_tf.deployment import description
from marsgan_tf.inference.settings import Model


def stand_in():
    """A model whose engine enlarges, to predict with."""
    told = description.Degradation(blur_sigma=1.0, noise_sigma=0.0)
    return Model(
        engine=stand_ins.Bicubic(),
        description=_description({}),
        blended=None,
        degradation=told,
    )


def _description(files):
    return description.Description(
        name="m",
        version=1,
        architecture={"name": "marsgan"},
        parameters=1,
        scale=4,
        conditioned=False,
        has_noise=False,
        degradation=description.Degradation(blur_sigma=1.0, noise_sigma=0.0),
        precision="float32",
        parity={},
        training={},
        weights_sha256="",
        files=files,
        written_by={},
    )


def prepare_description(folder):
    return _description({}).to_json()


def read_description(state, work, random):
    text = state.replace('"files": {}', '"files": {"saved_model.pb": "00"}')
    damaged = fuzz_texts.damaged(text, random)
    (work / description.FILE_NAME).write_bytes(damaged)
    (work / "saved_model.pb").write_bytes(b"")
    description.load(description.find(str(work)))
    raise AssertionError("a wrong hash is accepted")


def prepare_folder(folder):
    """The files of a version's folder, by name; no engine gets to see them."""
    random = np.random.default_rng(0)
    sizes = {
        "saved_model.pb": 3000,
        "variables/variables.index": 200,
        "variables/variables.data-00000-of-00001": 5000,
        "assets.extra/tf_serving_warmup_requests": 900,
        "fingerprint.pb": 60,
    }
    made = {name: random.bytes(size) for name, size in sizes.items()}
    _write(folder, made)
    files = description.hash_files(folder)
    return {**made, description.FILE_NAME: _description(files).to_json()}


def _write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def read_folder(state, work, random):
    """A file of a model's folder is damaged, gone, another's or one more.

    Whatever it is, what would be loaded is what was exported, or the file is
    named; no engine gets to see it.
    """
    version = work / "model" / "1"
    _write(version, state)
    names = [name for name in state if name != description.FILE_NAME]
    name = names[random.integers(len(names))]
    path, other = version / name, version / names[random.integers(len(names))]
    fate = random.integers(5)
    if fate == 0:
        path.unlink()
    elif fate == 1:
        name = "variables/variables.more"
        shutil.copy(other, version / name)
    elif fate == 2:
        path.unlink()
        path.symlink_to(other)
    else:
        data = fuzz_mutations.damage(state[name], random, other.read_bytes())
        path.write_bytes(data)
    try:
        description.load(description.find(str(work / "model")))
    except errors.ModelError as error:
        assert name in str(error)
        raise
    for name in names:
        assert (version / name).read_bytes() == state[name]
