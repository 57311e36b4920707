"""`model.json`: what an exported model is, was made from, and promises.

Standard library only: prediction reads it before it loads any engine.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any, Self

from marsgan_tf import errors, field_types

FILE_NAME = "model.json"
FORMAT = 1
_GRAPH, _WEIGHTS = "saved_model.pb", "variables/*"
_VERSION = re.compile(r"[1-9]\d*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Degradation:
    """How an image came to be what it is.

    Attributes:
        blur_sigma: Of the blur, px of the output.
        noise_sigma: Of the noise, in units of the stretched image.
    """

    blur_sigma: float
    noise_sigma: float

    def __post_init__(self) -> None:
        field_types.require(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """An exported model.

    Attributes:
        name: Of the model: that of its folder.
        version: Its number below that folder.
        architecture: "marsgan" or "esrgan" as `name`, and the sizes that it
            was built with.
        parameters: Number of trained weights.
        scale: High over low resolution.
        conditioned: Whether it is told the degradation of its input.
        has_noise: Whether an ensemble can be drawn.
        degradation: What it assumes where nothing is said.
        precision: Of `serving_default`: "float32" or "bfloat16".
        parity: Largest differences from the Keras model, by precision.
        training: Settings, data and validation scores of the run.
        weights_sha256: Of the folded weights.
        files: SHA-256 by path within the version's folder.
        written_by: Versions of this package, TensorFlow and Keras.
    """

    name: str
    version: int
    architecture: dict[str, Any]
    parameters: int
    scale: int
    conditioned: bool
    has_noise: bool
    degradation: Degradation
    precision: str
    parity: dict[str, dict[str, float]]
    training: dict[str, Any]
    weights_sha256: str
    files: dict[str, str]
    written_by: dict[str, str]

    def __post_init__(self) -> None:
        field_types.require(self)

    def to_json(self) -> str:
        """The text of `model.json`."""
        body = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(body, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parses `to_json`'s text.

        Raises:
            ValueError: If it is malformed or of another format.
        """
        try:
            body = json.loads(text)
            found = body.pop("format")
            if found != FORMAT:
                raise ValueError(
                    f"of format {found}, this program reads {FORMAT}"
                )
            body["degradation"] = Degradation(**body["degradation"])
            return cls(**body)
        except (
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ) as error:
            raise ValueError(f"malformed: {error}") from None


def find(path: str) -> str:
    """The folder of a model's newest version.

    Args:
        path: A model's folder, with versions below it, or a version's.

    Raises:
        ModelError: If there is no exported model.
    """
    if os.path.isfile(os.path.join(path, FILE_NAME)):
        return path
    found = versions(path)
    if not found:
        raise errors.ModelError(
            f"{path}: holds no exported model; make one by python -m "
            f"marsgan_tf.export --workdir=RUN --output={path}"
        )
    return os.path.join(path, str(max(found)))


def versions(path: str) -> list[int]:
    """Numbers of the complete versions below a model's folder."""
    return [
        number
        for number in _numbers(path)
        if os.path.isfile(os.path.join(path, str(number), FILE_NAME))
    ]


def next_version(path: str) -> int:
    """The number after all that are taken, by complete versions or not."""
    return max(_numbers(path), default=0) + 1


def load(folder: str) -> Description:
    """Reads a version's description and checks its files against it.

    Raises:
        ModelError: If the description is malformed, or a file is missing or
            is not what was exported.
    """
    path = os.path.join(folder, FILE_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            description = Description.from_json(file.read())
    except ValueError as error:
        raise errors.ModelError(
            f"{path}: {' '.join(str(error).split())}; export the model again"
        ) from None
    for name, expected in description.files.items():
        inside = pathlib.PurePath(name)
        if inside.anchor or os.pardir in inside.parts:
            raise errors.ModelError(
                f"{path}: names a file outside, {name}; export the model again"
            )
        _require_intact(os.path.join(folder, inside), expected)
    for name in _loaded_files(folder):
        if name not in description.files:
            raise errors.ModelError(
                f"{path}: tells no hash of {name}, which is no part of what "
                "was exported; export the model again"
            )
    return description


def hash_files(folder: str) -> dict[str, str]:
    """SHA-256 of all files below a folder, by relative path with slashes."""
    root = pathlib.Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): _hash(path) for path in paths}


def _numbers(path: str) -> list[int]:
    """Names of what lies in a folder, as far as they are versions."""
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(name) for name in names if _VERSION.fullmatch(name)]


def _loaded_files(folder: str) -> Iterator[str]:
    """What engines read of a version's folder, with slashes."""
    yield _GRAPH
    root = pathlib.Path(folder)
    for path in sorted(root.glob(_WEIGHTS)):
        yield path.relative_to(root).as_posix()


def _require_intact(path: str, expected: str) -> None:
    if not os.path.isfile(path):
        raise errors.ModelError(f"{path}: is missing; export the model again")
    if _hash(path) != expected:
        raise errors.ModelError(
            f"{path}: is not what was exported (SHA-256 differs); copy it "
            "again from its origin, or export the model again"
        )


def _hash(path: str | os.PathLike) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
