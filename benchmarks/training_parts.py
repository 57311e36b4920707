"""Both training stages, and what their steps are made of, as timed functions.

    python -m benchmarks.training_parts --case='{"stage": "gan", ...}'

`bench_train` starts it, and the same for PyTorch. Prints a line of JSON with
the number of parameters once the step has warmed up; then for each line of its
input, the name of a part and a number of calls, a line with their seconds.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time

import numpy as np

from benchmarks import bench_records
from marsgan_tf import config, native_output
from marsgan_tf.config import VGG19_CONVOLUTIONS

STEP, INPUT = "step", "input"
WARM_UP = 2
_BATCHES = 50
_WIDTHS = (64, 128, 256, 512, 512)
_OF_CONFIG = (
    "blocks",
    "features",
    "growth",
    "reconstruction_channels",
    "conditioned",
    "discriminator_filters",
    "discriminator_units",
    "adversarial_weight",
    "content_weight",
    "precision",
    "batch_size",
    "hr_size",
)


def write_vgg(path, last):
    """Writes VGG19's file with random weights, as far as a layer."""
    import h5py

    random = np.random.default_rng(0)
    inputs = 3
    with h5py.File(path, "w") as file:
        for name in VGG19_CONVOLUTIONS[: VGG19_CONVOLUTIONS.index(last) + 1]:
            outputs = _WIDTHS[int(re.findall(r"\d", name)[0]) - 1]
            kernel = random.normal(size=(3, 3, inputs, outputs))
            kernel *= (2 / (9 * inputs)) ** 0.5
            file[f"{name}/{name}_W_1:0"] = kernel.astype(np.float32)
            file[f"{name}/{name}_b_1:0"] = np.zeros(outputs, np.float32)
            inputs = outputs


def make_stage(case, folder):
    """A fresh stage and the running mean of its generator."""
    import keras

    from marsgan_tf.models import files
    from marsgan_tf.training import build, ema, perceptual

    settings = config.TrainConfig(
        **{name: case[name] for name in _OF_CONFIG},
        perceptual_layers=tuple(case["perceptual"]),
        perceptual_weights=tuple(case["perceptual"].values()),
        seed=0,
    )
    keras.config.set_dtype_policy(case["precision"])
    copy = build.build_generator(settings)
    if case["stage"] == "psnr":
        stage = build.build_psnr_stage(settings)
    else:
        vgg, start = (os.path.join(folder, n) for n in ("vgg.h5", "g.keras"))
        write_vgg(vgg, max(case["perceptual"]))
        files.save_generator(
            build.build_portable_generator(settings, copy), start
        )
        stage = build.build_gan_stage(
            settings,
            generator_path=start,
            perceptual=perceptual.PerceptualLoss(
                settings.perceptual_layers, vgg
            ),
            replicas=1,
        )
    return stage, ema.RunningMean(stage.generator, copy, case["ema_decay"])


