"""Long runs in one process: memory, handles and threads stay as they are."""

import os
import pathlib
import subprocess
import sys
import textwrap

import datasets
import models
import predictions
import pytest
import rasters
import tiny_runs
import vgg

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

# What stays: memory in KiB after what is free is given back, open files,
# threads.
WATCH = """
    import ctypes, gc, os, threading
    def watch():
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/smaps_rollup") as file:
            rss = next(l for l in file if l.startswith("Rss:"))
        return (
            int(rss.split()[1]),
            len(os.listdir("/proc/self/fd")),
            len(os.listdir("/proc/self/task")),
        )
"""


def soak(code):
    """Runs code that prints what `watch` saw, early and late, a line each."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WATCH) + textwrap.dedent(code)],
        cwd=pathlib.Path(__file__).parent.parent,
        # In several arenas, what threads have freed comes and goes by 5 %.
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen = [
        tuple(map(int, line.split()[1:]))
        for line in done.stdout.splitlines()
        if line.startswith("seen")
    ]
    return list(zip(seen[::2], seen[1::2], strict=True))


def require_flat(early, late):
    assert late[0] < 1.02 * early[0]
    assert late[1] <= early[1] and late[2] <= early[2]


@pytest.mark.parametrize("engine", ["openvino", "saved_model"])
def test_two_hundred_predictions(tmp_path, engine):
    source = rasters.write_geotiff(
        tmp_path / "in.tif", predictions.image(96, 120)
    )
    (found,) = soak(
        f"""
        from marsgan_tf.config import PredictConfig
        from marsgan_tf.inference import predicting
        load, loaded = predicting.load_model, []
        def load_once(config, received):
            # TensorFlow keeps 0.1 MiB of every model that it loads.
            if not loaded or config.engine == "openvino":
                loaded[:] = [load(config, received)]
            return loaded[0]
        predicting.load_model = load_once
        for number in range(220):
            predicting.predict(PredictConfig(
                input=({source!r},), output={str(tmp_path / "out.tif")!r},
                model={models.exported("conditioned")!r}, engine={engine!r},
                threads=2, overwrite=True,
            ))
            if number in (19, 219):
                print("seen", *watch(), flush=True)
        """
    )
    require_flat(*found)


def test_two_thousand_training_steps(tmp_path):
    datasets.write_dataset(tmp_path / "pairs")
    vgg.write_weights(tmp_path / "vgg.h5", blocks=2)
    settings = {
        **tiny_runs.SETTINGS,
        "dataset": str(tmp_path / "pairs"),
        "vgg_weights": str(tmp_path / "vgg.h5"),
        "workdir": str(tmp_path / "run"),
        "batch_size": 4,
        "psnr_steps": 1000,
        "gan_steps": 1000,
        "log_every": 100,
        "validate_every": 100,
        "checkpoint_every": 100,
        "ema_decay": 0.9,
    }
    stages = soak(
        f"""
        from marsgan_tf.config import TrainConfig
        from marsgan_tf.training import run
        from marsgan_tf.training.reporter import Reporter
        write = Reporter.validation
        def watched(self, step, scores):
            write(self, step, scores)
            # Checkpoints, validation and pictures take memory at first.
            if step in (300, 1000):
                print("seen", *watch(), flush=True)
        Reporter.validation = watched
        run.run(TrainConfig(**{settings!r}))
        """
    )
    assert len(stages) == 2
    for stage in stages:
        require_flat(*stage)
