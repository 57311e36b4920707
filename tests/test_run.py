"""Whole experiments, in this process and as a user starts them."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import datasets
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_runs
import vgg

from marsgan_tf import config as configs
from marsgan_tf import errors
from marsgan_tf.dataset import manifest
from marsgan_tf.training import loop, run

ROOT = pathlib.Path(__file__).parent.parent
TINY = {
    **tiny_runs.SETTINGS,
    "psnr_steps": 6,
    "gan_steps": 4,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "halve_at": (3,),
    "checkpoint_every": 2,
    "log_every": 2,
    "validate_every": 100,
    "ema_decay": 0.9,
}


OBSERVATIONS = {"B": "train", "A": "train", "C": "validation"}


def source(name, split):
    return manifest.Source(
        name=f"{name}.tif",
        bytes=1,
        sha256="0" * 64,
        observation_id=name,
        split=split,
        kept=1,
        rejected_no_data=0,
        rejected_contrast=0,
        low=0.0,
        high=1.0,
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A dataset and VGG weights, once for all tests."""
    folder = tmp_path_factory.mktemp("shared")
    written = datasets.write_dataset(folder / "pairs")
    manifest.write(
        dataclasses.replace(
            written,
            parameters={"blur_sigma": [0.8, 2.4], "noise_sigma": [0.0]},
            sources=tuple(
                source(name, split) for name, split in OBSERVATIONS.items()
            ),
        )
    )
    vgg.write_weights(folder / "vgg.h5", blocks=2)
    return {
        "dataset": str(folder / "pairs"),
        "vgg_weights": str(folder / "vgg.h5"),
    }


def tiny_config(shared, workdir, **options):
    return configs.TrainConfig(
        **{**TINY, **shared, "workdir": str(workdir), **options}
    )


def weights_of(path):
    return keras.models.load_model(path).get_weights()


@pytest.fixture(scope="module")
def whole(shared, tmp_path_factory):
    """The result of an experiment that nothing disturbed."""
    return run.run(tiny_config(shared, tmp_path_factory.mktemp("whole")))


def assert_same_file(one, other):
    for first, second in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(first, second)


def check_records(folder, dataset_sha256, steps):
    assert json.loads((folder / "dataset.json").read_text()) == {
        "sha256": dataset_sha256,
        "pairs": {"train": 11, "validation": 4},
        "observations": {"train": ["A", "B"], "validation": ["C"]},
        "blur_sigma": [0.8, 2.4],
        "noise_sigma": [0.0],
    }
    scores = json.loads((folder / "validation.json").read_text())
    assert scores.pop("step") == steps
    assert set(scores) == {"psnr", "ssim", "psnr_bicubic", "ssim_bicubic"}
    (log,) = folder.glob("logs/events.*")
    curves = logged(log, steps)
    assert scores == pytest.approx({name: curves[name] for name in scores})


def logged(path, step):
    """The validation scores of a step, from TensorBoard's file."""
    events = map(
        tf.compat.v1.Event.FromString,
        tf.data.TFRecordDataset(str(path)).as_numpy_iterator(),
    )
    return {
        value.tag.removeprefix("validation/"): float(
            tf.make_ndarray(value.tensor)
        )
        for event in events
        for value in event.summary.value
        if event.step == step and value.tag.startswith("validation/")
    }


def test_an_experiment_leaves_what_it_promises(shared, tmp_path):
    config = tiny_config(shared, tmp_path, precision="mixed_bfloat16")
    result = pathlib.Path(run.run(config))
    assert result == tmp_path / "gan" / "generator.keras"
    for stage, steps in (("psnr", 6), ("gan", 4)):
        folder = tmp_path / stage
        assert (folder / "generator.keras").is_file()
        assert list(folder.glob("logs/events.*"))
        assert (folder / f"previews/step-{steps:08d}.png").is_file()
        assert (folder / f"checkpoints/ckpt-{steps}.index").is_file()
        settings = json.loads((folder / "config.json").read_text())
        assert settings["features"] == 4
        assert len(settings["dataset_sha256"]) == 64
        check_records(folder, settings["dataset_sha256"], steps)
    generator = keras.models.load_model(result)
    assert {layer.dtype_policy.name for layer in generator.layers[1:]} == {
        "float32"  # All but the input layer, which has no numbers.
    }
    assert generator.count_params() > 1000


