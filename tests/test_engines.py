import concurrent.futures
import dataclasses
import functools
import importlib.util
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import models
import numpy as np
import pytest
import rasters
from tiny_generators import images

from marsgan_tf import errors
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.inference import engines

ROOT = pathlib.Path(__file__).parent.parent
KINDS = ("plain", "conditioned", "esrgan")
NAMES = ("openvino", "saved_model")
TOLD = (models.BLUR_SIGMA, models.NOISE_SIGMA)


def open_model(
    folder,
    name,
    *,
    precision="float32",
    told=TOLD,
    threads=0,
    samples=0,
):
    folder = descriptions.find(str(folder))
    return engines.open_engine(
        name,
        folder,
        descriptions.load(folder),
        precision=precision,
        degradation=Degradation(blur_sigma=told[0], noise_sigma=told[1]),
        threads=threads,
        samples=samples,
    )


def open_described(folder, description, name):
    return engines.open_engine(
        name,
        folder,
        description,
        precision="float32",
        degradation=description.degradation,
        threads=0,
        samples=0,
    )


@functools.cache
def engine(kind, name, precision="float32", told=TOLD):
    """An engine that tests share, since opening takes a while."""
    return open_model(
        models.exported(kind), name, precision=precision, told=told
    )


def by_keras(kind, lr, told=TOLD):
    inputs = lr
    if kind == "conditioned":
        inputs = [lr, np.float32([told] * len(lr))]
    return np.asarray(models.generator(kind)(inputs))


def inner(sr):
    """Without the outermost ring, where a folded network may differ."""
    return sr[:, 4:-4, 4:-4]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 40, 52), (1, 17, 16)])
def test_float32_is_keras_in_both(kind, shape):
    lr = images(*shape)
    expected = by_keras(kind, lr)
    scale = np.abs(expected).max()
    openvino, saved_model = (engine(kind, n).restore(lr) for n in NAMES)
    assert openvino.shape == expected.shape
    assert openvino.dtype == saved_model.dtype == np.float32
    for found in (openvino, saved_model):
        error = np.abs(inner(found - expected)).max()
        assert error < 1e-5 * scale
    np.testing.assert_allclose(openvino, saved_model, atol=2e-6 * scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_stays_near_float32(kind, name):
    """Root mean square; measured 3e-4 to 1.5e-3 of the deviation."""
    lr = images(2, 40, 52)
    exact = engine(kind, name).restore(lr)
    found = engine(kind, name, "bfloat16").restore(lr)
    error = np.sqrt(np.mean(np.square(found - exact, dtype=np.float64)))
    assert error < 2e-3 * exact.std()


@pytest.mark.parametrize("name", NAMES)
def test_engines_say_what_they_are(name):
    for precision in ("float32", "bfloat16"):
        found = engine("plain", name, precision)
        assert (found.name, found.precision) == (name, precision)
        assert found.concurrency >= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("told", [(0.0, 0.0), (2.0, 0.03)])
def test_conditioned_models_are_told_the_degradation(name, told):
    lr = images(2, 24, 26, seed=1)
    expected = by_keras("conditioned", lr, told)
    found = engine("conditioned", name, told=told).restore(lr)
    scale = np.abs(expected).max()
    assert np.abs(inner(found - expected)).max() < 1e-5 * scale
    # And it makes a difference.
    other = engine("conditioned", name).restore(lr)
    assert np.abs(inner(found - other)).max() > 1e-2 * scale


@pytest.mark.parametrize("name", NAMES)
def test_another_degradation_leaves_the_first_as_it_was(name):
    lr = images(1, 24, 26, seed=1)
    first = engine("conditioned", name)
    before = first.restore(lr)
    other = first.told(Degradation(blur_sigma=2.0, noise_sigma=0.03))
    assert (other.name, other.precision) == (first.name, first.precision)
    np.testing.assert_array_equal(
        other.restore(lr),
        engine("conditioned", name, told=(2.0, 0.03)).restore(lr),
    )
    np.testing.assert_array_equal(first.restore(lr), before)


def test_openvino_restores_in_any_thread():
    restore = engine("plain", "openvino").restore
    batches = [images(1, 20 + i, 30 - i, seed=i) for i in range(12)]
    expected = [restore(lr) for lr in batches]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(restore, batches))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_an_answer_stays_when_the_next_one_comes():
    restore = engine("plain", "openvino").restore
    first = restore(images(1, 20, 20, seed=0))
    kept = first.copy()
    restore(images(1, 20, 20, seed=1))
    np.testing.assert_array_equal(first, kept)


