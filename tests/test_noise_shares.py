"""The parts of a draw that replicas keep, against the draw itself."""

import numpy as np
import pytest
import tensorflow as tf

from marsgan_tf.training import noise


class Context:
    def __init__(self, replica):
        self.replica_id_in_sync_group = replica


def draw(shape, dtype):
    numbers = tf.range(tf.reduce_prod(shape))
    return tf.cast(tf.reshape(numbers, shape), dtype)


@pytest.mark.parametrize("workers, devices", [(1, 2), (3, 1), (2, 3)])
def test_a_pair_gets_the_noise_of_its_place_in_the_stream(
    monkeypatch, workers, devices
):
    batch, height = 2, 5
    total = workers * devices * batch
    whole = draw((total, height), "float32").numpy()
    for replica in range(workers * devices):
        monkeypatch.setattr(
            tf.distribute, "get_replica_context", lambda r=replica: Context(r)
        )
        part = noise._draw_part(
            draw, (batch, height), "float32", workers=workers, devices=devices
        )
        worker, device = divmod(replica, devices)
        # A worker takes every `workers`-th pair; a device, every batch of it.
        places = np.arange(total)[worker::workers].reshape(devices, batch)
        np.testing.assert_array_equal(part, whole[places[device]])
