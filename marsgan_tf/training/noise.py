"""Noise of a generator that several replicas train."""

import functools

import tensorflow as tf

from marsgan_tf.layers.adaptive_noise import AdaptiveNoise


def share(generator, workers):
    """Gives each replica its part of the noise that one device would draw.

    A draw then belongs to the pair's place in the global batch: any number of
    workers and devices takes the steps that one device takes. Each draws the
    noise of the whole batch and keeps its part, which costs little beside the
    convolutions around it.

    Args:
        generator: Its layers may draw noise.
        workers: The `Workers`; the generator was built under their strategy.
    """
    replicas = workers.strategy.num_replicas_in_sync
    if replicas == 1:
        return
    for layer in generator._flatten_layers():
        if isinstance(layer, AdaptiveNoise):
            layer.draw = functools.partial(
                _draw_part,
                layer.draw,
                workers=workers.count,
                devices=replicas // workers.count,
            )


def _draw_part(draw, shape, dtype, *, workers, devices):
    """One replica's part.

    Workers take every `workers`-th pair of the stream, and deal them to their
    devices batch by batch: see `records.training_batches`.
    """
    batch, *sides = shape
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group
    whole = draw((devices * batch * workers, *sides), dtype)
    parts = tf.reshape(whole, (devices, batch, workers, *sides))
    return parts[replica % devices, :, replica // devices]
