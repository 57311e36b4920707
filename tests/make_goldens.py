"""Compares `tests/goldens/` with the code; rewrites it with `--write`.

Run `PYTHONPATH=. python tests/make_goldens.py`. A golden that changes is a
trained model that answers otherwise: say why in the commit.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import goldens
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    for name, make in goldens.CASES.items():
        path = goldens.FOLDER / f"{name}.npz"
        output = make()
        sys.stdout.write(f"{name}: {_difference(path, output)}\n")
        if write:
            goldens.FOLDER.mkdir(exist_ok=True)
            np.savez_compressed(path, output=output)
    if not write:
        sys.stdout.write("nothing written; --write writes\n")


def _difference(path, output):
    if not path.exists():
        return "missing"
    with np.load(path) as file:
        golden = file["output"]
    if golden.shape != output.shape:
        return f"shape {output.shape}, was {golden.shape}"
    return f"largest difference {np.abs(output - golden).max():.1e}"


if __name__ == "__main__":
    main()
