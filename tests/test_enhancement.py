import math

import edges
import numpy as np
import pytest

from marsgan_tf.assessment import edge_findings, edge_search, enhancement
from marsgan_tf.assessment.enhancement import EdgeRises
from marsgan_tf.assessment.regions import Region
from marsgan_tf.imaging import degrade


def truth(lr_sigma, sr_sigma, scale=4):
    return scale * edges.rise_px(lr_sigma) / edges.rise_px(sr_sigma)


@pytest.mark.parametrize(
    "lr_sigma, sr_sigma, noise",
    [(0.7, 2.6, 1.0), (1.4, 1.2, 0.5)],
)
def test_factor_of_a_scene_of_known_blurs(lr_sigma, sr_sigma, noise):
    rng = np.random.default_rng(3)
    lr = edges.blocks(160, 4, lr_sigma)
    sr = edges.blocks(640, 1, sr_sigma)
    lr, sr = (
        image + noise * rng.standard_normal(image.shape) for image in (lr, sr)
    )
    regions = edge_search.find_edges(lr, count=10)
    pairs, refusals = enhancement.measure_pairs(lr, sr, regions)
    assert len(pairs) == 10 and not refusals
    factors = [pair.rises.factor for pair in pairs]
    expected = truth(lr_sigma, sr_sigma)
    assert np.mean(factors) == pytest.approx(expected, rel=0.05)
    by_erf = [pair.erf_rises.factor for pair in pairs]
    assert np.mean(by_erf) == pytest.approx(expected, rel=0.05)
    spread = enhancement.summarise(factors)
    assert spread.deviation < 0.12 * expected


def test_factor_of_our_own_degradation():
    """Blurred and brought down by bicubic, whose variance is known.

    Keys' kernel has no variance, so that of the LR image is the HR image's
    and the Gaussian's; what it does beyond sharpens, by the erf's terms of
    fourth order: a few per cent.
    """
    hr = edges.blocks(640, 1, 1.0).astype(np.float32)
    lr = degrade.degrade(hr, 4.0)
    regions = edge_search.find_edges(lr, count=8)
    pairs, _ = enhancement.measure_pairs(lr, hr, regions)
    sigma = math.sqrt(1.0 + 1 / 12 + 4.0**2)
    expected = sigma / math.sqrt(1.0 + 1 / 12)
    mean = np.mean([pair.rises.factor for pair in pairs])
    assert len(pairs) == 8
    assert mean == pytest.approx(expected, rel=0.05)


def test_rises_are_on_the_ground():
    """The same ground at other scales gives the ratio of the blurs on it."""
    region = Region("e", 0, 0, 24, 24)
    lr = edges.gaussian_edge(24, 10, 1.2)
    sr = edges.gaussian_edge(60, 10, 1.5)
    (pair,), _ = enhancement.measure_pairs(lr, sr, [region], scale=2.5)
    rises = pair.rises
    assert rises.lr_rise_px == pytest.approx(2.5 * edges.rise_px(1.2), 0.003)
    assert rises.sr_rise_px == pytest.approx(edges.rise_px(1.5), 0.003)
    assert rises.factor == pytest.approx(truth(1.2, 1.5, 2.5), rel=0.005)
    assert (rises.name, rises.height, rises.width) == ("e", 24, 24)


def test_same_image_gains_nothing():
    image = edges.gaussian_edge(24, 10, 1.2)
    (pair,), _ = enhancement.measure_pairs(
        image, 7 - 3 * image, [Region("e", 0, 0, 24, 24)], scale=1
    )
    assert pair.rises.factor == pytest.approx(1.0, rel=1e-3)


def test_refusal_tells_image_and_reason():
    edge = edges.gaussian_edge(24, 10, 1.2)
    flat = np.zeros((24, 24))
    lr = np.hstack([edge, flat, edge, edge])
    sr = np.hstack([edge, edge, flat, edge])
    valid = np.ones(sr.shape, bool)
    valid[:, 72:] = False
    regions = [Region(n, 0, 24 * i, 24, 24) for i, n in enumerate("abcd")]
    pairs, refusals = enhancement.measure_pairs(
        lr, sr, regions, scale=1, sr_valid=valid
    )
    assert [pair.region.name for pair in pairs] == ["a"]
    told = [(refusal.name, refusal.image) for refusal in refusals]
    assert told == [("b", "LR"), ("c", "SR"), ("d", "SR")]
    assert "constant" in refusals[0].reason
    assert "0 pixels" in refusals[2].reason


@pytest.mark.parametrize(
    "most, names, refused", [(1, "a", ""), (2, "ad", "bc"), (9, "adf", "bce")]
)
def test_first_that_both_show_are_reported(most, names, refused):
    """Of spare regions; with what was refused on the way, and no more."""
    edge = edges.gaussian_edge(24, 10, 1.2)
    flat = np.zeros((24, 24))
    lr = np.hstack([edge, flat, edge, edge, flat, edge])
    sr = np.hstack([edge, edge, flat, edge, edge, edge])
    regions = [Region(n, 0, 24 * i, 24, 24) for i, n in enumerate("abcdef")]
    measured = enhancement.measure_pairs(lr, sr, regions, scale=1)
    pairs, refusals = edge_findings._first(*measured, regions, most)
    assert [pair.region.name for pair in pairs] == [*names]
    assert [refusal.name for refusal in refusals] == [*refused]


def test_summary_is_the_textbooks():
    """Of five, t is 2.776, from the table of its quantiles."""
    summary = enhancement.summarise([2.0, 4.0, 4.0, 5.0, 5.0])
    assert (summary.count, summary.mean) == (5, 4.0)
    assert summary.deviation == pytest.approx(math.sqrt(6 / 4))
    half = 2.7764451 * math.sqrt(6 / 4 / 5)
    assert summary.low == pytest.approx(4.0 - half)
    assert summary.high == pytest.approx(4.0 + half)


def test_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    summaries = [
        enhancement.summarise(rng.normal(3.0, 0.7, 6), confidence=0.8)
        for _ in range(1500)
    ]
    hits = np.mean([one.low < 3.0 < one.high for one in summaries])
    assert hits == pytest.approx(0.8, abs=0.03)  # Three deviations.


def test_few_figures_have_no_deviation():
    assert math.isnan(enhancement.summarise([]).mean)
    one = enhancement.summarise([2.5])
    assert one.mean == 2.5
    assert math.isnan(one.deviation) and math.isnan(one.low)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_too_few_figures_have_no_interval(count):
    """Of two, Student's would reach 9 deviations to each side."""
    few = enhancement.summarise([2.0, 3.0, 2.5, 2.7][:count])
    assert few.deviation > 0 and not few.has_interval
    assert math.isnan(few.low) and math.isnan(few.high)
    assert enhancement.summarise([2.0] * 5).has_interval


def test_wider_in_the_fine_image_is_below_one():
    assert EdgeRises("e", 2.0, 4.0, 20, 20).factor == 0.5


def test_error_names_argument_and_value():
    image = np.zeros((24, 24))
    with pytest.raises(ValueError, match="`scale`.*scale=0"):
        enhancement.measure_pairs(image, image, [], scale=0)
    with pytest.raises(ValueError, match=r"`image`.*region e.*\(24, 24\)"):
        enhancement.measure_pairs(image, image, [Region("e", 9, 9, 24, 24)])
