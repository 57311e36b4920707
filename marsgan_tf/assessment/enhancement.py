"""How much finer a super-resolved image resolves: the enhancement factor.

Of one edge it is the distance from 10 to 90 % of the rise in the coarse image
over that in the fine one, both on the ground; of a pair of images the mean
over its edges (the paper's section 3.1 and Table 3).
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats

from marsgan_tf.assessment import slanted_edge
from marsgan_tf.assessment.regions import Region
from marsgan_tf.assessment.slanted_edge import EdgeError, SlantedEdge

# Of two figures Student's interval reaches 9 of their deviations to each side,
# of three 2.5, of four 1.6, of five 1.2: with fewer it tells nothing.
LEAST_FOR_INTERVAL = 5


@dataclasses.dataclass(frozen=True)
class EdgeRises:
    """A row of Table 3.

    Attributes:
        name: Of the edge.
        lr_rise_px: Rise in the coarse image, in px of the fine one.
        sr_rise_px: Rise in the fine image, in its px.
        height: Of the region, in px of the image in which it was marked.
        width: The same.
        lr_overshoot: In the coarse image, share of the contrast; None if not
            known, as of the paper's edges.
        sr_overshoot: The same in the fine one.
    """

    name: str
    lr_rise_px: float
    sr_rise_px: float
    height: int
    width: int
    lr_overshoot: float | None = None
    sr_overshoot: float | None = None

    @property
    def factor(self) -> float:
        """The enhancement factor; above 1 where the fine image is sharper."""
        return self.lr_rise_px / self.sr_rise_px


@dataclasses.dataclass(frozen=True, eq=False)
class EdgePair:
    """One edge, measured in both images.

    Attributes:
        region: In px of the coarse image.
        scale: Px of the fine image along one of the coarse.
        lr: The edge in the coarse image, lengths in its px.
        sr: The edge in the fine image, lengths in its px.
    """

    region: Region
    scale: float
    lr: SlantedEdge
    sr: SlantedEdge

    @property
    def rises(self) -> EdgeRises:
        """Of the edge-spread functions."""
        return self._rises(self.lr.rise_px, self.sr.rise_px)

    @property
    def erf_rises(self) -> EdgeRises:
        """Of the erf fits, which scatter less and know no ringing."""
        return self._rises(self.lr.erf_rise_px, self.sr.erf_rise_px)

    def _rises(self, lr_px: float, sr_px: float) -> EdgeRises:
        return EdgeRises(
            name=self.region.name,
            lr_rise_px=lr_px * self.scale,
            sr_rise_px=sr_px,
            height=self.region.height,
            width=self.region.width,
            lr_overshoot=self.lr.overshoot,
            sr_overshoot=self.sr.overshoot,
        )


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An edge that counts in no figure, and why.

    Attributes:
        name: Of the region.
        image: `LR` or `SR`: where it could not be measured.
        reason: A clause without a full stop.
    """

    name: str
    image: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Summary:
    """What several figures of one kind come to.

    Attributes:
        count: How many there are.
        mean: NaN of none.
        deviation: Sample standard deviation (`n - 1`); NaN below two.
        low: Lower end of the mean's confidence interval; NaN below five.
        high: Upper end; the same.
    """

    count: int
    mean: float
    deviation: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether there are figures enough for one."""
        return self.count >= LEAST_FOR_INTERVAL


def measure_pairs(
    lr: np.ndarray,
    sr: np.ndarray,
    regions: Sequence[Region],
    *,
    scale: float = 4,
    lr_valid: np.ndarray | None = None,
    sr_valid: np.ndarray | None = None,
) -> tuple[list[EdgePair], list[Refusal]]:
    """Measures the same edges in both images.

    Args:
        lr: The coarse image, real `(height, width)`, any unit.
        sr: The fine one, real, `scale` times the size; its unit may differ.
        regions: In px of `lr`.
        scale: Px of `sr` along one of `lr`, above 0.
        lr_valid: Boolean, of the shape of `lr`; None for everywhere.
        sr_valid: The same of `sr`.

    Returns:
        The edges measured in both, and those refused in one, in the order of
        `regions`.

    Raises:
        ValueError: If a region leaves an image, or `scale` is not above 0.
    """
    if not scale > 0.0:
        raise ValueError(f"`scale` must be above 0. Received: scale={scale}")
    pairs: list[EdgePair] = []
    refusals: list[Refusal] = []
    for region in regions:
        fine = region.scaled(scale)
        image = "LR"
        try:
            coarse_edge = _measure(lr, lr_valid, region)
            image = "SR"
            fine_edge = _measure(sr, sr_valid, fine)
        except EdgeError as error:
            refusals.append(Refusal(region.name, image, str(error)))
            continue
        pairs.append(EdgePair(region, scale, coarse_edge, fine_edge))
    return pairs, refusals


def summarise(figures: Sequence[float], *, confidence: float = 0.95) -> Summary:
    """Mean, sample standard deviation and Student's confidence interval.

    The interval is `mean +- t * deviation / sqrt(n)` with t of `n - 1`
    degrees of freedom: what the mean of more such edges would be, if these
    are a sample of them.

    Args:
        figures: Finite, of any number.
        confidence: Of the interval, between 0 and 1.
    """
    values = np.asarray(figures, np.float64)
    count = values.size
    mean = float(values.mean()) if count else math.nan
    if count < 2:
        return Summary(count, mean, math.nan, math.nan, math.nan)
    deviation = float(values.std(ddof=1))
    if count < LEAST_FOR_INTERVAL:
        return Summary(count, mean, deviation, math.nan, math.nan)
    quantile = float(scipy.stats.t.ppf(0.5 + confidence / 2.0, count - 1))
    half = quantile * deviation / math.sqrt(count)
    return Summary(count, mean, deviation, mean - half, mean + half)


def _measure(
    image: np.ndarray, valid: np.ndarray | None, region: Region
) -> SlantedEdge:
    window = None if valid is None else region.crop(valid)
    return slanted_edge.measure(region.crop(image), window)
