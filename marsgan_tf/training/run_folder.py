"""The folder of one stage: settings, checkpoints, logs, previews, result."""

import dataclasses
import json
import os

from marsgan_tf import __version__, errors, staging
from marsgan_tf.config import FREE, GAN, TrainConfig
from marsgan_tf.dataset.manifest import FILE_NAME, hash_file

_SETTINGS = "config.json"
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

    def claim(self, config):
        """Makes the folder for these settings, or checks that it is theirs.

        Raises:
            ModelError: If a stage with other settings was begun there.
        """
        settings = {
            "version": __version__,
            "dataset_sha256": hash_file(
                os.path.join(config.dataset, FILE_NAME)
            ),
            **dataclasses.asdict(config),
        }
        path = os.path.join(self.path, _SETTINGS)
        if os.path.isfile(path):
            self._compare(path, settings)
        os.makedirs(self.path, exist_ok=True)
        with (
            staging.staged(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(settings, file, indent=1)

    def _compare(self, path, settings):
        try:
            with open(path, encoding="utf-8") as file:
                begun = json.load(file)
        except ValueError as error:
            raise errors.ModelError(
                f"{path}: not readable ({error}); delete {self.path} to start "
                "the stage again"
            ) from None
        # Through JSON, so that tuples compare equal to the lists in the file.
        settings = json.loads(json.dumps(settings))
        for name in _binding_settings(self.stage):
            if begun.get(name) != settings[name]:
                raise errors.ModelError(
                    f"{self.path}: begun with {name}={begun.get(name)}, now "
                    f"{name}={settings[name]}; use the same, or another "
                    "--workdir, or delete the folder"
                )


def _binding_settings(stage):
    """Names of what a stage computes with, and so must not change midway."""
    foreign = {FREE} if stage == "gan" else {FREE, GAN}
    fields = dataclasses.fields(TrainConfig)
    kept = [f.name for f in fields if f.metadata["kind"] not in foreign]
    return ["dataset_sha256", *kept]
