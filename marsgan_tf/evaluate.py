"""Assesses images: `python -m marsgan_tf.evaluate --images=... ...`.

Tables, figures, and `report.html`, one page that opens from disk, with a
swipe viewer.
"""

import signal
from types import FrameType

from marsgan_tf import config as configs
from marsgan_tf import config_flags, errors


def main(config: configs.EvaluateConfig) -> None:
    """Writes the report."""
    from marsgan_tf.assessment import evaluating

    signal.signal(signal.SIGTERM, _stop)
    evaluating.evaluate(config)


def _stop(number: int, frame: FrameType | None) -> None:
    """Ends it as Ctrl-C does, so that no half of a report stays behind."""
    raise errors.Interrupted("ended by a signal; nothing was written", number)


if __name__ == "__main__":
    config_flags.launch(configs.EvaluateConfig, main)