def make_batch(case):
    """Random pairs, `{name: array}`."""
    random = np.random.default_rng(0)
    pairs, side = case["batch_size"], case["hr_size"]
    shapes = {
        "hr": (pairs, side, side, 1),
        "lr": (pairs, side // 4, side // 4, 1),
        "degradation": (pairs, 2),
    }
    return {
        name: random.random(shape, dtype=np.float32)
        for name, shape in shapes.items()
    }


class Parts:
    """What a step does, part by part, as functions to be traced.

    Args:
        stage: A `PSNRStage` or `GANStage`.
        mean: Its `RunningMean`.
        batch: Tensors of `make_batch`.
    """

    def __init__(self, stage, mean, batch):
        import tensorflow as tf

        self._stage = stage
        self._mean = mean
        self._batch = batch
        self._fake = tf.Variable(batch["hr"])
        self._optimizers = [(stage.generator, _optimizer(stage))]
        if hasattr(stage, "discriminator"):
            self._optimizers.append(
                (stage.discriminator, stage.discriminator_optimizer)
            )

    def generate(self):
        """The generator's loss of stage 1."""
        from marsgan_tf.models.generators import generator_inputs
        from marsgan_tf.training import losses

        inputs = generator_inputs(self._stage.generator, self._batch)
        estimate = self._stage.generator(inputs, training=True)
        return losses.l1(self._batch["hr"], estimate)

    def generate_and_return(self):
        """Its gradients."""
        return _gradients(
            self.generate, self._stage.generator.trainable_variables
        )

    def perceive(self):
        """Gradient of VGG's loss by the estimate."""
        return _gradients(
            lambda: sum(
                self._stage.perceptual(self._batch["hr"], self._fake).values()
            ),
            [self._fake],
        )

    def discriminate(self):
        """Gradients of the discriminator's loss by its weights and images."""
        from marsgan_tf.training import losses

        network = self._stage.discriminator
        return _gradients(
            lambda: losses.relativistic_discriminator(
                network(self._batch["hr"], training=True),
                network(self._fake, training=True),
            ),
            [self._fake, *network.trainable_variables],
        )

    def update(self):
        """Adam's step of all networks, with gradients of zero."""
        import tensorflow as tf

        for network, optimizer in self._optimizers:
            weights = network.trainable_variables
            optimizer.apply([tf.zeros(w.shape) for w in weights], weights)

    def average(self):
        """The running mean's step."""
        import tensorflow as tf

        self._mean.update(tf.distribute.get_strategy())

    def traced(self):
        """Graphs without arguments, by what the table calls them."""
        import tensorflow as tf

        from marsgan_tf.training import loop

        take_step = loop.compile_step(
            self._stage, tf.distribute.get_strategy(), self._mean
        )
        parts = {
            "generator, forward": self.generate,
            "generator, forward and backward": self.generate_and_return,
            "optimizer": self.update,
            "running mean": self.average,
        }
        if len(self._optimizers) > 1:
            parts["VGG, forward and backward"] = self.perceive
            parts["discriminator, forward and backward"] = self.discriminate
        graphs = {name: tf.function(part) for name, part in parts.items()}
        return {STEP: lambda: take_step(self._batch), **graphs}


def _optimizer(stage):
    return getattr(stage, "generator_optimizer", None) or stage.optimizer


def _gradients(loss, sources):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    return tape.gradient(value, sources)


def time_input(case, calls, folder):
    """Seconds to bring in a batch from shards of 8-bit pairs, each of them."""
    from marsgan_tf.training import records

    dataset = bench_records.write_dataset(folder, "uint8", "")
    batches = iter(
        records.training_batches(
            dataset,
            hr_size=case["hr_size"],
            batch_size=case["batch_size"],
            seed=0,
        )
    )
    for _ in range(_BATCHES):  # Past what was read ahead.
        next(batches)
    return time_calls(lambda: next(batches), calls)


def time_calls(function, calls):
    """Seconds of each."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


def serve(case, folder):
    """Answers the lines of standard input; see the module."""
    with native_output.held_back():
        import tensorflow as tf
    for configure in (
        tf.config.threading.set_intra_op_parallelism_threads,
        tf.config.threading.set_inter_op_parallelism_threads,
    ):
        configure(case["threads"])
    stage, mean = make_stage(case, folder)
    batch = {
        name: tf.constant(value) for name, value in make_batch(case).items()
    }
    parts = Parts(stage, mean, batch).traced()
    time_calls(parts[STEP], WARM_UP)
    networks = [stage.generator, getattr(stage, "discriminator", None)]
    counts = [
        sum(int(np.prod(w.shape)) for w in network.trainable_variables)
        for network in networks
        if network is not None
    ]
    answer({"parameters": counts, "parts": [*parts, INPUT]})
    warm = {STEP}
    for line in sys.stdin:
        name, calls = json.loads(line)
        if name == INPUT:
            answer(time_input(case, calls, folder))
            continue
        if name not in warm:
            time_calls(parts[name], WARM_UP)
            warm.add(name)
        answer(time_calls(parts[name], calls))


def answer(value):
    """One line."""
    print(json.dumps(value), flush=True)


def main():
    """Parses and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=json.loads, required=True)
    with tempfile.TemporaryDirectory() as folder:
        serve(parser.parse_args().case, folder)


if __name__ == "__main__":
    main()
