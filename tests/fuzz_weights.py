"""Damaged weights: generator files, VGG19's, checkpoints.

TensorFlow takes seconds to load, and no process forks well once it has: only
children load it, when they prepare.
"""

import io
import re
import stat
import zipfile

import fuzz_mutations
import fuzz_texts
import numpy as np

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_OUTSIDE = ("../escaped", "a/../../escaped", "assets/../../escaped")
_STEP = 5
_IMAGE = np.random.default_rng(0).random((1, 3, 4, 1), dtype=np.float32)


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def prepare_generators(folder):
    """Of each architecture: the file, its members, and what was saved."""
    import tiny_generators

    from marsgan_tf.models import files

    made = []
    for architecture in tiny_generators.BUILD:
        path = folder / f"{architecture}.keras"
        generator = tiny_generators.scattered(architecture)
        files.save_generator(generator, str(path))
        with zipfile.ZipFile(path) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        made.append((path.read_bytes(), members, generator))
    return made


def read_generator(state, work, random):
    from marsgan_tf.models import files

    data, members, generator = state[random.integers(len(state))]
    path = work / "inside" / "g.keras"
    path.parent.mkdir()
    fate = random.integers(3)
    if fate == 0:
        data = fuzz_mutations.damage(data, random)
    elif fate == 1:
        weights = fuzz_mutations.damage(members[_WEIGHTS], random)
        data = _packed({**members, _WEIGHTS: weights})
    else:
        data = _packed(*_rearranged(members, random))
    path.write_bytes(data)
    try:
        found = files.load_generator(str(path))
    finally:
        assert _files(work) == [path]
    for mine, others in zip(found.weights, generator.weights, strict=True):
        assert mine.shape == others.shape
    # Whatever a file says, it is the network of one of our builders; and all
    # bytes of its weights are under a checksum, which is right in one case.
    if fate != 1:
        np.testing.assert_array_equal(found(_IMAGE), generator(_IMAGE))


def _rearranged(members, random):
    """Members whose description is damaged, or that lie elsewhere; a link."""
    members = dict(members)
    fate = random.integers(4)
    if fate == 0:
        name = list(members)[random.integers(len(members))]
        members[_OUTSIDE[random.integers(len(_OUTSIDE))]] = members.pop(name)
    elif fate == 1:
        names = ("assets/link", "/tmp/escaped", *_OUTSIDE, *members)
        link = zipfile.ZipInfo(names[random.integers(len(names))])
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        return members, link
    else:
        text = members[_CONFIG].decode()
        members[_CONFIG] = fuzz_texts.damaged(text, random)
    return members, None


def _packed(members, link=None):
    """A sound ZIP file, as Keras writes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if link is not None:
            archive.writestr(link, "../../../../../../etc/hostname")
    return packed.getvalue()


def prepare_vgg(folder):
    import vgg

    path = folder / "vgg.h5"
    weights = vgg.write_weights(path, blocks=1)
    _perceptual_loss(path)  # Loads what takes longer than a case may.
    return path.read_bytes(), weights


def _perceptual_loss(path):
    from marsgan_tf.training import perceptual

    return perceptual.PerceptualLoss(["block1_conv2"], str(path))


def read_vgg(state, work, random):
    data, weights = state
    path = work / "vgg.h5"
    path.write_bytes(fuzz_mutations.damage(data, random))
    loss = _perceptual_loss(path)
    assert _files(work) == [path]
    for name, expected in weights.items():
        found = loss.network.get_layer(name).get_weights()
        assert [a.shape for a in found] == [a.shape for a in expected]


def prepare_checkpoint(folder):
    """Files of a checkpoint by name, and the variables that were saved."""
    import keras

    from marsgan_tf.training.checkpoints import Checkpoints

    random = np.random.default_rng(0)
    values = [random.normal(size=shape) for shape in ((), (5,), (3, 3, 8, 8))]
    state = {"generator": [keras.Variable(np.float32(v)) for v in values]}
    Checkpoints(str(folder), state, keep=1).save(_STEP)
    files = {path.name: path.read_bytes() for path in _files(folder)}
    # The time of day would make another case of the same number.
    files["checkpoint"] = re.sub(rb"\d+\.\d+", b"1.5", files["checkpoint"])
    return files, state, [variable.numpy() for variable in state["generator"]]


def read_checkpoint(state, work, random):
    from marsgan_tf.training.checkpoints import Checkpoints

    files, owners, values = state
    chosen = sorted(files)[random.integers(len(files))]
    for name, data in files.items():
        if name == chosen:
            data = fuzz_mutations.damage(data, random)
        (work / name).write_bytes(data)
    for variable in owners["generator"]:
        variable.assign(0.0 * variable)
    assert Checkpoints(str(work), owners, keep=1).restore() == _STEP
    for variable, value in zip(owners["generator"], values, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
