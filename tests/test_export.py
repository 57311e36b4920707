"""From a trained generator to a model on disk, and what goes wrong there."""

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from exports import break_a_weight, export, names
from tiny_generators import images, scattered

from marsgan_tf import __version__, config, errors, staging
from marsgan_tf.deployment import description, parity, saved_model
from marsgan_tf.models import files

ROOT = pathlib.Path(__file__).parent.parent
RECORDS = {
    "config": {"features": 8, "workdir": "/home/me/run", "dataset": "/data/x"},
    "dataset": {
        "sha256": "f" * 64,
        "blur_sigma": [0.0, 2.4],
        "noise_sigma": [0.0, 0.01],
    },
    "validation": {"step": 600, "psnr": 30.5},
}
VARIABLES = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of both stages, of which only the last wrote records."""
    folder = tmp_path_factory.mktemp("run")
    generators = {"psnr": scattered(seed=1), "gan": scattered(conditioned=True)}
    for stage, generator in generators.items():
        (folder / stage).mkdir()
        files.save_generator(generator, folder / stage / "generator.keras")
    for name, data in RECORDS.items():
        path = folder / "gan" / f"{name}.json"
        path.write_text(json.dumps(data))
    return folder


@pytest.fixture(scope="module")
def weights(run):
    return str(run / "psnr" / "generator.keras")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """Two versions: of the run, and of its stage 1's file."""
    folder = tmp_path_factory.mktemp("saved_models") / "mars"
    export(folder, workdir=str(run))
    export(
        folder,
        weights=str(run / "psnr" / "generator.keras"),
        precision="bfloat16",
        noise_sigma=0.004,
    )
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    """A version that may be damaged."""
    return pathlib.Path(shutil.copytree(exported / "1", tmp_path / "copy"))


def test_versions_count_up(exported):
    assert names(exported) == ["1", "2"]
    assert sorted(description.versions(str(exported))) == [1, 2]
    assert description.find(str(exported)) == str(exported / "2")
    assert description.find(str(exported / "1")) == str(exported / "1")


