import math

import edges
import numpy as np
import pytest
import scipy.special

from marsgan_tf.assessment import slanted_edge
from marsgan_tf.assessment.slanted_edge import EdgeError

SIGMAS = (0.6, 1.0, 1.6, 2.4, 3.0)
DARK, BRIGHT = 300.0, 512.0


def scaled(share, noise=0.0, seed=0):
    """An edge from 0 to 1 in DN, with white noise in shares of it."""
    rng = np.random.default_rng(seed)
    share = share + noise * rng.standard_normal(share.shape)
    return DARK + (BRIGHT - DARK) * share


def numeric_rise(function):
    """10 to 90 % of a profile through a pixel's aperture, by a fine sum.

    For an edge along the grid, whose pixels average over their width alone.
    """
    x = np.linspace(-15, 15, 30001)
    points = (np.arange(200) + 0.5) / 200 - 0.5
    profile = np.mean([function(x + point) for point in points], axis=0)
    start = x[np.flatnonzero((profile <= 0.1) & (x < 0))[-1]]
    stop = x[np.flatnonzero((profile >= 0.9) & (x > 0))[0]]
    return stop - start


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("angle", [5, 15, 25])
def test_rise_is_the_closed_form(sigma, angle):
    image = scaled(edges.gaussian_edge(20, angle, sigma, shift_px=0.31))
    for region in (image, image.T):
        found = slanted_edge.measure(region)
        assert found.rise_px == pytest.approx(edges.rise_px(sigma), rel=0.003)
        assert found.erf_rise_px == pytest.approx(
            edges.rise_px(sigma), rel=0.003
        )
        assert found.mtf50_cycles_per_px == pytest.approx(
            edges.mtf50(sigma, angle), rel=0.003
        )
        assert found.slant_deg == pytest.approx(angle, abs=0.03)
        assert found.contrast == pytest.approx(BRIGHT - DARK, rel=0.003)
        assert found.contrast_to_noise > 300
        assert found.line_residual_px < 0.01


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("angle", [5, 25])
def test_rise_under_faint_noise_in_the_smallest_region(sigma, angle):
    clean = edges.gaussian_edge(20, angle, sigma, shift_px=-0.2)
    found = slanted_edge.measure(scaled(clean, noise=0.01))
    assert found.rise_px == pytest.approx(edges.rise_px(sigma), rel=0.03)
    assert found.contrast_to_noise == pytest.approx(100, rel=0.2)


@pytest.mark.parametrize(
    ("sigma", "angle", "side"),
    [(0.6, 25, 20), (1.0, 5, 20), (1.6, 15, 20), (3.0, 10, 20), (1.6, 10, 40)],
)
def test_rise_under_noise_is_unbiased_and_nearly_efficient(sigma, angle, side):
    """No estimate of the blur scatters less than Cramer and Rao's bound.

    With `side` px of edge, n = side / cos(angle) pixels lie on a px along the
    normal, and of `n / noise**2 * integral((d edge / d sigma)**2)` the
    integral is `1 / (4 sqrt(pi) sigma)`. At a twentieth of the contrast in
    20 x 20 px the bound is 2 to 4 %, so only means can be held to 3 %.
    """
    noise, count = 0.05, 16
    clean = edges.gaussian_edge(side, angle, sigma, shift_px=0.17)
    ratios = np.array(
        [
            (found.rise_px, found.erf_rise_px)
            for found in (
                slanted_edge.measure(scaled(clean, noise=noise, seed=seed))
                for seed in range(count)
            )
        ]
    ) / edges.rise_px(sigma)
    total = math.hypot(sigma, math.sqrt(1 / 12))
    density = side / math.cos(math.radians(angle))
    information = density / noise**2 / (4 * math.sqrt(math.pi) * total)
    bound = 1 / math.sqrt(information) / total
    np.testing.assert_allclose(ratios.mean(axis=0), 1.0, atol=0.03)
    rise_scatter, erf_scatter = ratios.std(axis=0, ddof=1)
    # 16 draws give a deviation to 18 %.
    assert rise_scatter < 2.2 * bound
    assert erf_scatter < 1.8 * bound


