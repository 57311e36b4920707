"""What a traced step computes."""

import collections

import tensorflow as tf


def count_operations(step, batch):
    """Operations of `step(batch)`'s graph, `{type: count}`."""
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    graph = tf.function(step).get_concrete_function(tensors).graph
    return collections.Counter(op.type for op in graph.get_operations())