def test_last_stage_is_exported_with_its_records(exported, run):
    found = description.load(str(exported / "1"))
    generator = files.load_generator(run / "gan" / "generator.keras")
    assert (found.name, found.version) == ("mars", 1)
    assert found.architecture == {
        "name": "marsgan",
        "blocks": 1,
        "features": 8,
        "growth": 4,
    }
    assert found.parameters == generator.count_params()
    assert (found.scale, found.precision) == (4, "float32")
    assert (found.conditioned, found.has_noise) == (True, True)
    assert found.training == {
        **RECORDS,
        "stage": "gan",
        "config": {"features": 8},  # Paths are nobody's concern.
    }
    assert found.written_by == {
        "marsgan_tf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    # In the middle of what it was trained on.
    assert found.degradation.blur_sigma == pytest.approx(1.2)
    assert found.degradation.noise_sigma == pytest.approx(0.005)


def test_a_file_is_exported_with_what_the_flags_say(exported):
    found = description.load(str(exported / "2"))
    assert (found.version, found.precision) == (2, "bfloat16")
    assert not found.conditioned
    assert found.training == {}
    assert found.degradation == description.Degradation(
        blur_sigma=1.6, noise_sigma=0.004
    )


def test_parity_is_measured(exported):
    for version in ("1", "2"):
        parity = description.load(str(exported / version)).parity
        assert set(parity) == {"float32", "bfloat16"}
        single, half = parity["float32"], parity["bfloat16"]
        assert 0 < single["rms"] < single["max"] < 1e-4
        assert 10 * single["rms"] < half["rms"] < half["max"] < 0.05


def test_files_are_hashed(exported):
    folder = exported / "1"
    expected = {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "model.json"
    }
    assert description.load(str(folder)).files == expected
    assert VARIABLES in expected


def test_what_was_exported_answers_as_keras(exported, run):
    lr = images(1, 9, 10, seed=1)
    generator = files.load_generator(run / "gan" / "generator.keras")
    told = np.float32([[1.2, 0.005]])
    expected = np.asarray(generator([lr, told]))[:, 1:-1, 1:-1]
    model = tf.saved_model.load(str(exported / "1"))
    answer = model.signatures["serving_default"](lr=tf.constant(lr))["sr"]
    np.testing.assert_allclose(
        answer[:, 1:-1, 1:-1], expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", [VARIABLES, "saved_model.pb"])
def test_a_flipped_byte_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(errors.ModelError, match=f"{name}: is not what was"):
        description.load(str(copy))


def test_a_missing_file_is_named(copy):
    (copy / VARIABLES).unlink()
    with pytest.raises(errors.ModelError, match=f"{VARIABLES}: is missing"):
        description.load(str(copy))


def other_format(body):
    # As a later program may write it: other fields as well.
    return {"format": 2, "name": body["name"]}


@pytest.mark.parametrize(
    "change, message",
    [
        (other_format, "of format 2, this program reads 1"),
        (lambda body: [body], "malformed"),
        (
            lambda body: {k: v for k, v in body.items() if k != "format"},
            "format",
        ),
        (lambda body: {k: v for k, v in body.items() if k != "scale"}, "scale"),
        (lambda body: body | {"surplus": 1}, "surplus"),
        (lambda body: body | {"files": []}, "files is .*no dict"),
        (lambda body: body | {"scale": "4"}, "scale is '4', no int"),
        (
            lambda body: body | {"degradation": {"blur_sigma": 1.0}},
            "noise_sigma",
        ),
        (
            lambda body: (
                body | {"degradation": {"blur_sigma": "1", "noise_sigma": 0}}
            ),
            "blur_sigma is '1'",
        ),
        (lambda body: body | {"files": {"../weights": ""}}, "outside, ../weig"),
        (lambda body: body | {"files": {"/etc/hostname": ""}}, "outside, /etc"),
        (lambda body: body | {"files": {"a/../../b": ""}}, "outside, a/"),
    ],
)
def test_a_description_that_is_wrong_is_refused(copy, change, message):
    path = copy / "model.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(errors.ModelError, match=message) as caught:
        description.load(str(copy))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"format": 1,'])
def test_a_description_that_is_no_json_is_refused(copy, content):
    (copy / "model.json").write_bytes(content)
    with pytest.raises(errors.ModelError, match="model.json: .*export"):
        description.load(str(copy))


def test_a_description_survives_json(exported):
    found = description.load(str(exported / "1"))
    again = description.Description.from_json(found.to_json())
    assert again == found
    assert dataclasses.replace(again, version=2) != found


def test_incomplete_versions_are_neither_found_nor_overwritten(tmp_path):
    for name in ("3", "007", "x", ".partial.4"):
        (tmp_path / name).mkdir()
    with pytest.raises(
        errors.ModelError, match=r"no exported.*marsgan_tf\.exp"
    ):
        description.find(str(tmp_path))
    with pytest.raises(errors.ModelError, match="no exported"):
        description.find(str(tmp_path / "none"))
    assert description.next_version(str(tmp_path)) == 4
    assert description.next_version(str(tmp_path / "none")) == 1
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "model.json").touch()
    assert description.find(str(tmp_path)) == str(tmp_path / "2")


@pytest.mark.parametrize("stages", [["psnr"], ["psnr", "gan"]])
def test_stage_1_is_exported_where_there_is_no_other_or_on_demand(
    run, tmp_path, stages
):
    for stage in stages:
        shutil.copytree(run / stage, tmp_path / "run" / stage)
    wanted = "" if len(stages) == 1 else "psnr"
    export(tmp_path / "out", workdir=str(tmp_path / "run"), stage=wanted)
    assert description.load(str(tmp_path / "out" / "1")).training == {
        "stage": "psnr"
    }


def test_another_file_may_come_with_its_runs_records(run, weights, tmp_path):
    """Of the run but for the scores, which are not the file's."""
    export(tmp_path / "out", workdir=str(run), weights=weights)
    found = description.load(str(tmp_path / "out" / "1"))
    assert not found.conditioned  # As stage 1's file, unlike the run's last.
    assert found.training == {
        **{name: RECORDS[name] for name in RECORDS if name != "validation"},
        "weights": "generator.keras",
        "stage": "gan",
        "config": {"features": 8},
    }


def broken_run(folder, run):
    shutil.copytree(run, folder)
    (folder / "gan" / "dataset.json").write_text("[1, 2")
    return {"workdir": str(folder)}


def damaged_file(folder, run):
    folder.mkdir()
    content = (run / "gan" / "generator.keras").read_bytes()
    path = folder / "generator.keras"
    path.write_bytes(content[: len(content) // 2])
    return {"weights": str(path)}


def no_finished_stage(folder, run):
    (folder / "gan" / "checkpoints").mkdir(parents=True)
    return {"workdir": str(folder)}


def another_stage(folder, run):
    shutil.copytree(run / "gan", folder / "gan")
    return {"workdir": str(folder), "stage": "psnr"}


@pytest.mark.parametrize(
    "prepare, message",
    [
        (broken_run, "dataset.json: not readable.*--weights"),
        (damaged_file, "generator.keras: no generator file, or a damaged"),
        (no_finished_stage, "no finished stage; .*marsgan_tf.train"),
        (another_stage, "no finished stage psnr; "),
        (lambda *_: {"weights": "none.keras"}, "none.keras: no such"),
    ],
)
def test_nothing_is_left_of_what_cannot_be_exported(
    run, tmp_path, prepare, message
):
    options = prepare(tmp_path / "run", run)
    output = tmp_path / "out"
    with pytest.raises(errors.ModelError, match=message) as caught:
        export(output, **options)
    assert "\n" not in str(caught.value)
    assert not output.exists() or names(output) == []


def test_only_numbers_agree():
    answer = np.random.default_rng(4).random((1, 40, 44, 1), dtype=np.float32)
    same = parity.compare(answer, answer, "float32", "mars/1")
    assert same == {"rms": 0.0, "max": 0.0}
    flat = np.full_like(answer, 0.5)  # Of a generator that collapsed.
    assert parity.compare(flat, flat, "float32", "mars/1") == same
    spoilt = answer.copy()
    spoilt[0, 20, 20] = np.nan
    with pytest.raises(errors.ModelError, match="mars/1: answers otherwise"):
        parity.compare(answer, spoilt, "float32", "mars/1")
    with pytest.raises(errors.ModelError, match=r"shape \(1, 40, 44\) instea"):
        parity.compare(answer, answer[..., 0], "float32", "mars/1")
    with pytest.raises(errors.ModelError, match="answers NaN or infinity"):
        parity.compare(spoilt, spoilt, "float32", "mars/1")


@pytest.mark.parametrize(
    "precision, rms", [("float32", 1e-4), ("bfloat16", 5e-3)]
)
def test_parity_is_measured_in_standard_deviations(precision, rms):
    random = np.random.default_rng(5)
    answer = random.normal(3.0, 0.2, (1, 60, 64, 1))
    error = random.normal(0.0, 0.2, answer.shape)
    error[:, 4:-4, 4:-4] /= np.sqrt(np.mean(error[:, 4:-4, 4:-4] ** 2)) / 0.2
    error[:, :4] = 10.0  # The rim does not count.
    found = parity.compare(answer, answer + 0.9 * rms * error, precision, "x")
    assert found["rms"] == pytest.approx(0.9 * rms, rel=0.05)
    with pytest.raises(errors.ModelError, match="x: answers otherwise"):
        parity.compare(answer, answer + 1.1 * rms * error, precision, "x")


def test_a_model_that_answers_otherwise_is_not_exported(
    exported, weights, tmp_path, monkeypatch
):
    (tmp_path / "mars").mkdir()
    (tmp_path / "mars" / "mine.txt").touch()
    break_a_weight(monkeypatch, saved_model)
    with pytest.raises(
        errors.ModelError, match=r"mars/1: answers.*nothing was"
    ):
        export(tmp_path / "mars", weights=weights)
    assert names(tmp_path / "mars") == ["mine.txt"]


def test_two_exports_at_once_do_not_mix(exported, weights, monkeypatch):
    before = (exported / "2" / "model.json").read_bytes()
    monkeypatch.setattr(description, "next_version", lambda path: 2)
    with pytest.raises(OSError) as caught:
        export(exported, weights=weights)
    assert caught.value.filename == str(exported / "2")
    assert names(exported) == ["1", "2"]
    assert (exported / "2" / "model.json").read_bytes() == before


def test_output_that_is_a_file_is_named(weights, tmp_path):
    (tmp_path / "mars").touch()
    with pytest.raises(OSError) as caught:
        export(tmp_path / "mars", weights=weights)
    assert caught.value.filename == str(tmp_path / "mars" / "1")
    assert names(tmp_path) == ["mars"]


def test_read_only_output_is_named():
    folder = pathlib.Path(tempfile.mkdtemp())  # Which others may enter.
    folder.chmod(0o555)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # Whom permissions bind.
    try:
        with pytest.raises(PermissionError) as caught:
            with staging.staged_folder(str(folder / "1")):
                pass
    finally:
        if is_root:
            os.seteuid(0)
    assert caught.value.filename == str(folder / "1")
    assert names(folder) == []
    folder.chmod(0o755)
    folder.rmdir()


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_the_last_file_is_told(
    weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(description.Description, "to_json", full_disk)
    with pytest.raises(OSError) as caught:
        export(tmp_path / "mars", weights=weights)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "mars" / "1")
    assert names(tmp_path / "mars") == []


def start(*flags, limit=resource.RLIM_INFINITY):
    """Starts the command; files may grow to `limit` bytes."""
    code = textwrap.dedent(
        f"""
        import resource, runpy, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        sys.argv = ["export", *{list(flags)!r}]
        runpy.run_module("marsgan_tf.export", run_name="__main__")
        """
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_and_the_same_on_a_full_disk(run, tmp_path):
    """At once, since both spend their time with loading TensorFlow."""
    flags = [f"--workdir={run}", "--blur_sigma=0.5"]
    whole = start(*flags, f"--output={tmp_path / 'whole'}")
    cut = start(*flags, f"--output={tmp_path / 'cut'}", limit=100_000)

    _, text = whole.communicate()
    assert whole.returncode == 0, text
    assert len(text.splitlines()) == 1
    assert f"exported {run}/gan/generator.keras to {tmp_path}/whole/1" in text
    found = description.load(str(tmp_path / "whole" / "1"))
    assert found.degradation.blur_sigma == 0.5
    assert found.degradation.noise_sigma == pytest.approx(0.005)

    _, text = cut.communicate()
    assert cut.returncode == 1, text
    assert len(text.splitlines()) == 1
    assert "File too large" in text
    assert "free some space" in text
    assert f"{tmp_path}/cut/1: " in text
    assert "partial" not in text
    assert names(tmp_path / "cut") == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weights": "a.keras", "output": ""}, "`output` must be given"),
        ({}, "`weights` must be given, or workdir"),
        ({"weights": "a.keras", "stage": "gan"}, "`stage` must be left out"),
        ({"weights": "a", "format": "tflite"}, "`format` must be one of"),
        (
            {"weights": "a", "precision": "float16"},
            "`precision` must be one of",
        ),
        ({"weights": "a", "format": "onnx"}, "a .onnx file with format=onnx"),
        ({"weights": "a", "output": "a.onnx"}, "to a folder without"),
        (
            {
                "weights": "a",
                "format": "onnx",
                "output": "a.onnx",
                "precision": "bfloat16",
            },
            "float32 with format=onnx",
        ),
        (
            {
                "weights": "a",
                "format": "onnx",
                "output": "a.onnx",
                "noise_sigma": 0.01,
            },
            "`noise_sigma` must be left out",
        ),
        (
            {"weights": "a", "blur_sigma": float("nan")},
            "`blur_sigma` must be fi",
        ),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        config.ExportConfig(**{"output": "out", **options})


def test_what_has_no_hash_is_not_loaded(exported, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(exported / "1", copy)
    path = copy / description.FILE_NAME
    body = json.loads(path.read_text())
    for name in ("saved_model.pb", "variables/variables.index"):
        files = {k: v for k, v in body["files"].items() if k != name}
        path.write_text(json.dumps({**body, "files": files}))
        with pytest.raises(errors.ModelError, match="no hash of"):
            description.load(str(copy))