def test_a_finished_stage_is_not_run_again(shared, tmp_path):
    run.run(tiny_config(shared, tmp_path / "exp2", gan_steps=0))
    first = tmp_path / "exp2" / "psnr" / "generator.keras"
    stamp = first.stat().st_mtime_ns
    config = tiny_config(
        shared,
        tmp_path / "exp3",
        psnr_workdir=str(tmp_path / "exp2"),
        learning_rate=1e-30,
        ema_decay=0.0,
    )
    result = run.run(config)
    assert first.stat().st_mtime_ns == stamp
    assert not (tmp_path / "exp3" / "psnr").exists()
    # Stage 2 began from stage 1's weights: such steps change nothing.
    assert_same_file(result, first)


@pytest.mark.slow
def test_missing_stage_1_is_run_where_it_is_looked_for(shared, tmp_path):
    config = tiny_config(
        shared, tmp_path / "exp3", psnr_workdir=str(tmp_path / "exp2")
    )
    run.run(config)
    assert (tmp_path / "exp2" / "psnr" / "generator.keras").is_file()
    assert (tmp_path / "exp3" / "gan" / "generator.keras").is_file()


def test_stage_1_of_another_architecture_is_refused(shared, tmp_path):
    run.run(tiny_config(shared, tmp_path, psnr_steps=1, gan_steps=0))
    with pytest.raises(errors.ModelError, match="psnr/generator.*parameters"):
        run.run(tiny_config(shared, tmp_path, features=8))


def test_the_callers_seed_changes_nothing(shared, tmp_path, whole):
    tf.random.set_seed(0)
    first = run.run(tiny_config(shared, tmp_path, gan_steps=0))
    stage_1 = pathlib.Path(whole).parent.parent / "psnr" / "generator.keras"
    assert_same_file(first, stage_1)


@pytest.mark.slow
def test_stage_1_starts_from_a_given_generator(shared, tmp_path, whole):
    options = {"psnr_steps": 1, "gan_steps": 0, "learning_rate": 1e-9}
    found = run.run(tiny_config(shared, tmp_path, start_from=whole, **options))
    fresh = run.run(tiny_config(shared, tmp_path / "fresh", **options))
    pairs = zip(*map(weights_of, (found, whole, fresh)), strict=True)
    differs = False
    for now, before, other in pairs:
        np.testing.assert_allclose(now, before, atol=1e-8)
        differs |= not np.allclose(other, before, atol=1e-4)
    assert differs


def test_a_generator_of_another_architecture_is_no_start(
    shared, tmp_path, whole
):
    config = tiny_config(shared, tmp_path, features=8, start_from=whole)
    with pytest.raises(errors.ModelError, match="generator.*parameters"):
        run.run(config)


def interrupt_at(monkeypatch, step):
    """Sends this process SIGTERM while it takes a step of the loop."""
    compile_step = loop.compile_step
    taken = []

    def compile_with_signal(*arguments):
        take_step = compile_step(*arguments)

        def take(batch):
            taken.append(None)
            if len(taken) == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return take_step(batch)

        return take

    monkeypatch.setattr(loop, "compile_step", compile_with_signal)


