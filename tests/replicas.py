"""Takes the same steps on one and on two devices, drawn noise included.

Run as a program, since devices are set up before TensorFlow starts:
`python tests/replicas.py VGG_WEIGHTS`.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from marsgan_tf.models.discriminator import discriminator
from marsgan_tf.models.generators import marsgan
from marsgan_tf.training import loop, noise
from marsgan_tf.training.ema import RunningMean
from marsgan_tf.training.gan_stage import GANStage
from marsgan_tf.training.perceptual import PerceptualLoss
from marsgan_tf.training.workers import Workers

LAYERS = {"block2_conv2": 4e-4, "block1_conv2": 6e-4}
GLOBAL_BATCH = 8


def small_generator():
    return marsgan(
        blocks=1,
        features=4,
        growth=4,
        reconstruction_channels=1,
        noise_weight=0.1,
    )


def build_stage(vgg_path):
    return GANStage(
        small_generator(),
        discriminator(16, filters=4, units=8, synchronized=True),
        generator_optimizer=keras.optimizers.SGD(0.01),
        discriminator_optimizer=keras.optimizers.SGD(0.01),
        perceptual=PerceptualLoss(LAYERS, vgg_path),
        perceptual_weights=LAYERS,
        adversarial_weight=0.05,
        content_loss="mse",
        content_weight=0.5,
    )


def take_steps(vgg_path, replicas):
    """Losses of every step and the weights after the last, by name."""
    strategy = tf.distribute.MirroredStrategy(
        [f"CPU:{number}" for number in range(replicas)]
    )
    random = np.random.default_rng(0)
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "hr": random.random((24, 16, 16, 1), dtype=np.float32),
            "lr": random.random((24, 4, 4, 1), dtype=np.float32),
        }
    )
    batches = strategy.distribute_datasets_from_function(
        lambda context: dataset.batch(GLOBAL_BATCH // replicas)
    )
    with strategy.scope():
        stage = build_stage(vgg_path)
        mean = RunningMean(stage.generator, small_generator(), 0.5)
    noise.share(stage.generator, Workers(strategy))
    take_step = loop.compile_step(stage, strategy, mean)
    result = {}
    for step, batch in enumerate(batches):
        for name, value in take_step(batch).items():
            result[f"{name} of step {step}"] = float(value)
    networks = {
        "generator": stage.generator,
        "discriminator": stage.discriminator,
        "mean": mean.generator,
    }
    for name, network in networks.items():
        for weight in network.weights:
            result[f"{name} {weight.path}"] = np.ravel(weight).tolist()
    return result


tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
results = [take_steps(sys.argv[1], replicas) for replicas in (1, 2)]
sys.stdout.write(json.dumps(results))
