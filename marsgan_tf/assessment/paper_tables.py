"""The layouts of the paper's tables 2 and 3, for any images and edges."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from marsgan_tf.assessment import enhancement, tables
from marsgan_tf.assessment.enhancement import EdgeRises, Summary


@dataclasses.dataclass(frozen=True)
class ImageScores:
    """A row of Table 2: one image in one crop.

    Attributes:
        crop: Name of the crop; empty for a whole image.
        image: Name of the image.
        psnr_db: Against the reference; None without one.
        mssim: The same.
        brisque: Lower is better; None if it was not computed.
        piqe: Lower is better; the same.
    """

    crop: str
    image: str
    psnr_db: float | None = None
    mssim: float | None = None
    brisque: float | None = None
    piqe: float | None = None


_SCORES = (
    tables.Column("psnr_db", "PSNR (dB)", 3),
    tables.Column("mssim", "MSSIM", 4),
    tables.Column("brisque", "BRISQUE", 2),
    tables.Column("piqe", "PIQE", 2),
)
_RISES = (
    tables.Column("lr_rise_px", "LR rise 10-90 % (SR px)", 2),
    tables.Column("sr_rise_px", "SR rise 10-90 % (SR px)", 2),
    tables.Column("enhancement_factor", "Enhancement factor", 3),
)
_OVERSHOOTS = (
    tables.Column("lr_overshoot_percent", "LR overshoot (%)", 1),
    tables.Column("sr_overshoot_percent", "SR overshoot (%)", 1),
)


def score_table(
    scores: Sequence[ImageScores],
    title: str = "Image quality",
) -> tables.Table:
    """Table 2's layout: crop, image, four scores; then each image's means.

    A mean is over the crops that have the score. Images stand in the order
    in which they come first.
    """
    images = dict.fromkeys(score.image for score in scores)
    return tables.Table(
        title=title,
        columns=(
            tables.Column("crop", "Crop"),
            tables.Column("image", "Image"),
            *_SCORES,
        ),
        rows=tuple(dataclasses.asdict(score) for score in scores),
        summary=tuple(_mean_scores(scores, image) for image in images),
    )


def edge_table(
    edges: Sequence[EdgeRises],
    title: str = "Slanted edges",
    *,
    confidence: float = 0.95,
) -> tables.Table:
    """Table 3's layout: per edge both rises, the region and their ratio.

    Where they are known, how far both images pass the plateaus follows.
    Below stand mean, sample standard deviation and the ends of the means'
    confidence interval; of fewer than five edges, that there is none.
    """
    columns = (*_RISES, *(_OVERSHOOTS if _know_overshoots(edges) else ()))
    rows: tuple[tables.Row, ...] = tuple(
        {
            "edge": edge.name,
            "region": f"{edge.height} x {edge.width}",
            **_edge_figures(edge),
        }
        for edge in edges
    )
    summaries = {
        column.key: enhancement.summarise(
            [_edge_figures(edge)[column.key] for edge in edges],
            confidence=confidence,
        )
        for column in columns
    }
    return tables.Table(
        title=title,
        columns=(
            tables.Column("edge", "Edge"),
            *columns[:2],
            tables.Column("region", "Region (LR px)"),
            *columns[2:],
        ),
        rows=rows,
        summary=_summary_rows(summaries, confidence),
    )


def _know_overshoots(edges: Sequence[EdgeRises]) -> bool:
    return bool(edges) and all(
        edge.lr_overshoot is not None and edge.sr_overshoot is not None
        for edge in edges
    )


def _edge_figures(edge: EdgeRises) -> dict[str, float]:
    """By the columns' keys; an overshoot that is not known is NaN."""
    lr, sr = (
        math.nan if share is None else 100.0 * share
        for share in (edge.lr_overshoot, edge.sr_overshoot)
    )
    return {
        "lr_rise_px": edge.lr_rise_px,
        "sr_rise_px": edge.sr_rise_px,
        "enhancement_factor": edge.factor,
        "lr_overshoot_percent": lr,
        "sr_overshoot_percent": sr,
    }


def _mean_scores(scores: Sequence[ImageScores], image: str) -> tables.Row:
    chosen = [score for score in scores if score.image == image]
    means = {
        column.key: _mean(getattr(score, column.key) for score in chosen)
        for column in _SCORES
    }
    return {"crop": "mean", "image": image, **means}


def _summary_rows(
    summaries: Mapping[str, Summary], confidence: float
) -> tuple[tables.Row, ...]:
    labels = {"mean": "mean", "deviation": "sample standard deviation"}
    share = f"{100.0 * confidence:g} %"
    if all(one.has_interval for one in summaries.values()):
        labels["low"] = f"mean, {share} interval from"
        labels["high"] = f"mean, {share} interval to"
    rows: list[tables.Row] = [
        {
            "edge": label,
            **{key: getattr(one, field) for key, one in summaries.items()},
        }
        for field, label in labels.items()
    ]
    if "low" not in labels:
        least = enhancement.LEAST_FOR_INTERVAL
        rows.append(
            {"edge": f"no {share} interval: it takes {least} edges or more"}
        )
    return tuple(rows)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    known = [value for value in known if not math.isnan(value)]
    return sum(known) / len(known) if known else None
