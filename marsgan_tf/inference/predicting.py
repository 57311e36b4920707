"""The prediction command: images, model and settings in, rasters out."""

import os

from absl import logging

from marsgan_tf import errors, signals
from marsgan_tf.config import PredictConfig, RestorationConfig
from marsgan_tf.config import endpoint as endpoints
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.imaging import raster_checks
from marsgan_tf.imaging.stretch import Stretch
from marsgan_tf.inference import blend, engines, inputs
from marsgan_tf.inference.settings import (
    Model,
    Options,
    Targets,
    check_targets,
)
from marsgan_tf.inference.super_resolve import super_resolve

_SHIPPED = "saved_models/marsgan"


def predict(config: PredictConfig) -> None:
    """Super-resolves what a config names.

    With several images, one that fails stops no other; they are told at the
    end.

    Raises:
        MarsganError: Of the only image; or that some failed.
        Interrupted: On SIGTERM or SIGINT.
    """
    found = inputs.jobs(
        inputs=config.input,
        input_list=config.input_list,
        output=config.output,
        output_dir=config.output_dir,
    )
    if config.output_dir:
        os.makedirs(config.output_dir, exist_ok=True)
    options = options_of(
        config, overwrite=config.overwrite, resume=config.resume
    )
    targets = [
        Targets(job.target, config.uncertainty_output, config.residual_output)
        for job in found
    ]
    if len(found) == 1:  # Before the model is loaded, which takes a while.
        check_targets(found[0].source, targets[0], options)
        raster_checks.require_file(found[0].source)
    failures = []
    with signals.collected() as received:
        model = load_model(config, received)
        for job, wanted in zip(found, targets, strict=True):
            try:
                super_resolve(job.source, wanted, model, options, received)
            except (errors.MarsganError, OSError) as error:
                if len(found) == 1:
                    raise
                logging.error("error: %s", error)
                failures.append(job.source)
    if failures:
        raise errors.PredictionError(
            f"{len(failures)} of {len(found)} images failed: "
            f"{', '.join(failures)}; the lines above say why"
        )


def load_model(config: RestorationConfig, received: list[int]) -> Model:
    """Opens the model that a config names, by the engine that it names.

    Args:
        config: The user's settings.
        received: Signals that ask to stop; it fills meanwhile.

    Raises:
        MarsganError: If there is none, or it cannot do what is asked.
    """
    served = endpoints.parse(config.engine)
    if served is not None:
        return _served_model(config, served, received)
    path = config.model or _SHIPPED
    folder = descriptions.find(path)
    description = descriptions.load(folder)
    degradation = _degradation(config, description)
    blended = blend.find(path, description, config.interpolate)
    engine = engines.open_engine(
        config.engine,
        folder,
        description,
        blended=blended,
        precision=config.precision,
        degradation=degradation,
        threads=config.threads,
        samples=config.samples,
    )
    logging.info(
        "%s %d by %s in %s",
        description.name,
        description.version,
        engine.name,
        engine.precision,
    )
    return Model(
        engine=engine,
        description=description,
        blended=blended,
        degradation=degradation,
    )


def identity(config: RestorationConfig) -> str:
    """What tells a config's model from others, without opening it.

    The SHA-256 of its weights; of a served one that is given without its
    description, the endpoint.

    Raises:
        MarsganError: If there is no such model.
    """
    served = endpoints.parse(config.engine)
    if served is not None and not config.model:
        return str(served)
    folder = descriptions.find(config.model or _SHIPPED)
    return descriptions.load(folder).weights_sha256


def _served_model(
    config: RestorationConfig, endpoint: endpoints.Endpoint, received: list[int]
) -> Model:
    given = None
    if config.model:
        given = descriptions.load(descriptions.find(config.model))
    engine = engines.open_served(
        endpoint,
        given,
        precision=config.precision,
        concurrency=config.threads,
        patience_s=config.patience_s,
        received=received,
    )
    description = engine.description
    logging.info(
        "%s %d by the server %s, %d tiles at once",
        description.name,
        description.version,
        engine.server,
        engine.concurrency,
    )
    degradation = _degradation(config, description)
    return Model(
        engine=engine.told(degradation) if description.conditioned else engine,
        description=description,
        blended=None,
        degradation=degradation,
    )


def _degradation(
    config: RestorationConfig, description: descriptions.Description
) -> descriptions.Degradation:
    blur, noise = map(_given, (config.blur_sigma, config.noise_sigma))
    assumed = description.degradation
    return descriptions.Degradation(
        blur_sigma=assumed.blur_sigma if blur is None else blur,
        noise_sigma=assumed.noise_sigma if noise is None else noise,
    )


def _given(text: str) -> float | None:
    return None if text == "auto" else float(text)


def options_of(
    config: RestorationConfig, *, overwrite: bool, resume: bool
) -> Options:
    """What a config says of any scene.

    Args:
        config: The user's settings.
        overwrite: Whether an output that exists is replaced.
        resume: Whether an interrupted run goes on.
    """
    return Options(
        bands=config.bands,
        nodata=config.nodata[0] if config.nodata else None,
        color=config.color,
        pan_band=config.pan_band,
        stretch=_stretch(config.stretch),
        blur_sigma=_given(config.blur_sigma),
        noise_sigma=_given(config.noise_sigma),
        tile=config.tile,
        halo=config.halo,
        samples=config.samples,
        seed=config.seed,
        project=config.consistency == "project",
        file_format=config.format,
        overviews=config.overviews,
        overwrite=overwrite,
        resume=resume,
    )


def _stretch(text: str) -> Stretch | str | None:
    if text == "auto":
        return None
    if text == "none":
        return text
    low, high = text.split(",")
    return Stretch(float(low), float(high))
