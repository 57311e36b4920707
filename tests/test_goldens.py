import goldens
import numpy as np
import pytest


@pytest.mark.parametrize("name", goldens.CASES)
def test_output_is_the_golden_one(name):
    path = goldens.FOLDER / f"{name}.npz"
    assert path.exists(), "make it with `tests/make_goldens.py --write`"
    with np.load(path) as file:
        golden = file["output"]
    output = goldens.CASES[name]()
    assert golden.std() > 0
    # Near zero, what rounding leaves is as large as the image's bits.
    atol = 1e-4 * np.abs(golden).mean()
    np.testing.assert_allclose(output, golden, rtol=1e-4, atol=atol)


def test_every_golden_has_a_case():
    found = {path.stem for path in goldens.FOLDER.glob("*.npz")}
    assert found == set(goldens.CASES)