@pytest.mark.parametrize("angle", [0, 0.7, 26.565, 45, 90, 160, 315])
@pytest.mark.parametrize("sigma", [0.6, 2.0])
def test_any_direction(angle, sigma):
    """Also where the pixels' distances repeat: 0, 26.565 and 45 degrees."""
    image = scaled(edges.gaussian_edge(28, angle, sigma, shift_px=0.4))
    found = slanted_edge.measure(image)
    assert found.rise_px == pytest.approx(edges.rise_px(sigma), rel=0.005)
    radians = math.radians(angle)
    assert found.line.normal_col == pytest.approx(math.cos(radians), abs=1e-3)
    assert found.line.normal_row == pytest.approx(math.sin(radians), abs=1e-3)
    # The middle of the image is 0.4 px on the dark side.
    offset = found.line.distance(np.float64(13.5), np.float64(13.5))
    assert offset == pytest.approx(-0.4, abs=0.01)


SHAPES = {
    # Moved by a box of 5 px: a ramp with sharp corners.
    "ramp": lambda d: np.clip(d / 5 + 0.5, 0, 1),
    # Sharpened: a tenth of the contrast overshoots on either side.
    "sharpened": lambda d: (
        1.8 * scipy.special.ndtr(d / 1.2) - 0.8 * scipy.special.ndtr(d / 2.4)
    ),
    "tailed": lambda d: np.where(
        d < 0, 0.5 * np.exp(-abs(d) / 1.5), 1 - 0.5 * np.exp(-abs(d) / 1.5)
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rise_follows_edges_that_are_no_erf(shape):
    truth = numeric_rise(SHAPES[shape])
    image = scaled(edges.through_pixels(SHAPES[shape], 40, 8))
    found = slanted_edge.measure(image)
    assert found.rise_px == pytest.approx(truth, rel=0.02)
    assert found.contrast == pytest.approx(BRIGHT - DARK, rel=0.005)
    if shape != "sharpened":  # Whose erf happens to rise as far.
        assert abs(found.erf_rise_px / truth - 1) > 0.03


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.08])
def test_overshoot_is_that_of_the_profile(share, polarity):
    """A lobe of known height on one side of a step of sigma 1.5."""

    def lobed(distance):
        lobe = np.exp(-0.5 * ((distance - 5.0) / 1.5) ** 2)
        return scipy.special.ndtr(distance / 1.5) + share * lobe

    image = scaled(polarity * edges.through_pixels(lobed, 40, 12))
    found = slanted_edge.measure(image)
    # The erf's fit takes a part of a lobe for a part of the step.
    assert found.overshoot == pytest.approx(share, abs=0.004)


def test_mtf50_of_a_box():
    """sinc(5 f), but for the pixel's own, is one half at 0.1207."""
    image = scaled(edges.through_pixels(SHAPES["ramp"], 40, 8))
    box = np.linspace(0.1, 0.13, 3001)
    pixel = np.sinc(box * math.cos(math.radians(8)))
    pixel *= np.sinc(box * math.sin(math.radians(8)))
    truth = box[np.flatnonzero(np.sinc(5 * box) * pixel < 0.5)[0]]
    found = slanted_edge.measure(image)
    assert found.mtf50_cycles_per_px == pytest.approx(truth, rel=0.02)


def test_unit_and_polarity_do_not_matter():
    image = edges.gaussian_edge(24, 11, 1.3) + 0.02 * np.sin(
        np.arange(24 * 24).reshape(24, 24)
    )
    one = slanted_edge.measure(image)
    other = slanted_edge.measure(5e-4 - 1e-4 * image)
    assert other.rise_px == pytest.approx(one.rise_px, rel=1e-3)
    assert other.contrast == pytest.approx(1e-4 * one.contrast, rel=1e-3)
    assert other.line.normal_col == pytest.approx(-one.line.normal_col, 1e-3)