def test_any_array_will_do():
    """Also one that is neither contiguous nor at the start of its memory."""
    lr = images(1, 20, 24, seed=2)
    spread = np.zeros((1, 41, 49, 1), np.float32)
    spread[:, 1::2, 1::2] = lr
    for name in NAMES:
        restore = engine("plain", name).restore
        np.testing.assert_array_equal(
            restore(spread[:, 1::2, 1::2]), restore(lr)
        )


def test_threads_do_not_change_the_answer():
    lr = images(1, 24, 30)
    one = open_model(models.exported("plain"), "openvino", threads=1)
    assert one.concurrency == 1
    expected = engine("plain", "openvino").restore(lr)
    np.testing.assert_allclose(
        one.restore(lr), expected, atol=2e-6 * np.abs(expected).max()
    )


def test_samples_are_functions_of_seed_and_place():
    sampler = engine("noisy", "saved_model")
    lr = images(1, 24, 30)
    draw = functools.partial(sampler.sample, lr, row=-8, col=64)
    np.testing.assert_array_equal(draw(seed=5), draw(seed=5))
    spread = sampler.restore(lr).std()
    assert np.abs(draw(seed=5) - draw(seed=6)).max() > 1e-2 * spread
    moved = sampler.sample(lr, row=-7, col=64, seed=5)
    assert np.abs(draw(seed=5) - moved).max() > 1e-2 * spread


def test_samples_of_conditioned_models_are_told_the_degradation():
    lr = images(1, 24, 30)
    found = [
        engine("conditioned", "saved_model", told=told).sample(
            lr, row=0, col=0, seed=1
        )
        for told in (TOLD, (2.0, 0.03))
    ]
    assert np.abs(found[0] - found[1]).max() > 1e-2 * found[0].std()


def test_samples_without_noise_are_the_restoration():
    sampler = engine("plain", "saved_model")
    lr = images(1, 24, 30)
    for seed in (0, 1):
        np.testing.assert_array_equal(
            sampler.sample(lr, row=3, col=4, seed=seed), sampler.restore(lr)
        )


@pytest.fixture
def chosen(monkeypatch):
    """Which engine `auto` takes on a machine that is described."""
    folder = descriptions.find(models.exported("plain"))
    description = descriptions.load(folder)

    def choose(*, openvino=True, gpu=False, precision="float32", samples=0):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: {"openvino": openvino}[name] or None,
        )
        monkeypatch.setattr(
            os.path, "exists", lambda path: {"/dev/nvidia0": gpu}[path]
        )
        for name in NAMES:
            monkeypatch.setattr(
                engines, f"_{name}", lambda *_, name=name, **__: name
            )
        return engines.open_engine(
            "auto",
            folder,
            dataclasses.replace(description, precision=precision),
            precision="auto",
            degradation=description.degradation,
            threads=0,
            samples=samples,
        )

    return choose


def test_auto_is_openvino_where_it_can_be(chosen):
    assert chosen() == "openvino"
    assert chosen(openvino=False) == "saved_model"
    assert chosen(gpu=True) == "saved_model"
    assert chosen(samples=3) == "saved_model"
    assert chosen(precision="bfloat16") == "saved_model"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("has_it", [True, False])
def test_precision_is_what_the_processor_has(monkeypatch, name, has_it):
    if name == "openvino":
        from marsgan_tf.inference import openvino_engine

        monkeypatch.setattr(
            openvino_engine, "supports_bfloat16", lambda: has_it
        )
    else:
        monkeypatch.setattr(engines, "_processor_has_bfloat16", lambda: has_it)
    folder = models.exported("plain")
    found = open_model(folder, name, precision="auto")
    assert found.precision == ("bfloat16" if has_it else "float32")


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("fpu avx512f avx512_bf16 sse", True),
        ("fpu amx_bf16", True),
        ("Features : fp asimd bf16 i8mm", True),  # Of ARM.
        ("fpu avx2 avx512f avx512_bf16x", False),
    ],
)
def test_bfloat16_is_found_by_the_processors_features(
    monkeypatch, tmp_path, flags, expected
):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(engines, "_CPU_INFO", str(info))
    assert engines._processor_has_bfloat16() is expected
    monkeypatch.setattr(engines, "_CPU_INFO", str(tmp_path / "none"))
    assert engines._processor_has_bfloat16() is False


def test_a_bfloat16_export_is_refused_by_openvino():
    folder = descriptions.find(models.exported("plain"))
    description = dataclasses.replace(
        descriptions.load(folder), precision="bfloat16"
    )
    with pytest.raises(errors.ModelError) as caught:
        open_described(folder, description, "openvino")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder}: was exported with --precision=")
    assert "use --engine=saved_model" in message


def test_openvino_draws_no_ensemble():
    with pytest.raises(errors.SettingsError, match="--engine=saved_model"):
        open_model(models.exported("noisy"), "openvino", samples=2)


