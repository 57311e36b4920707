"""One prediction that tells the seconds of its stages, as JSON.

    python -m benchmarks.predict_stages BEGAN INPUT OUTPUT MODEL ENGINE

BEGAN is `time.monotonic()` at the start of this process. A stage's seconds are
its own, without those of stages within it.
"""

import builtins
import contextlib
import functools
import gc
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

PYTHON, PACKAGES, ENGINE = (
    "Python",
    "NumPy, SciPy, rasterio",
    "engine's package",
)
DESCRIPTION, READ = "model's description and hashes", "model read"
SURVEY, ESTIMATE = "image surveyed", "blur and noise estimated"
COMPILE, TILES = "model compiled", "tiles through the network"
WRITE, REST, EXIT = "result written", "rest", "exit"
STAGES = (
    *(PYTHON, PACKAGES, ENGINE, DESCRIPTION, READ, SURVEY, ESTIMATE),
    *(COMPILE, TILES, WRITE, REST, EXIT),
)

# Module and function -> its stage.
_FUNCTIONS = {
    ("deployment.description", "load"): DESCRIPTION,
    ("inference.engines", "open_engine"): READ,
    ("inference.scan", "survey"): SURVEY,
    ("inference.estimation", "read"): ESTIMATE,
    ("inference.super_resolve", "_restore_all"): TILES,
    ("inference.super_resolve", "_write_all"): WRITE,
}


class Stopwatch:
    """Counts the seconds of stages that lie within each other.

    Attributes:
        seconds: By stage.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._stages: list[str] = []
        self._since = time.monotonic()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts for a stage, and for the one around it no longer."""
        self._count()
        self._stages.append(name)
        try:
            yield
        finally:
            self._count()
            self._stages.pop()

    def wrap(self, name: str, function: Callable) -> Callable:
        """The function, counted."""

        @functools.wraps(function)
        def counted(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        return counted

    def _count(self) -> None:
        now = time.monotonic()
        if self._stages:
            self.seconds[self._stages[-1]] += now - self._since
        self._since = now


def _watch(watch: Stopwatch) -> None:
    """Counts the functions of the stages, and imports of engines."""
    for (module, name), stage in _FUNCTIONS.items():
        owner = importlib.import_module(f"marsgan_tf.{module}")
        setattr(owner, name, watch.wrap(stage, getattr(owner, name)))
    plain = builtins.__import__

    def counted(name: str, *arguments: Any, **options: Any) -> Any:
        wanted = arguments[2] if len(arguments) > 2 else ()
        if not any(part.endswith("_engine") for part in wanted or ()):
            return plain(name, *arguments, **options)
        with watch.stage(ENGINE):
            module = plain(name, *arguments, **options)
        if "openvino" in sys.modules:
            core = sys.modules["openvino"].Core
            core.compile_model = watch.wrap(COMPILE, core.compile_model)
        return module

    builtins.__import__ = counted


def main() -> None:
    """Predicts, prints."""
    began, source, output, model, engine = sys.argv[1:]
    watch = Stopwatch()
    watch.seconds[PYTHON] = time.monotonic() - float(began)
    with watch.stage(PACKAGES):
        from marsgan_tf.config import PredictConfig
        from marsgan_tf.inference import predicting

        _watch(watch)
    with watch.stage(REST):
        predicting.predict(
            PredictConfig(
                input=(source,),
                output=output,
                model=model,
                engine=engine,
                overwrite=True,
            )
        )
    print(json.dumps({"seconds": watch.seconds, "ended": time.monotonic()}))
    gc.freeze()  # As commands do.


if __name__ == "__main__":
    main()
