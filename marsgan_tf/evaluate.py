"""Assesses images: `python -m marsgan_tf.evaluate --images=... ...`.

Tables, figures, and `report.html`, one page that opens from disk, with a
swipe viewer.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags, signals


def main(config: configs.EvaluateConfig) -> None:
    """Writes the report."""
    with signals.deferred():  # Matplotlib may lock its list of fonts.
        from marsgan_tf.assessment import evaluating

    evaluating.evaluate(config)


if __name__ == "__main__":
    config_flags.launch(configs.EvaluateConfig, main)
