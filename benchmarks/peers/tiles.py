"""Command line and tiles of the programs that run a bare network."""

import argparse

import numpy as np

from marsgan_tf.imaging import stretch


def parser(description):
    """Of the flags that all have."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--model", required=True)
    found.add_argument("--input", required=True, help="integers, .npy")
    found.add_argument("--output", required=True, help=".npy")
    found.add_argument("--stretch", required=True, help="LO,HI")
    found.add_argument("--tile", type=int, default=256)
    found.add_argument("--threads", type=int, default=0, help="0: all")
    return found


def read(arguments):
    """All tiles of the input, `(1, h, w, 1)`; the last may be smaller."""
    low, high = (float(part) for part in arguments.stretch.split(","))
    lr = stretch.Stretch(low, high).apply(np.load(arguments.input))
    side = arguments.tile
    height, width = lr.shape
    return [
        np.ascontiguousarray(lr[row : row + side, col : col + side])[
            np.newaxis, ..., np.newaxis
        ]
        for row in range(0, height, side)
        for col in range(0, width, side)
    ]
