import json
import zipfile

import keras
import numpy as np
import pytest
from tiny_generators import images, scattered

from marsgan_tf import errors
from marsgan_tf.models import files


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "g.keras"
    files.save_generator(scattered(conditioned=True), path)
    return path


@pytest.mark.parametrize(
    "architecture, options",
    [
        ("esrgan", {}),
        ("marsgan", {"trunk_skip": True, "per_channel": True}),
        ("marsgan", {"noise_weight": 0.5, "scale": 2, "blocks": 3}),
        ("marsgan", {"conditioned": True, "reconstruction_channels": 3}),
    ],
)
def test_a_generator_comes_back(tmp_path, architecture, options):
    generator = scattered(architecture, **options)
    path = tmp_path / "g.keras"
    files.save_generator(generator, path)
    found = files.load_generator(path)
    assert found.name == architecture
    for mine, others in zip(found.weights, generator.weights, strict=True):
        assert mine.name == others.name and mine.dtype == others.dtype
        np.testing.assert_array_equal(mine.numpy(), others.numpy())
    inputs = [images(1, 5, 6), np.float32([[1.2, 0.01]])]
    inputs = inputs[: len(generator.inputs)]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    np.testing.assert_array_equal(found(inputs), generator(inputs))


def test_a_model_that_is_no_generator(tmp_path):
    path = tmp_path / "other.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(errors.ModelError, match="no generator"):
        files.load_generator(path)


def test_older_formats_are_not_read_at_all(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"anything")
    with pytest.raises(errors.ModelError, match="must end in .keras"):
        files.load_generator(str(path))


def _shipping(tmp_path, layer):
    """A generator's file whose config names another layer."""
    path, made = tmp_path / "g.keras", tmp_path / "made.keras"
    files.save_generator(scattered(), str(made))
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                body = json.loads(data)
                body["config"]["layers"].append(layer)
                data = json.dumps(body)
            new.writestr(name, data)
    return str(path)


def _layer(module, name, **config):
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "evil", **config},
        "registered_name": None,
        "build_config": {},
        "name": "evil",
        "inbound_nodes": [],
    }


@pytest.mark.parametrize("kind", ["lambda", "function", "module"])
def test_a_strangers_code_is_not_run(tmp_path, kind):
    proof = tmp_path / "proof"
    layer = {
        "lambda": lambda: _layer(
            "keras.layers",
            "Lambda",
            function={
                "class_name": "__lambda__",
                "config": {"code": "4wAA", "defaults": None, "closure": None},
            },
        ),
        "function": lambda: _layer("os", "system", command=f"touch {proof}"),
        "module": lambda: _layer(
            "subprocess", "Popen", args=["touch", str(proof)]
        ),
    }[kind]()
    with pytest.raises(errors.ModelError):
        files.load_generator(_shipping(tmp_path, layer))
    assert not proof.exists()


def test_members_do_not_leave_the_archive(tmp_path):
    path = tmp_path / "g.keras"
    files.save_generator(scattered(), str(path))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("../escaped", "x")
        file.writestr("/tmp/../escaped", "x")
    files.load_generator(str(path))
    assert not (tmp_path.parent / "escaped").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.keras"]


def rewritten(path, tmp_path, name, change, **options):
    """A copy of a generator file, one member of it changed."""
    copy = tmp_path / "changed.keras"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            data = change(data) if member == name else data
            new.writestr(member, data, **options)
    return str(copy)


def test_any_flipped_bit_of_the_weights_is_noticed(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as file:
        info = file.getinfo("model.weights.h5")
    path = tmp_path / "flipped.keras"
    # The last are the weights themselves: nothing else would tell.
    for back in (9, 99, 999):
        spoilt = data.copy()
        spoilt[info.header_offset + info.file_size - back] ^= 1
        path.write_bytes(spoilt)
        with pytest.raises(errors.ModelError, match="CRC-32"):
            files.load_generator(str(path))


@pytest.mark.parametrize(
    "told, instead, message",
    [
        (b'"filters": 8', b'"filters": 900', "too few weights"),
        (b'"growth": 4', b'"growth": 1000000', "growth=1000000"),
        (b'"growth": 4', b'"growth": true', "growth is True, no int"),
        (b'"growth": 4', b'"growth": 5', "could not be loaded"),
        (b'"scale": 4', b'"scale": 0', "scale=0"),
        (b'"scale": 4', b'"scale": 2', "could not be loaded"),
        (b"AWMSR", b"Lambda", "layers are not those of marsgan"),
        (b'"awrrdb_0"', b'"awrrdb_1"', "awrrdb_0"),
        (b"{", b"[", "Expecting"),
    ],
)
def test_a_changed_description_is_refused(
    saved, tmp_path, told, instead, message
):
    path = rewritten(
        saved,
        tmp_path,
        "config.json",
        lambda data: data.replace(told, instead),
    )
    with pytest.raises(errors.ModelError, match=message):
        files.load_generator(path)


def test_a_strangers_other_description_builds_what_ours_do(saved, tmp_path):
    """Of what is no size, such as a stride, nothing is heeded."""
    expected = files.load_generator(str(saved))
    path = rewritten(
        saved,
        tmp_path,
        "config.json",
        lambda data: data.replace(b'"strides": [1, 1]', b'"strides": [2, 2]'),
    )
    inputs = [images(1, 5, 6), np.float32([[1.2, 0.01]])]
    found = files.load_generator(path)
    np.testing.assert_array_equal(found(inputs), expected(inputs))


def test_compressed_members_are_refused(saved, tmp_path):
    path = rewritten(
        saved,
        tmp_path,
        "",
        bytes,
        compress_type=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(errors.ModelError, match="config.json is compressed"):
        files.load_generator(path)
