"""Draws the validation curves of training runs into one picture.

    python -m benchmarks.plot_training --output=curve.png runs/exp2/psnr ...

Reads the TensorBoard events of each stage folder.
"""

import argparse
import os

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

SERIES = {"psnr": "PSNR, dB", "ssim": "SSIM"}


def read_scalars(folder, tag):
    """Steps and values of a tag, in the order of steps.

    Resumed stages leave several event files, some of whose steps were taken
    twice; the later one counts.
    """
    accumulator = event_accumulator.EventAccumulator(
        os.path.join(folder, "logs"), size_guidance={"tensors": 0}
    )
    accumulator.Reload()
    values = {
        event.step: float(tensor_util.make_ndarray(event.tensor_proto))
        for event in accumulator.Tensors(f"validation/{tag}")
    }
    return sorted(values), [values[step] for step in sorted(values)]


def draw(folders, output):
    """Writes the picture: one panel a score, bicubic dashed."""
    figure, axes = pyplot.subplots(1, len(SERIES), figsize=(9, 3.4))
    for axis, (tag, label) in zip(axes, SERIES.items(), strict=True):
        for folder in folders:
            axis.plot(*read_scalars(folder, tag), label=folder)
        steps, bicubic = read_scalars(folders[0], f"{tag}_bicubic")
        axis.plot(steps, bicubic, "k--", label="bicubic")
        axis.set_xlabel("step")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0.9 * bicubic[0])
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(output, dpi=100)


def main():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", help="stage folders")
    parser.add_argument("--output", required=True, help="PNG to write")
    arguments = parser.parse_args()
    draw(arguments.folders, arguments.output)


if __name__ == "__main__":
    main()
