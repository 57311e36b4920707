"""What an evaluation comes to: one set of figures an image."""

import dataclasses
import math
from collections.abc import Iterable
from typing import TypeVar

from marsgan_tf.assessment import enhancement, tables
from marsgan_tf.assessment.enhancement import Summary
from marsgan_tf.assessment.findings import Findings
from marsgan_tf.assessment.honesty_maps import HonestyTotals, ResidualTotals
from marsgan_tf.assessment.paper_tables import ImageScores

_Totals = TypeVar("_Totals", HonestyTotals, ResidualTotals)

_SCORES = ("psnr_db", "mssim", "brisque", "piqe")
_HIGHER_IS_BETTER = ("psnr_db", "mssim")


@dataclasses.dataclass(frozen=True)
class ImageSummary:
    """Of one super-resolved image.

    Attributes:
        image: Its name.
        psnr_db: Mean over the crops, of the whole image without crops; None
            without a reference. So are the others.
        psnr_gain_db: Over the input's.
        mssim: Mean.
        mssim_gain: Over the input's.
        brisque: Mean.
        piqe: Mean.
        sharpness: Of the enhancement factors; None without edges.
        honesty: None without reference or input.
        residual: None without an input of larger pixels.
    """

    image: str
    psnr_db: float | None
    psnr_gain_db: float | None
    mssim: float | None
    mssim_gain: float | None
    brisque: float | None
    piqe: float | None
    sharpness: Summary | None
    honesty: HonestyTotals | None
    residual: ResidualTotals | None


def summarise(found: Findings) -> list[ImageSummary]:
    """One summary for each image but input and reference."""
    used = found.crop_scores or found.whole_scores
    skipped = (found.lr, found.reference)
    names = [one.name for one in found.images if one.name not in skipped]
    start = _means(used, found.lr) if found.lr else {}
    return [_summary(found, name, _means(used, name), start) for name in names]


def mean_table(found: Findings) -> tables.Table:
    """Means over the crops, a row an image; of whole images without crops."""
    used = found.crop_scores or found.whole_scores
    start = _means(used, found.lr) if found.lr else {}
    rows = []
    for one in found.images:
        means = _means(used, one.name)
        is_gain = one.name not in (found.lr, found.reference)
        rows.append(
            {
                "image": one.name,
                **means,
                **{
                    f"{key}_gain": _difference(means, start, key)
                    for key in _HIGHER_IS_BETTER
                    if is_gain
                },
            }
        )
    return tables.Table(
        title="Means",
        columns=(
            tables.Column("image", "Image"),
            tables.Column("psnr_db", "PSNR (dB)", 2),
            tables.Column("psnr_db_gain", "over input", 2),
            tables.Column("mssim", "MSSIM", 4),
            tables.Column("mssim_gain", "over input", 4),
            tables.Column("brisque", "BRISQUE", 2),
            tables.Column("piqe", "PIQE", 2),
        ),
        rows=tuple(rows),
    )


def best_cells(
    table: tables.Table, reference: str | None, grouped_by: str = ""
) -> set[tuple[int, str]]:
    """Row number and key of the best score of each group and column.

    The reference takes no part; of equals none is best.
    """
    groups: dict[object, list[int]] = {}
    for number, row in enumerate(table.rows):
        if row["image"] != reference:
            groups.setdefault(row.get(grouped_by), []).append(number)
    found = set()
    for numbers in groups.values():
        for key in _SCORES:
            best = _best(table, numbers, key)
            if best is not None:
                found.add((best, key))
    return found


def _best(table: tables.Table, numbers: list[int], key: str) -> int | None:
    known = {
        number: value
        for number in numbers
        if isinstance(value := table.rows[number].get(key), int | float)
        and not math.isnan(value)
    }
    if len(known) < 2:
        return None
    pick = max if key in _HIGHER_IS_BETTER else min
    value = pick(known.values())
    winners = [number for number in known if known[number] == value]
    return winners[0] if len(winners) == 1 else None


def _summary(
    found: Findings,
    name: str,
    means: dict[str, float | None],
    start: dict[str, float | None],
) -> ImageSummary:
    pairs = [one.pairs for one in found.edges if one.image == name]
    factors = [pair.rises.factor for every in pairs for pair in every]
    return ImageSummary(
        image=name,
        psnr_db=means["psnr_db"],
        psnr_gain_db=_difference(means, start, "psnr_db"),
        mssim=means["mssim"],
        mssim_gain=_difference(means, start, "mssim"),
        brisque=means["brisque"],
        piqe=means["piqe"],
        sharpness=enhancement.summarise(factors) if factors else None,
        honesty=_of(found.honesty, name),
        residual=_of(found.residuals, name),
    )


def _of(totals: Iterable[_Totals], name: str) -> _Totals | None:
    return next((one for one in totals if one.image == name), None)


def _means(scores: Iterable[ImageScores], name: str) -> dict[str, float | None]:
    own = [score for score in scores if score.image == name]
    return {key: _mean(getattr(score, key) for score in own) for key in _SCORES}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None and not math.isnan(v)]
    return sum(known) / len(known) if known else None


def _difference(
    means: dict[str, float | None], start: dict[str, float | None], key: str
) -> float | None:
    value, base = means.get(key), start.get(key)
    if value is None or base is None or math.isinf(value - base):
        return None
    return value - base
