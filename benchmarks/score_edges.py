"""How much sharper edges become, against how sharp they truly are.

Real scenes are brought down by 4 after a blur of known sigma and
super-resolved by the command itself. The edges are found in the input; each
is measured there, in the result, and in the scene as it was:

    python -m benchmarks.score_edges --model=FOLDER --scenes=../shared/data

The enhancement factor of the truth is what a perfect restoration would reach.
Overshoot is how far an edge's profile passes its plateaus; that of bicubic
enlargement and of the truth tell how much of it is ground.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from absl import logging

from benchmarks import score_shipped
from marsgan_tf.assessment import edge_search, enhancement
from marsgan_tf.assessment.enhancement import EdgePair
from marsgan_tf.imaging import degrade

_SIGMAS = (0.8, 1.6, 2.4)
_MOST_EDGES = 40


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--scenes", required=True)
    arguments = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    print(
        "| scenes | sigma | edges | factor | 95 % interval | factor of the "
        "truth | overshoot, % | of the input | of the truth |"
    )
    print("|---" * 9 + "|")
    for kind, names in score_shipped.SCENES.items():
        truths = [
            score_shipped.read(f"{arguments.scenes}/{name}") for name in names
        ]
        for sigma in _SIGMAS:
            pairs = _measure(truths, sigma, arguments.model)
            print(f"| {kind} | {sigma} | {_row(pairs)} |", flush=True)


def _measure(
    truths: Sequence[np.ndarray], sigma: float, model: str
) -> list[tuple[EdgePair, EdgePair]]:
    """Edges that result and truth both show, each with its input."""
    lows = [
        score_shipped.to_bytes(degrade.degrade(truth, sigma))
        for truth in truths
    ]
    restored = score_shipped.predict(lows, model)
    found = []
    for low, sharp, truth in zip(lows, restored, truths, strict=True):
        valid = np.ones(low.shape, bool)
        regions = edge_search.find_edges(low, valid, count=_MOST_EDGES)
        in_result, in_truth = (
            {
                pair.region.name: pair
                for pair in enhancement.measure_pairs(low, fine, regions)[0]
            }
            for fine in (sharp, truth)
        )
        found += [
            (in_result[name], in_truth[name])
            for name in in_result
            if name in in_truth
        ]
    return found


def _row(pairs: Sequence[tuple[EdgePair, EdgePair]]) -> str:
    ours = enhancement.summarise([one.rises.factor for one, _ in pairs])
    truth = enhancement.summarise([true.rises.factor for _, true in pairs])
    overshoots = [
        100.0 * float(np.median(shares))
        for shares in (
            [one.sr.overshoot for one, _ in pairs],
            [one.lr.overshoot for one, _ in pairs],
            [true.sr.overshoot for _, true in pairs],
        )
    ]
    return " | ".join(
        [
            f"{ours.count}",
            f"{ours.mean:.2f}",
            f"{ours.low:.2f} to {ours.high:.2f}",
            f"{truth.mean:.2f}",
            *(f"{share:.1f}" for share in overshoots),
        ]
    )


if __name__ == "__main__":
    main()