def test_invalid_pixels_are_not_used():
    clean = scaled(edges.gaussian_edge(32, 12, 1.2))
    damaged = clean.copy()
    damaged[:5], damaged[20, 3:9] = -32768.0, np.nan
    valid = np.ones(clean.shape, bool)
    valid[:5] = False
    found = slanted_edge.measure(damaged, valid)
    assert found.rise_px == pytest.approx(edges.rise_px(1.2), rel=0.003)
    assert found.contrast == pytest.approx(BRIGHT - DARK, rel=0.003)


@pytest.mark.parametrize("col", [7, 33])
def test_boulders_beside_the_edge_do_not_move_its_levels(col):
    image = edges.gaussian_edge(40, 12, 1.2)
    rows, cols = np.indices(image.shape)
    image[(rows - 10) ** 2 + (cols - col) ** 2 < 9] += 0.6
    found = slanted_edge.measure(scaled(image))
    assert found.contrast == pytest.approx(BRIGHT - DARK, rel=0.005)
    assert found.rise_px == pytest.approx(edges.rise_px(1.2), rel=0.01)


def test_a_boulder_on_the_edge_does_not_turn_the_line():
    image = edges.gaussian_edge(40, 12, 1.2)
    rows, cols = np.indices(image.shape)
    image[(rows - 10) ** 2 + (cols - 21) ** 2 < 9] = 1.4
    found = slanted_edge.measure(scaled(image))
    assert found.slant_deg == pytest.approx(12, abs=0.1)


def test_profile_is_the_edge_spread_function():
    found = slanted_edge.measure(scaled(edges.gaussian_edge(30, 9, 1.5)))
    profile = found.profile
    assert np.all(np.diff(profile.distance_px) > 0)
    assert profile.pixels.sum() == 900
    sigma = math.hypot(1.5, math.sqrt(1 / 12))
    expected = scipy.special.ndtr(profile.distance_px / sigma)
    share = (profile.values - DARK) / (BRIGHT - DARK)
    np.testing.assert_allclose(share, expected, atol=0.003)
    start, stop = found.marks_px
    assert stop - start == found.rise_px
    levels = profile.smooth(np.array([start, stop]))
    np.testing.assert_allclose(
        (levels - DARK) / (BRIGHT - DARK), [0.1, 0.9], atol=0.003
    )


def rows_and_cols(side=40):
    middles = np.arange(side) - (side - 1) / 2
    return np.meshgrid(middles, middles, indexing="ij")


def untrustworthy():
    rng = np.random.default_rng(1)
    rows, cols = rows_and_cols()
    step = scipy.special.ndtr
    return {
        "constant": (np.ones((40, 40)), "constant"),
        "ramp": (cols + 0.3 * rows, "does not fit"),
        "wide blur": (step((cols + 0.2 * rows) / 14), "does not fit"),
        "ridge": (np.exp(-((cols + 0.2 * rows) ** 2) / 4.5), "does not fit"),
        "arc": (step(60 - np.hypot(cols - 60, rows)), "crooked"),
        "waves": (step(cols + 1.5 * np.sin(rows / 4)), "crooked"),
        "noise": (rng.standard_normal((40, 40)), "."),
        "faint": (
            edges.gaussian_edge(40, 10, 1.2) + rng.normal(0, 0.25, (40, 40)),
            "times the noise",
        ),
        "no data": (np.full((20, 20), np.nan), "0 pixels"),
        "small": (np.ones((7, 30)), "7 x 30 px"),
    }


@pytest.mark.parametrize("name", untrustworthy())
def test_no_trustworthy_edge_is_refused(name):
    image, message = untrustworthy()[name]
    with pytest.raises(EdgeError, match=message):
        slanted_edge.measure(image)


def test_error_names_argument_and_value():
    with pytest.raises(ValueError, match=r"`region`.*\(9, 9, 1\)"):
        slanted_edge.measure(np.zeros((9, 9, 1)))
    with pytest.raises(ValueError, match=r"`valid`.*\(9, 8\)"):
        slanted_edge.measure(np.zeros((9, 9)), np.ones((9, 8), bool))
