"""Scores the colour modes and the consistency projection on a colour scene.

The scene is degraded as the model assumes, super-resolved by the command
itself in each mode, and compared with what it was:

    python -m benchmarks.score_modes --model=FOLDER --reference=COLOUR.tif

PSNR is in dB for 8 bits, 16 px of border left out. Drift is the mean absolute
change of hue (degrees, weighted by saturation) and of saturation (percent)
between the input and the output brought down by the same degradation.
"""

import argparse
import itertools
import os
import tempfile

import numpy as np
from absl import logging

from marsgan_tf.config import PredictConfig
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.imaging import degrade, enlarge, raster, raster_writer
from marsgan_tf.inference import predicting

_BORDER_PX = 16
_MODES = ("hsv", "bands", "pan")


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--reference", required=True)
    arguments = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    folder = descriptions.find(arguments.model)
    sigma = descriptions.load(folder).degradation.blur_sigma
    reference = _read(arguments.reference)
    low = np.clip(np.rint(_degrade(reference, sigma)), 0, 255).astype(np.uint8)
    print("| mode | PSNR | hue drift | saturation drift |")
    print("|---|---|---|---|")
    bicubic = enlarge.enlarge(low.astype(np.float32))
    _print_row("bicubic", bicubic, reference, low, sigma)
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "low.tif")
        raster_writer.write_raster(source, low)
        for mode, consistency in itertools.product(_MODES, ("none", "project")):
            target = os.path.join(scratch, f"{mode}_{consistency}.tif")
            predicting.predict(
                PredictConfig(
                    input=(source,),
                    output=target,
                    model=arguments.model,
                    color=mode,
                    pan_band=2,
                    consistency=consistency,
                    blur_sigma=str(sigma),
                )
            )
            name = mode if consistency == "none" else f"{mode}, projected"
            _print_row(name, _read(target), reference, low, sigma)


def _read(path: str) -> np.ndarray:
    """Three bands of 8 bits, sides cut to multiples of 4."""
    with raster.open_raster(path) as reader:
        pixels = reader.read(bands=(1, 2, 3))
    height, width = (side // 4 * 4 for side in pixels.shape[:2])
    return pixels[:height, :width].astype(np.float32)


def _degrade(image: np.ndarray, sigma: float) -> np.ndarray:
    bands = np.moveaxis(image, -1, 0)
    return np.stack([degrade.degrade(b, sigma) for b in bands], axis=-1)


def _print_row(
    name: str,
    image: np.ndarray,
    reference: np.ndarray,
    low: np.ndarray,
    sigma: float,
) -> None:
    inner = (slice(_BORDER_PX, -_BORDER_PX),) * 2
    error = np.clip(image, 0, 255)[inner] - reference[inner]
    psnr = 10 * np.log10(255**2 / np.mean(error.astype(np.float64) ** 2))
    hue, saturation = _drift(low.astype(np.float64), _degrade(image, sigma))
    print(
        f"| {name} | {psnr:.2f} dB | {hue:.2f}° | {saturation:.2f} % |",
        flush=True,
    )


def _drift(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Mean change of hue in degrees, and of saturation in percent."""
    angles = [np.angle(_chroma(image)) for image in (before, after)]
    turn = np.angle(np.exp(1j * (angles[1] - angles[0])))
    weights = np.abs(_chroma(before))
    hue = np.degrees(np.average(np.abs(turn), weights=weights))
    saturations = [_saturation(image) for image in (before, after)]
    return hue, 100 * np.abs(saturations[1] - saturations[0]).mean()


def _chroma(image: np.ndarray) -> np.ndarray:
    """Hue and chroma as a complex number, from the hexagon's projection."""
    red, green, blue = np.moveaxis(image.astype(np.float64), -1, 0)
    return red - 0.5 * (green + blue) + 1j * np.sqrt(0.75) * (green - blue)


def _saturation(image: np.ndarray) -> np.ndarray:
    high, low = image.max(axis=-1), image.min(axis=-1)
    return (high - low) / np.maximum(high, 1.0)


if __name__ == "__main__":
    main()
