"""Command-line flags derived from frozen dataclasses, and how commands start.

A field's name, type, default and `metadata["help"]` exist once, in the
dataclass. Field types are `bool`, `int`, `float`, `str` or a tuple of one of
the last three, written `1,2,3` on the command line, or as a flag for each.
"""

import dataclasses
import errno
import gc
import logging as standard_logging
import os
import re
import sys
import typing
from collections.abc import Callable
from typing import Any, NoReturn

from absl import app, flags, logging

from marsgan_tf import errors, signals

flags.disclaim_key_flags()  # `--help` then lists them under the entry module.

_USAGE_STATUS = 2
_FAILURE_STATUS = 1
_RASTERIO = "rasterio"
# What libraries read when they load. TensorFlow's start-up notes help no user.
# NumPy's matrices are small here: threads for them make it slower, and hang it
# where one finds no memory to start with.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}
# As Python's threads, the system's loader, FreeType and C++ tell it.
_LACK_OF_MEMORY = (
    "can't start new thread",
    "failed to map segment",
    "out of memory",
    "bad_alloc",
)
_TENSORFLOW_SOURCE = os.path.join("tensorflow", "python", "")


class _TupleParser(flags.ArgumentParser):
    """Parses `1,2,3` to a tuple; nothing at all to the empty tuple."""

    syntactic_help = "comma-separated"

    def __init__(self, element: Callable[[str], Any]) -> None:
        super().__init__()
        self._element = element

    def parse(self, argument: Any) -> tuple:
        if not isinstance(argument, str):
            return tuple(argument)
        parts = [part.strip() for part in argument.split(",")]
        return tuple(self._element(part) for part in parts if part)

    def flag_type(self) -> str:
        return f"comma-separated list of {self._element.__name__}"


# Between the parts of NAME=PATH,NAME=PATH; other commas are the paths' own.
_NEXT_NAME = re.compile(r",(?=[^\s,=/\\][^,=/\\]*=)")

_DEFINE: dict[Any, Callable] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def _define_field(field: dataclasses.Field) -> flags.FlagHolder:
    text = field.metadata["help"]
    if field.metadata["is_repeated"]:
        return flags.DEFINE_multi_string(field.name, field.default, text)
    if typing.get_origin(field.type) is tuple:
        return flags.DEFINE(
            _TupleParser(typing.get_args(field.type)[0]),
            field.name,
            field.default,
            text,
            serializer=flags.CsvListSerializer(","),
        )
    return _DEFINE[field.type](field.name, field.default, text)


def define(config_class: type) -> Callable[[], Any]:
    """Defines one flag per field; returns a builder of the config."""
    holders = {
        field.name: _define_field(field)
        for field in dataclasses.fields(config_class)
    }
    return lambda: config_class(
        **{name: _frozen(holder.value) for name, holder in holders.items()}
    )


def _frozen(value: Any) -> Any:
    """Lists, of flags that are repeated, as one tuple of all their parts."""
    if not isinstance(value, list):
        return value
    return tuple(part for text in value for part in _NEXT_NAME.split(text))


def launch(
    config_class: type,
    run: Callable[[Any], None],
    *,
    if_interrupted: str = "interrupted",
) -> NoReturn:
    """Parses the flags into `config_class`, calls `run`, exits.

    Exit status: 0, 1 for a failure, 2 for wrong flags, 128 + n for signal n.
    A failure of the user's making is one line on stderr.

    Args:
        config_class: A frozen dataclass.
        run: Does the work.
        if_interrupted: What a signal's line says, unless `run` collects them.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    signals.end_process(if_interrupted)
    try:
        build_config = define(config_class)
        _set_up_logging()
        run(_parse(build_config))
        signals.stop_listening()
    except errors.Interrupted as error:
        _exit(str(error), 128 + error.signal_number)
    except errors.MarsganError as error:
        _exit(str(error), _FAILURE_STATUS)
    except OSError as error:
        _exit(_describe_os_error(error), _FAILURE_STATUS)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not _lacks_memory(error):
            raise
        _exit(
            "the memory does not suffice: free some, or choose smaller tiles, "
            "batches or patches",
            _FAILURE_STATUS,
        )
    # Else Python, as it ends, looks for garbage in all that TensorFlow made,
    # for most of a second.
    gc.freeze()
    sys.exit(0)


def _lacks_memory(error: Exception) -> bool:
    """Whether it is a lack of memory, which not all say by `MemoryError`."""
    return isinstance(error, MemoryError) or any(
        sign in str(error) for sign in _LACK_OF_MEMORY
    )


def _set_up_logging() -> None:
    """Plain lines of our own, and of libraries their warnings alone."""
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    handler = logging.get_absl_handler()
    handler.setFormatter(standard_logging.Formatter("%(message)s"))
    handler.addFilter(_is_shown)


def _is_shown(record: standard_logging.LogRecord) -> bool:
    if record.name.partition(".")[0] == _RASTERIO:
        # It raises its errors too.
        return record.levelno == standard_logging.WARNING
    return (
        record.levelno >= standard_logging.WARNING
        or _TENSORFLOW_SOURCE not in record.pathname
    )


def _parse(build_config: Callable[[], Any]) -> Any:
    app.define_help_flags()
    try:
        extra = flags.FLAGS(sys.argv)[1:]
        if extra:
            raise ValueError(
                f"unexpected arguments {' '.join(extra)}; "
                "every option is written --name=value"
            )
        return build_config()
    except SystemExit:  # absl ends `--help` with status 1.
        sys.exit(0)
    except (flags.Error, ValueError, TypeError) as error:
        _exit(f"{error} (--help lists the flags)", _USAGE_STATUS)


def _describe_os_error(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        advice = "the disk is full: free some space and run the command again"
    else:
        advice = error.strerror or str(error)
    return f"{error.filename}: {advice}" if error.filename else advice


def _exit(message: str, status: int) -> NoReturn:
    signals.stop_listening()
    line = " ".join(message.split())
    sys.stderr.write(f"error: {line}\n")
    sys.exit(status)
