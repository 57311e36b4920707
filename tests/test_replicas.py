"""Several replicas against one, in a process that sets up the devices."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import vgg

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    weights = tmp_path_factory.mktemp("vgg") / "vgg.h5"
    vgg.write_weights(weights, blocks=2)
    done = subprocess.run(
        [sys.executable, ROOT / "tests/replicas.py", weights],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_two_replicas_take_the_same_steps_as_one(results):
    one, two = results
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(
            two[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name
        )
