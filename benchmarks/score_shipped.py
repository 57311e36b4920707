"""Scores a model on real scenes that it was not trained on.

Each scene is brought down by 4 after a blur of known sigma, super-resolved by
the command itself, which finds blur and noise out, and compared with what it
was and with bicubic enlargement:

    python -m benchmarks.score_shipped --model=FOLDER --scenes=../shared/data

Means over the scenes of a kind; 16 px of border are left out; PSNR in dB and
MSSIM for 8 bits, PIQE and BRISQUE (where its model is installed) of 8 bits.
"""

import argparse
import os
import tempfile
from typing import Any

import numpy as np
from absl import logging

from marsgan_tf.assessment import brisque, brisque_model, fidelity, piqe
from marsgan_tf.config import PredictConfig
from marsgan_tf.imaging import degrade, enlarge, raster, raster_writer
from marsgan_tf.inference import predicting

# The validation scenes of shipped_pairs.flags; of CTX, also two whose colour
# is HRSC's, which were not used for training either.
SCENES = {
    "HiRISE": (
        "hirise/ESP_014277_1650_RED_r17408_c9216.jpg",
        "hirise/ESP_014277_1650_RED_r18432_c5120.jpg",
        "hirise/ESP_071952_1670.jpg",
        "hirise/ESP_074284_1010.jpg",
    ),
    "HiRISE browse": (
        "hirise_browse/ESP_059759_1780_RED_browse.jpg",
        "hirise_browse/ESP_036281_2110_RED_abrowse.png",
        "hirise_browse/ESP_021522_0930_RGB_browse.png",
    ),
    "CTX": (
        "ctx/jezero_ctx_ortho.png",
        "ctx/jezero_ctx_hrsc_colour_1.png",
        "ctx/jezero_ctx_hrsc_colour_2.png",
    ),
}
_SIGMAS = (0.0, 0.8, 1.6, 2.4)
_LARGEST_PX = 1024
_BORDER_PX = 16
_LUMA = np.array([0.299, 0.587, 0.114])


def main() -> None:
    """Prints tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--scenes", required=True)
    parser.add_argument("--interpolate", type=float, default=1.0)
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    print(
        "| test sigma | scenes | PSNR | bicubic | gain | MSSIM gain | PIQE | "
        "bicubic | reference | BRISQUE | bicubic | reference |"
    )
    print("|---" * 12 + "|")
    for kind, names in SCENES.items():
        references = [read(os.path.join(arguments.scenes, n)) for n in names]
        for sigma in _SIGMAS:
            scores = _score(references, sigma, arguments)
            print(_row(kind, sigma, scores), flush=True)


def read(path: str) -> np.ndarray:
    """The middle of a scene's luma, float32 of 8 bits, sides multiples of 4."""
    with raster.open_raster(path) as reader:
        pixels = reader.read().astype(np.float64)
    grey = pixels[..., 0] if pixels.shape[-1] < 3 else pixels[..., :3] @ _LUMA
    return np.rint(grey[tuple(map(_middle, grey.shape))]).astype(np.float32)


def _middle(full: int) -> slice:
    side = min(full // 4 * 4, _LARGEST_PX)
    first = (full - side) // 2
    return slice(first, first + side)


def _score(
    references: list[np.ndarray], sigma: float, arguments: argparse.Namespace
) -> np.ndarray:
    """Means over scenes: `(3, 4)`, of the model, bicubic and the reference."""
    lows = [to_bytes(degrade.degrade(image, sigma)) for image in references]
    restored = predict(
        lows,
        arguments.model,
        interpolate=arguments.interpolate,
        precision=arguments.precision,
    )
    scores = [
        [
            _of_image(image, reference)
            for image in (sharp, to_bytes(_bicubic(low)), reference)
        ]
        for sharp, low, reference in zip(
            restored, lows, references, strict=True
        )
    ]
    return np.mean(scores, axis=0)


def predict(
    lows: list[np.ndarray], model: str, **settings: Any
) -> list[np.ndarray]:
    """Super-resolves images by the command, all as it does by itself."""
    with tempfile.TemporaryDirectory() as scratch:
        names = [f"scene_{index}" for index in range(len(lows))]
        for name, low in zip(names, lows, strict=True):
            raster_writer.write_raster(f"{scratch}/{name}.tif", low)
        predicting.predict(
            PredictConfig(
                input=(f"{scratch}/scene_*.tif",),
                output_dir=f"{scratch}/out",
                model=model,
                **settings,
            )
        )
        found = []
        for name in names:
            with raster.open_raster(f"{scratch}/out/{name}_sr.tif") as reader:
                found.append(reader.read()[..., 0])
        return found


def _bicubic(low: np.ndarray) -> np.ndarray:
    return enlarge.enlarge(low.astype(np.float32))


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Rounds and clips to 8 bits."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _of_image(image: np.ndarray, reference: np.ndarray) -> list[float]:
    inner = (slice(_BORDER_PX, -_BORDER_PX),) * 2
    seen, truth = image[inner], reference[inner]
    bits = {"data_range": (0, 255)}
    naturalness = np.nan
    if brisque_model.find():
        naturalness = brisque.score(seen, brisque_model.load(), **bits)
    return [
        fidelity.psnr(seen, truth, **bits),
        fidelity.mssim(seen, truth, **bits),
        piqe.piqe(seen, **bits).score,
        naturalness,
    ]


def _row(kind: str, sigma: float, scores: np.ndarray) -> str:
    ours, bicubic, reference = scores
    return (
        f"| {sigma} | {kind} | {ours[0]:.2f} | {bicubic[0]:.2f} | "
        f"**{ours[0] - bicubic[0]:+.2f}** | {ours[1] - bicubic[1]:+.3f} | "
        f"{ours[2]:.1f} | {bicubic[2]:.1f} | {reference[2]:.1f} | "
        f"{ours[3]:.1f} | {bicubic[3]:.1f} | {reference[3]:.1f} |"
    )


if __name__ == "__main__":
    main()
