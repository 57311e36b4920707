"""Which engine predicts, and in which precision.

An engine has `name`, `precision`, `concurrency` and `restore(lr)`, from
`(batch, h, w, 1)` float32 to four times the sides; that of TensorFlow also
has `sample`. Of a conditioned model, `told(degradation)` gives the engine for
another degradation; with int8, `calibrated(images)` that for such images.
"""

import contextlib
import gc
import importlib.util
import logging
import os
from collections.abc import Iterator
from typing import Any

from marsgan_tf import errors, native_output
from marsgan_tf.config.endpoint import Endpoint
from marsgan_tf.deployment.description import Degradation, Description
from marsgan_tf.inference.blend import Blend

_CPU_INFO = "/proc/cpuinfo"
_WHICH_KERAS = "TF_USE_LEGACY_KERAS"


def open_engine(
    name: str,
    folder: str,
    description: Description,
    *,
    blended: Blend | None = None,
    precision: str,
    degradation: Degradation,
    threads: int,
    samples: int,
) -> Any:
    """Loads a model into an engine.

    Args:
        name: "auto", "openvino" or "saved_model". By itself it is OpenVINO
            where that is installed and there is no NVIDIA GPU, except for
            ensembles, which TensorFlow alone draws.
        folder: Of a model's version.
        description: Its description.
        blended: What is mixed into the model, if anything.
        precision: "auto", "float32", "bfloat16" or "int8". By itself it is
            bfloat16 where the processor computes in it.
        degradation: What a conditioned model is told.
        threads: Processor threads to use; 0 for all.
        samples: Draws of the ensemble; 0 for the model without its noise.

    Raises:
        SettingsError: If OpenVINO is asked for, or int8, which it alone
            computes, and it is not installed, or for an ensemble.
        ModelError: If the engine cannot load the model.
    """
    if name == "auto":
        name = _best(description, samples)
    if name == "openvino" and samples:
        raise errors.SettingsError(
            "--samples needs --engine=saved_model: OpenVINO draws no noise"
        )
    if precision == "int8" and name != "openvino":
        raise errors.SettingsError(
            "--precision=int8 needs --engine=openvino: pip install -r "
            "requirements-openvino.txt, and leave --samples out"
        )
    load = {"openvino": _openvino, "saved_model": _saved_model}[name]
    return load(
        folder,
        description,
        blended=blended,
        precision=precision,
        degradation=degradation,
        threads=threads,
    )


def open_served(
    endpoint: Endpoint, given: Description | None, **settings: Any
) -> Any:
    """Connects to a model on a server.

    Args:
        endpoint: Where it is.
        given: Its description, or None if only the server has it.
        **settings: Of `GRPCEngine`.

    Raises:
        SettingsError: If gRPC's packages are missing, or no server answers.
        ModelError: If the server has no such model, or another one.
    """
    # gRPC's own notes would stand between the command's lines.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        with native_output.held_back(), _without_keras(), _uncollected():
            from marsgan_tf.inference import grpc_engine
    except ImportError:
        raise errors.SettingsError(
            f"--engine={endpoint}: gRPC or TensorFlow Serving's messages are "
            "not installed: pip install -r requirements-serving.txt"
        ) from None
    return grpc_engine.GRPCEngine(endpoint, given, **settings)


def _best(description: Description, samples: int) -> str:
    is_usable = (
        importlib.util.find_spec("openvino") is not None
        and description.precision == "float32"
        and not samples
        and not os.path.exists("/dev/nvidia0")
    )
    return "openvino" if is_usable else "saved_model"


def _openvino(
    folder: str,
    description: Description,
    *,
    blended: Blend | None,
    precision: str,
    **settings: Any,
) -> Any:
    handlers = list(logging.root.handlers)
    try:
        from marsgan_tf.inference import openvino_engine
    except ImportError:
        raise errors.SettingsError(
            "--engine=openvino: OpenVINO is not installed: pip install -r "
            "requirements-openvino.txt"
        ) from None
    logging.root.handlers[:] = handlers  # OpenVINO takes them off.
    if precision == "auto":
        is_able = openvino_engine.supports_bfloat16()
        precision = "bfloat16" if is_able else "float32"
    return openvino_engine.OpenVINOEngine(
        openvino_engine.read(folder, description, blended),
        description,
        precision=precision,
        **settings,
    )


def _saved_model(
    folder: str, description: Description, *, precision: str, **settings: Any
) -> Any:
    with native_output.held_back(), _without_keras(), _uncollected():
        from marsgan_tf.inference import saved_model_engine
    if precision == "auto":
        is_able = saved_model_engine.supports_bfloat16()
        if is_able is None:
            is_able = _processor_has_bfloat16()
        precision = "bfloat16" if is_able else "float32"
    with _uncollected():
        return saved_model_engine.SavedModelEngine(
            folder, description, precision=precision, **settings
        )


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Lets TensorFlow load without Keras, which no engine uses.

    TensorFlow loads it together with itself, and it loads Matplotlib; but not
    where the variable says that Keras is another package, which is missing.
    What uses Keras later asks for the variable anew.
    """
    before = os.environ.get(_WHICH_KERAS)
    os.environ[_WHICH_KERAS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_WHICH_KERAS)
        if before is not None:
            os.environ[_WHICH_KERAS] = before


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps Python from looking for garbage where much is made and stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _processor_has_bfloat16() -> bool:
    """By Linux' list of the processor's features; elsewhere unknown: no."""
    try:
        with open(_CPU_INFO, encoding="utf-8") as file:
            words = set(file.read().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
