"""From a run or a generator file to a versioned model that predicts."""

import contextlib
import json
import os

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from marsgan_tf import __version__, errors, staging
from marsgan_tf.config import PRECISIONS
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment import folding, network, onnx, parity, saved_model
from marsgan_tf.models import files
from marsgan_tf.plain_paths import PlainFolder

_STAGES = ("gan", "psnr")  # The last stage first.
# Where things lay in training: of no account to a model, and nobody's concern.
_PLACES = ("dataset", "workdir", "psnr_workdir", "vgg_weights")
_DEFAULT = descriptions.Degradation(blur_sigma=1.6, noise_sigma=0.0)


def export(config):
    """Exports the generator that a config names; logs where to.

    Args:
        config: An `ExportConfig`.

    Raises:
        ModelError: If there is no generator, or the exported model answers
            otherwise than it does, or cannot be written.
        SettingsError: If a library is missing, or an output exists.
        OSError: If the folder or the file cannot be made.
    """
    path, training = _find_generator(config)
    generator = files.load_generator(path)
    degradation = _degradation(config, training)
    write = {"saved_model": _write_saved_model, "onnx": _write_onnx}
    target = write[config.format](config, generator, training, degradation)
    logging.info("exported %s to %s", path, target)


def _write_saved_model(config, generator, training, degradation):
    folded = folding.fold(generator)
    number = descriptions.next_version(config.output)
    target = os.path.join(config.output, str(number))
    with staging.staged_folder(target) as folder:
        with _explained(target):
            saved_model.write(
                folder,
                folded,
                degradation=(degradation.blur_sigma, degradation.noise_sigma),
                precision=config.precision,
            )
        described = descriptions.Description(
            name=os.path.basename(os.path.abspath(config.output)),
            version=number,
            architecture=_architecture(generator, folded),
            parameters=generator.count_params(),
            scale=folded.scale,
            conditioned=folded.is_conditioned,
            has_noise=folded.has_noise,
            degradation=degradation,
            precision=config.precision,
            parity=_saved_model_parity(generator, folder, degradation, target),
            training=training,
            weights_sha256=network.fingerprint(folded),
            files=descriptions.hash_files(folder),
            written_by={
                "marsgan_tf": __version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        )
        path = os.path.join(folder, descriptions.FILE_NAME)
        with open(path, "w", encoding="utf-8") as file:
            file.write(described.to_json())
    return target


def _write_onnx(config, generator, training, degradation):
    del training
    if os.path.exists(config.output):
        raise errors.SettingsError(
            f"{config.output}: exists; choose another --output or remove it"
        )
    os.makedirs(os.path.dirname(config.output) or ".", exist_ok=True)
    folded = folding.fold(generator)
    lr, told = parity.image(), _told(folded, degradation)
    with staging.staged(config.output) as temporary:
        onnx.write(temporary, folded)
        parity.compare(
            _expected(generator, lr, told),
            onnx.run(temporary, lr, told),
            "float32",
            config.output,
        )
    return config.output


@contextlib.contextmanager
def _explained(target):
    """Turns TensorFlow's word for a file it cannot write into one of ours."""
    try:
        yield
    except tf.errors.OpError as error:
        raise errors.ModelError(
            f"{target}: the model cannot be written ({_reason(error)}); free "
            "some space or mend the permissions, and run the command again"
        ) from None


def _reason(error):
    """What the system said, without the operation and the temporary path."""
    line = str(error).strip().splitlines()[0]
    return line.rpartition("; ")[2].partition(" [Op:")[0]


def _find_generator(config):
    """Path of the generator, and what is known of its training."""
    if not config.workdir:
        return config.weights, {}
    for stage in (config.stage,) if config.stage else _STAGES:
        folder = os.path.join(config.workdir, stage)
        path = os.path.join(folder, "generator.keras")
        if os.path.isfile(path):
            records = {"stage": stage, **_records(folder)}
            if not config.weights:
                return path, records
            records.pop("validation", None)  # Of the run's own generator.
            name = os.path.basename(config.weights)
            return config.weights, {"weights": name, **records}
    named = f" {config.stage}" if config.stage else ""
    raise errors.ModelError(
        f"{config.workdir}: no finished stage{named}; complete the run by "
        "python -m marsgan_tf.train, or name a generator file by --weights"
    )


def _records(folder):
    """What a stage wrote down about itself, by name."""
    found = {}
    for name in ("config", "dataset", "validation"):
        path = os.path.join(folder, f"{name}.json")
        if os.path.isfile(path):
            found[name] = _read_json(path)
    for place in _PLACES:
        found.get("config", {}).pop(place, None)
    return found


def _read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (ValueError, TypeError) as error:
        raise errors.ModelError(
            f"{path}: not readable ({error}); name the generator file by "
            "--weights instead of --workdir"
        ) from None


def _degradation(config, training):
    """What the model assumes: as told, or the middle of what it learned."""
    learned = training.get("dataset", {})
    chosen = {}
    given_by_name = {
        "blur_sigma": config.blur_sigma,
        "noise_sigma": config.noise_sigma,
    }
    for name, given in given_by_name.items():
        fallback = learned.get(name) or getattr(_DEFAULT, name)
        chosen[name] = given if given >= 0 else float(np.mean(fallback))
    return descriptions.Degradation(**chosen)


def _architecture(generator, folded):
    growing = folded.blocks[0].dense_blocks[0].convolutions[0]
    *_, features, growth = growing.kernel.shape
    return {
        "name": generator.name,
        "blocks": len(folded.blocks),
        "features": features,
        "growth": growth,
    }


def _told(folded, degradation):
    if not folded.is_conditioned:
        return None
    pair = [degradation.blur_sigma, degradation.noise_sigma]
    return np.float32([pair])


def _expected(generator, lr, told):
    inputs = lr if told is None else [lr, told]
    return np.asarray(generator(inputs, training=False), np.float32)


def _saved_model_parity(generator, folder, degradation, path):
    """Loads what was written, and compares each precision."""
    plain = PlainFolder(folder)
    loaded = tf.saved_model.load(plain.path)
    lr = parity.image()
    inputs = {"lr": tf.constant(lr)}
    told = None
    if "restore" in loaded.signatures:
        told = np.float32([[degradation.blur_sigma, degradation.noise_sigma]])
        inputs["degradation"] = tf.constant(told)
    expected = _expected(generator, lr, told)
    return {
        precision: parity.compare(
            expected,
            loaded.signatures[precision](**inputs)["sr"].numpy(),
            precision,
            path,
        )
        for precision in PRECISIONS
    }
