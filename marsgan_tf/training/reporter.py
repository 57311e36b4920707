"""What a stage tells while it trains: scalars, previews, log lines."""

import os

import tensorflow as tf
from absl import logging

from marsgan_tf.training import previews


class Reporter:
    """Writes TensorBoard events and preview pictures of one stage.

    Args:
        folder: The stage's folder; `logs` and `previews` go below it.
    """

    def __init__(self, folder):
        logs = os.path.join(folder, "logs")
        self._previews = os.path.join(folder, "previews")
        for path in (logs, self._previews):
            os.makedirs(path, exist_ok=True)
        self._writer = tf.summary.create_file_writer(logs)

    def scalars(self, group, step, values):
        """Records `{name: float}` under `group/name`."""
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(f"{group}/{name}", value)

    def validation(self, step, scores):
        """Records and logs the scores of `validation.evaluate`."""
        gain = scores["psnr"] - scores["psnr_bicubic"]
        self.scalars("validation", step, {**scores, "psnr_gain": gain})
        logging.info(
            "step %d: validation PSNR %.3f dB (bicubic %.3f, gain %+.3f), "
            "SSIM %.4f (bicubic %.4f)",
            step,
            scores["psnr"],
            scores["psnr_bicubic"],
            gain,
            scores["ssim"],
            scores["ssim_bicubic"],
        )

    def panels(self, step, rows):
        """Records the panels of `previews.panels`, and writes them as PNG."""
        with self._writer.as_default(step):
            tf.summary.image(
                "nearest, bicubic, generator, reference",
                rows[..., None],
                max_outputs=len(rows),
            )
        path = os.path.join(self._previews, f"step-{step:08d}.png")
        previews.write_png(rows, path)

    def close(self):
        """Writes what is pending."""
        self._writer.close()
