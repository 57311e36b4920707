"""The demonstration: a strip in, its super-resolution and a page out."""

import os
import webbrowser

from absl import logging

from marsgan_tf import native_output, signals
from marsgan_tf.config import DemoConfig, EvaluateConfig, PredictConfig

_SIZE, _GSD_M, _SEED = (1024, 1024), 1.0, 20


def run(config: DemoConfig) -> None:
    """Super-resolves and assesses a strip; logs where the page is.

    Raises:
        MarsganError: If the input cannot be read, or the model is missing.
        OSError: If a file cannot be written.
    """
    os.makedirs(config.output_dir, exist_ok=True)
    source, truth = config.input, ""
    if not source:
        source, truth = _generate(config.output_dir)
    name, _ = os.path.splitext(os.path.basename(source))
    output = os.path.join(config.output_dir, f"{name}_sr.tif")
    _predict(source, output, config)
    page = _evaluate(
        source, output, truth, os.path.join(config.output_dir, "report")
    )
    logging.info("open it in a browser: %s", page)
    if config.open:
        webbrowser.open(f"file://{page}")


def _generate(folder: str) -> tuple[str, str]:
    with native_output.held_back():
        from marsgan_tf.demonstration import strip

    coarse, fine = (
        os.path.join(folder, name) for name in ("strip.tif", "truth.tif")
    )
    logging.info("generating a colour strip of terrain: %s", coarse)
    strip.write(fine, coarse, size=_SIZE, gsd_m=_GSD_M, seed=_SEED)
    return coarse, fine


def _predict(source: str, output: str, config: DemoConfig) -> None:
    from marsgan_tf.inference import predicting

    predicting.predict(
        PredictConfig(
            input=(source,),
            output=output,
            model=config.model,
            overwrite=True,
        )
    )


def _evaluate(source: str, output: str, truth: str, report: str) -> str:
    """Writes the report; returns the absolute path of its page."""
    with signals.deferred():  # Matplotlib may lock its list of fonts.
        from marsgan_tf.assessment import evaluating, report_folder

    evaluating.evaluate(
        EvaluateConfig(
            images=(f"input={source}", f"MARSGAN={output}"),
            reference=truth,
            reference_name="truth",
            lr="input",
            output_dir=report,
            overwrite=True,
        )
    )
    return os.path.abspath(os.path.join(report, report_folder.PAGE))
