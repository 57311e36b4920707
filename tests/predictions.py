"""The prediction command for tests, in this process and as users start it."""

import operator
import os
import pathlib
import subprocess
import sys
import unittest.mock

import models
import numpy as np

from marsgan_tf.config import PredictConfig
from marsgan_tf.inference import predicting

ROOT = pathlib.Path(__file__).parent.parent
SCALE = 4


def image(height=40, width=50, bands=1, dtype="uint8", seed=0):
    """Noise between 40 and 220: `(height, width, bands)`."""
    random = np.random.default_rng(seed)
    return random.integers(40, 221, (height, width, bands)).astype(dtype)


def enlarged(array):
    """Every pixel four by four times."""
    return np.repeat(np.repeat(array, SCALE, axis=0), SCALE, axis=1)


def settings(source, output, **options):
    """Of a prediction by a tiny model, exact and the same on all machines."""
    given = {
        "input": (str(source),),
        "output": str(output),
        "model": models.exported("plain"),
        "engine": "openvino",
        "precision": "float32",
    }
    return {**given, **options}


def predict(source, output, **options):
    """Predicts in this process; returns the output's path."""
    config = PredictConfig(**settings(source, output, **options))
    with unittest.mock.patch.object(predicting, "load_model", _load_once):
        predicting.predict(config)
    return str(output)


_load = predicting.load_model
_loaded = {}
_key = operator.attrgetter(
    "model",
    "interpolate",
    "engine",
    "precision",
    "blur_sigma",
    "noise_sigma",
    "samples",
)


def _load_once(config, received):
    """Models compile longer than tiny images take."""
    if _key(config) not in _loaded:
        _loaded[_key(config)] = _load(config, received)
    return _loaded[_key(config)]


def flags(source, output, **options):
    """A prediction's settings as they are written on the command line."""
    written = []
    for name, value in settings(source, output, **options).items():
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        written.append(f"--{name}={value}")
    return written


def start(arguments, code=None, **options):
    """Starts the command; `code` runs before it in the same process."""
    command = [sys.executable, "-m", "marsgan_tf.predict", *arguments]
    if code is not None:
        run = (
            f"{code}\nimport runpy, sys\n"
            "sys.argv[0] = 'predict'\n"
            "runpy.run_module('marsgan_tf.predict', run_name='__main__')"
        )
        command = [sys.executable, "-c", run, *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    """Waits for a command: its exit status and what it wrote to stderr."""
    output, text = process.communicate(timeout=300)
    assert output == ""
    return process.returncode, text


def hidden(folder):
    """Names of what a prediction left in a folder that is no result."""
    return sorted(name for name in os.listdir(folder) if name[0] == ".")
