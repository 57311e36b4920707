"""The folder of one stage: settings, checkpoints, logs, previews, result.

Its records say what the result was made from and what it achieves; export
puts them into the model's description.
"""

import dataclasses
import json
import os
import zlib

from absl import logging

from marsgan_tf import __version__, errors, staging
from marsgan_tf.config import FREE, GAN, TrainConfig
from marsgan_tf.dataset.manifest import FILE_NAME, hash_file

_SETTINGS = "config.json"
# Where things lie, and how often what is told: of no account to a result.
_PATHS = frozenset(
    ("dataset", "workdir", "psnr_workdir", "start_from", "vgg_weights")
)
_PASSING = frozenset(("version", "log_every", "validate_every")) | frozenset(
    ("validation_pairs", "checkpoint_every", "keep_checkpoints")
)
_RESULT = "generator.keras"


class RunFolder:
    """Where a stage keeps its files.

    Args:
        path: The folder.
        stage: "psnr" or "gan".
    """

    def __init__(self, path, stage):
        self.path = path
        self.stage = stage

    @property
    def result(self):
        """Path of the trained generator; it exists once the stage is done."""
        return os.path.join(self.path, _RESULT)

    @property
    def checkpoints(self):
        """Path of the checkpoints' folder."""
        return os.path.join(self.path, "checkpoints")

    @property
    def is_done(self):
        """Whether the stage has its result."""
        return os.path.isfile(self.result)

    def check(self, config):
        """Checks that what was begun here was begun with these settings.

        What may change midway is logged if it does.

        Raises:
            SettingsError: If a setting that the result depends on differs.
        """
        free = {field.name for field in _fields_of({FREE})}
        for name, (begun, now) in self._differences(config).items():
            if name not in free:
                raise errors.SettingsError(
                    f"{self.path}: begun with {name}={begun}, now {name}="
                    f"{now}; use the same, or another --workdir, or delete "
                    "the folder"
                )
            if name not in _PATHS:
                logging.info("stage %s: now %s=%s", self.stage, name, now)

    def warn_of_differences(self, config):
        """Says what a finished stage was made with, where that is not asked."""
        for name, (made, now) in self._differences(config).items():
            if name not in _PATHS:
                logging.warning(
                    "stage %s was made with %s=%s, not %s; to make it again, "
                    "delete %s",
                    self.stage,
                    name,
                    made,
                    now,
                    self.result,
                )

    def claim(self, config):
        """Writes the settings into the folder, which is made if need be."""
        os.makedirs(self.path, exist_ok=True)
        self._write(self._settings_path, _settings(config))

    def record(self, name, data):
        """Writes `<name>.json` into the folder, in the place of an older one.

        Args:
            name: "dataset" or "validation".
            data: What JSON can hold.
        """
        self._write(os.path.join(self.path, f"{name}.json"), data)

    def _write(self, path, data):
        with (
            staging.staged(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(data, file, indent=1)

    @property
    def is_claimed(self):
        """Whether the settings are there."""
        return os.path.isfile(self._settings_path)

    @property
    def _settings_path(self):
        return os.path.join(self.path, _SETTINGS)

    def _differences(self, config):
        """`{name: (in the folder, now)}` of this stage's settings."""
        if not self.is_claimed:
            return {}
        begun = self._read_settings()
        # Through JSON, so that tuples compare equal to the lists in the file.
        now = json.loads(json.dumps(_settings(config)))
        foreign = {"psnr": {"gan_steps"}, "gan": {"psnr_steps"}}[self.stage]
        if self.stage == "psnr":
            foreign |= {field.name for field in _fields_of({GAN})}
        names = [n for n in now if n not in foreign and n not in _PASSING]
        return {
            name: (begun.get(name), now[name])
            for name in names
            if begun.get(name) != now[name]
        }

    def _read_settings(self):
        try:
            with open(self._settings_path, encoding="utf-8") as file:
                return dict(json.load(file))
        except (ValueError, TypeError) as error:
            raise errors.SettingsError(
                f"{self._settings_path}: not readable ({error}); delete "
                f"{self.path} to start the stage again"
            ) from None


def fingerprint(config):
    """31 bits that tell settings and dataset apart, wherever they lie."""
    settings = _settings(config)
    kept = {n: settings[n] for n in sorted(settings) if n not in _PATHS}
    return zlib.crc32(json.dumps(kept).encode()) & 0x7FFFFFFF


def _settings(config):
    """All settings, with what names the dataset whatever its folder."""
    dataset = hash_file(os.path.join(config.dataset, FILE_NAME))
    return {
        "version": __version__,
        "dataset_sha256": dataset,
        **dataclasses.asdict(config),
    }


def _fields_of(kinds):
    fields = dataclasses.fields(TrainConfig)
    return [field for field in fields if field.metadata["kind"] in kinds]
