"""Gradients over parts of a batch, and means over all replicas."""

import tensorflow as tf


def accumulate(function, batch, parts):
    """Averages losses and gradients over equal parts of a batch.

    One part is finished before the next begins, so that only one part's
    activations are held.

    Args:
        function: Maps a part to a nested structure of tensors, each a mean
            over the part.
        batch: Mapping of tensors with the batch dimension first.
        parts: Number of parts; it divides the batch.

    Returns:
        The structure that `function` returns, averaged.
    """
    if parts == 1:
        return function(batch)
    split = {name: tf.split(value, parts) for name, value in batch.items()}
    total = None
    for index in range(parts):
        part = {name: pieces[index] for name, pieces in split.items()}
        if total is None:
            total = function(part)
            continue
        with tf.control_dependencies(tf.nest.flatten(total)):
            part = tf.nest.map_structure(tf.identity, part)
            total = tf.nest.map_structure(tf.add, total, function(part))
    return tf.nest.map_structure(lambda value: value / parts, total)


def global_mean(values):
    """Mean over the local values and over all replicas; differentiable."""
    replicas = tf.distribute.get_replica_context()
    return replicas.all_reduce(
        tf.distribute.ReduceOp.MEAN, tf.reduce_mean(values)
    )


def replica_share(loss):
    """The replica's part of a loss that is a mean over the global batch.

    Optimizers sum gradients over replicas.
    """
    context = tf.distribute.get_replica_context()
    return loss / context.num_replicas_in_sync
