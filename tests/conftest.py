import os
import sys

import pytest

# Before TensorFlow loads: quiet, whatever the shell says, since tests read what
# commands print; and the same numbers on every machine.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # As in commands.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
# gRPC goes through a proxy to this machine too.
os.environ["no_proxy"] = "localhost,127.0.0.1"


@pytest.fixture(autouse=True)
def dtype_policy_restored():
    """A test that sets the global dtype policy sets it for itself alone."""
    yield
    if "keras" in sys.modules:  # Never loaded for tests that do not need it.
        sys.modules["keras"].config.set_dtype_policy("float32")