def test_missing_openvino_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in ("openvino_core", "openvino_int8", "openvino_engine"):
        module = f"marsgan_tf.inference.{name}"
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.delattr(module, raising=False)
    with pytest.raises(errors.SettingsError, match="requirements-openvino"):
        open_model(models.exported("plain"), "openvino")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damaged",
    ["saved_model.pb", "variables/variables.data-00000-of-00001"],
)
@pytest.mark.parametrize("keep", [0, 300])
def test_damaged_models_are_told_in_one_line(tmp_path, name, damaged, keep):
    source = descriptions.find(models.exported("plain"))
    description = descriptions.load(source)
    folder = pathlib.Path(shutil.copytree(source, tmp_path / "copy"))
    path = folder / damaged
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(errors.ModelError) as caught:
        open_described(str(folder), description, name)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder}: ")
    assert "export it again" in message


def test_other_models_of_openvino_cannot_be_told(tmp_path):
    """A model that is said to be conditioned, and is not."""
    folder = descriptions.find(models.exported("plain"))
    description = dataclasses.replace(
        descriptions.load(folder), conditioned=True
    )
    with pytest.raises(errors.ModelError, match="cannot tell.*saved_model"):
        open_described(folder, description, "openvino")


def test_log_handlers_survive_openvino(monkeypatch):
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    monkeypatch.delitem(
        sys.modules, "marsgan_tf.inference.openvino_engine", raising=False
    )
    before = list(logging.root.handlers)
    try:
        open_model(models.exported("plain"), "openvino")
        assert logging.root.handlers == before
    finally:
        logging.root.removeHandler(handler)


def run(code, *arguments, **environment):
    """What a fresh process prints last."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SIGNALLED = """
import faulthandler, gc, signal, sys
import numpy as np
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.inference import engines

faulthandler.enable()  # It has a stack for signals too.
(folder,) = sys.argv[1:]
found = descriptions.load(folder)
opened = [
    engines.open_engine(
        "openvino",
        folder,
        found,
        precision="float32",
        degradation=found.degradation,
        threads=1,
        samples=0,
    )
    for _ in range(2)
]
for engine in opened:
    engine.restore(np.zeros((1, 20, 20, 1), np.float32))
del engine
while opened:
    opened.pop(0)  # The first goes first.
gc.collect()
signal.signal(signal.SIGTERM, lambda number, frame: print("heard"))
signal.raise_signal(signal.SIGTERM)
"""


def test_signals_are_heard_after_engines_are_gone():
    folder = descriptions.find(models.exported("plain"))
    assert run(SIGNALLED, folder) == "heard"


def test_openvino_reports_to_nobody(tmp_path):
    code = """
        from marsgan_tf.inference import openvino_engine
        import openvino.tools.ovc, sys
        print(openvino.tools.ovc.telemetry.__class__.__module__)
    """
    # Its telemetry keeps an identity there before it sends anything.
    found = run(code, HOME=str(tmp_path))
    assert found == "openvino.tools.ovc.telemetry_stub"
    assert not os.listdir(tmp_path)


PREDICT = """
import sys
import numpy as np
from marsgan_tf.inference import predicting
from marsgan_tf.config import PredictConfig

heavy = ("tensorflow", "keras", "matplotlib", "openvino")
before = [name for name in heavy if name in sys.modules]
model, image, output, engine = sys.argv[1:]
predicting.predict(
    PredictConfig(
        input=(image,), output=output, model=model, engine=engine, threads=1
    )
)
print(before, [name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize(
    "name, loaded",
    [("openvino", "['openvino']"), ("saved_model", "['tensorflow']")],
)
def test_only_the_engine_in_use_is_loaded(tmp_path, name, loaded):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 24))
    image = rasters.write_gdal(
        tmp_path / "image.png", pixels.astype(np.uint8), "PNG"
    )
    output = str(tmp_path / "output.tif")
    found = run(PREDICT, models.exported("plain"), image, output, name)
    assert found == f"[] {loaded}"
    assert os.path.exists(output)


KERAS_AFTERWARDS = """
import gc, os, sys
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.inference import engines

folder = descriptions.find(sys.argv[1])
description = descriptions.load(folder)
engines.open_engine(
    "saved_model", folder, description, precision="float32",
    degradation=description.degradation, threads=1, samples=0,
)
assert "keras" not in sys.modules
assert gc.isenabled() and "TF_USE_LEGACY_KERAS" not in os.environ
import tensorflow as tf
print(tf.keras.__version__.split(".")[0])
"""


def test_keras_can_be_used_after_an_engine():
    assert run(KERAS_AFTERWARDS, models.exported("plain")) == "3"
