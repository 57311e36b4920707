"""Exports, and what may be wrong with one."""

import dataclasses

import numpy as np

from marsgan_tf import config
from marsgan_tf.deployment import exporting
from marsgan_tf.deployment.network import replaced


def export(output, **options):
    exporting.export(config.ExportConfig(output=str(output), **options))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def break_a_weight(monkeypatch, module):
    """Moves the last convolution's bias between folding and writing."""
    write = module.write

    def write_broken(path, network, **options):
        broken = replaced(
            network.reconstruction, lambda array: array + np.float32(0.01)
        )
        network = dataclasses.replace(network, reconstruction=broken)
        write(path, network, **options)

    monkeypatch.setattr(module, "write", write_broken)
