"""Shows what models make of real scenes that they were not trained on.

    python -m benchmarks.show_shipped --scenes=../shared/data --output=crops.png

A row a scene of `score_shipped`, brought down by 4 after a blur of known
sigma, at the place of most contrast: bicubic, each model, and the scene as it
was, pixel by pixel and in the same grey scale.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from absl import logging
from PIL import Image

from benchmarks import score_shipped
from marsgan_tf.imaging import degrade, enlarge

_MODELS = ("saved_models/marsgan-psnr", "saved_models/marsgan")
_GAP_PX = 4
_SHOWN_PERCENT = (0.5, 99.5)


def main() -> None:
    """Writes the picture; its name's ending chooses the format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=_MODELS)
    parser.add_argument("--scenes", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--sigma", type=float, default=1.6)
    parser.add_argument("--side", type=int, default=384, help="Of a crop, px.")
    parser.add_argument("--each", type=int, default=9, help="Scenes of a kind.")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    truths = [
        score_shipped.read(f"{arguments.scenes}/{name}")
        for names in score_shipped.SCENES.values()
        for name in names[: arguments.each]
    ]
    lows = [
        score_shipped.to_bytes(degrade.degrade(truth, arguments.sigma))
        for truth in truths
    ]
    columns = [[enlarge.enlarge(low.astype(np.float32)) for low in lows]]
    columns += [
        score_shipped.predict(lows, model) for model in arguments.models
    ]
    columns += [truths]
    rows = [
        _row(images, arguments.side) for images in zip(*columns, strict=True)
    ]
    gap = np.full((_GAP_PX, rows[0].shape[1]), 255, np.uint8)
    parts = [part for row in rows for part in (row, gap)]
    Image.fromarray(np.vstack(parts[:-1])).save(arguments.output, quality=92)


def _row(images: Sequence[np.ndarray], side: int) -> np.ndarray:
    """The same crop of each image, side by side; the last is the truth."""
    top, left = _place(images[-1], side)
    crops = [image[top : top + side, left : left + side] for image in images]
    low, high = np.percentile(crops[-1], _SHOWN_PERCENT)
    gap = np.full((side, _GAP_PX), 255, np.uint8)
    shown = [
        part
        for crop in crops
        for part in (
            score_shipped.to_bytes((crop - low) / (high - low) * 255.0),
            gap,
        )
    ]
    return np.hstack(shown[:-1])


def _place(truth: np.ndarray, side: int) -> tuple[int, int]:
    """Where a square crop has the most contrast: its upper left corner."""
    values = truth.astype(np.float64)
    mean, square = (
        scipy.ndimage.uniform_filter(v, side) for v in (values, values**2)
    )
    half = side // 2
    inner = (square - mean**2)[half : half - side, half : half - side]
    row, col = np.unravel_index(np.argmax(inner), inner.shape)
    return int(row), int(col)


if __name__ == "__main__":
    main()