@pytest.mark.parametrize(  # 6 is the last of stage 1.
    "step", [6, pytest.param(9, marks=pytest.mark.slow)]
)
def test_sigterm_saves_and_a_new_run_goes_on(
    shared, tmp_path, monkeypatch, step, whole
):
    config = tiny_config(shared, tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(
            errors.Interrupted, match="same command goes on"
        ) as caught:
            run.run(config)
    assert caught.value.signal_number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert_same_file(run.run(config), whole)


def test_begun_stage_with_other_settings_is_refused(
    shared, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(errors.Interrupted):
            run.run(tiny_config(shared, tmp_path))
    with pytest.raises(errors.SettingsError, match="batch_size=4, now"):
        run.run(tiny_config(shared, tmp_path, batch_size=2))
    # What belongs to stage 2 alone, and what is free, may differ.
    run.run(
        tiny_config(
            shared, tmp_path, gan_steps=0, content_loss="l1", log_every=5
        )
    )


def explosive(shared, workdir, **options):
    return tiny_config(
        shared, workdir, learning_rate=1e18, gan_steps=0, **options
    )


def test_a_loss_that_is_not_finite_names_step_and_pairs(shared, tmp_path):
    config = explosive(shared, tmp_path, checkpoint_every=100)
    message = r"psnr: the loss l1 is (nan|inf) at step \d \(batch: train-0"
    with pytest.raises(errors.NonFiniteLossError, match=message):
        run.run(config)
    assert not (tmp_path / "psnr" / "generator.keras").exists()


def test_weights_that_are_not_sound_are_not_saved(shared, tmp_path):
    """The loss of the step that spoils them is still finite."""
    config = explosive(shared, tmp_path, checkpoint_every=1, psnr_steps=1)
    with pytest.raises(errors.NonFiniteLossError, match="step 1 made weights"):
        run.run(config)
    assert not (tmp_path / "psnr" / "generator.keras").exists()
    assert not list(tmp_path.glob("psnr/checkpoints/*.index"))


@pytest.mark.slow
def test_after_an_explosion_a_lower_rate_goes_on(shared, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(errors.Interrupted):
            run.run(tiny_config(shared, tmp_path, gan_steps=0))
    with pytest.raises(errors.NonFiniteLossError):
        run.run(explosive(shared, tmp_path))
    assert [
        path.name for path in tmp_path.glob("psnr/checkpoints/*.index")
    ] == ["ckpt-2.index"]
    result = run.run(tiny_config(shared, tmp_path, gan_steps=0))
    assert all(np.isfinite(weight).all() for weight in weights_of(result))


def test_what_a_finished_stage_was_made_with_is_told(shared, tmp_path, caplog):
    run.run(tiny_config(shared, tmp_path, psnr_steps=1, gan_steps=0))
    config = tiny_config(shared, tmp_path, psnr_steps=2, gan_steps=0)
    with caplog.at_level("WARNING", logger="absl"):
        run.run(config)
    assert "made with psnr_steps=1, not 2" in caplog.text


def test_a_failed_start_leaves_no_claim(shared, tmp_path):
    run.run(tiny_config(shared, tmp_path, psnr_steps=1, gan_steps=0))
    with pytest.raises(errors.ModelError):
        run.run(tiny_config(shared, tmp_path, features=8))
    run.run(tiny_config(shared, tmp_path, psnr_steps=1, gan_steps=1))


@pytest.mark.slow
def test_lost_list_of_checkpoints_does_not_start_over(
    shared, tmp_path, monkeypatch, whole
):
    config = tiny_config(shared, tmp_path)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        with pytest.raises(errors.Interrupted):
            run.run(config)
    (tmp_path / "psnr/checkpoints/checkpoint").unlink()
    assert_same_file(run.run(config), whole)


def damaged_dataset(folder, how):
    datasets.write_dataset(folder)
    shard = folder / "train-00001-of-00002.tfrecord"
    content = bytearray(shard.read_bytes())
    if how == "truncated":
        content = content[:-100]
    else:
        content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    return str(folder)


@pytest.mark.parametrize(
    ("how", "told"), [("truncated", "bytes is"), ("flipped", r"record \d")]
)
def test_a_damaged_shard_is_named(shared, tmp_path, how, told):
    dataset = damaged_dataset(tmp_path / "pairs", how)
    config = tiny_config(shared, tmp_path / "run", dataset=dataset)
    with pytest.raises(
        errors.DatasetError, match=rf"train-00001-of-00002.*{told}"
    ):
        run.run(config)


def test_patches_smaller_than_asked_for(shared, tmp_path):
    with pytest.raises(errors.DatasetError, match="32 px.*--hr_size=64"):
        run.run(tiny_config(shared, tmp_path, hr_size=64))


def test_missing_vgg_weights_are_told_before_stage_1(shared, tmp_path):
    config = tiny_config(
        {**shared, "vgg_weights": "missing.h5"}, tmp_path / "run"
    )
    with pytest.raises(errors.ModelError, match=r"missing\.h5.*--vgg_weights"):
        run.run(config)
    assert not (tmp_path / "run").exists()


def as_flags(config):
    flags = []
    for name, value in dataclasses.asdict(config).items():
        if isinstance(value, tuple):
            value = ",".join(str(element) for element in value)
        flags.append(f"--{name}={value}")
    return flags


def start(config):
    return subprocess.Popen(
        [sys.executable, "-m", "marsgan_tf.train", *as_flags(config)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_in(stage, config, delay):
    """Starts a run and kills it some time after a stage's checkpoint."""
    process = start(config)
    folder = pathlib.Path(config.workdir, stage, "checkpoints")
    while not list(folder.glob("ckpt-*.index")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(delay)
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_killed_in_both_stages_a_run_ends_with_the_same_bits(shared, tmp_path):
    options = {
        "deterministic": True,
        "psnr_steps": 300,
        "gan_steps": 120,
        "checkpoint_every": 20,
    }
    whole = tiny_config(shared, tmp_path / "whole", **options)
    process = start(whole)
    _, text = process.communicate()
    assert process.returncode == 0, text

    cut = tiny_config(shared, tmp_path / "cut", **options)
    seed = time.time_ns()
    delays = np.random.default_rng(seed).random(2) * (1.0, 0.5)
    sys.stdout.write(f"delays of seed {seed}: {delays}\n")
    for stage, delay in zip(("psnr", "gan"), delays, strict=True):
        kill_in(stage, cut, delay)
        assert not (tmp_path / "cut" / stage / "generator.keras").exists()
    process = start(cut)
    _, text = process.communicate()
    assert process.returncode == 0, text
    assert "gan: resumed at step" in text
    for stage in ("psnr", "gan"):
        assert_same_file(
            tmp_path / "whole" / stage / "generator.keras",
            tmp_path / "cut" / stage / "generator.keras",
        )


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_500_adversarial_steps_stay_finite(shared, tmp_path, precision):
    config = tiny_config(
        shared,
        tmp_path,
        blocks=2,
        features=16,
        growth=8,
        discriminator_filters=8,
        hr_size=32,
        psnr_steps=50,
        gan_steps=500,
        precision=precision,
        checkpoint_every=250,
        log_every=100,
    )
    result = run.run(config)
    before = weights_of(tmp_path / "psnr" / "generator.keras")
    changed = [
        np.any(one != other)
        for one, other in zip(before, weights_of(result), strict=True)
    ]
    assert all(changed)


def test_missing_dataset_is_one_line_with_advice(tmp_path):
    process = start(
        configs.TrainConfig(
            dataset=str(tmp_path / "none"), workdir=str(tmp_path / "run")
        )
    )
    _, text = process.communicate()
    assert process.returncode == 1
    assert len(text.splitlines()) == 1
    assert "pipelines.build_tfrecords" in text
    assert "pipelines.quickstart" in text


def test_memory_that_does_not_suffice_is_one_line_with_advice(
    shared, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when ...")

    monkeypatch.setattr(loop, "train", refuse)
    with pytest.raises(errors.OutOfMemoryError, match="--micro_batches.*OOM"):
        run.run(tiny_config(shared, tmp_path))
