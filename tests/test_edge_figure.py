import dataclasses

import edges
import numpy as np
import pytest
from PIL import Image

from marsgan_tf.assessment import edge_figure, enhancement
from marsgan_tf.assessment.regions import Region


@pytest.fixture(scope="module")
def images():
    """Three edges side by side, and the same at four times the scale."""
    lr, sr = (
        np.hstack(
            [
                edges.gaussian_edge(24 * scale, angle, sigma)
                for angle in (12, 80, 160)
            ]
        )
        for scale, sigma in ((1, 1.0), (4, 1.5))
    )
    return lr, sr


@pytest.fixture(scope="module")
def pairs(images):
    places = [Region(f"e{n}", 0, 24 * n, 24, 24) for n in range(3)]
    found, refusals = enhancement.measure_pairs(*images, places)
    assert not refusals
    return found


@pytest.fixture(scope="module")
def figure(images, pairs):
    drawn = edge_figure.draw_edges(pairs, *images)
    drawn.canvas.draw()
    return drawn


def titles(axes):
    return [axes.get_title(loc=loc) for loc in ("left", "right")]


def test_each_edge_has_two_crops_and_its_profiles(figure, pairs):
    assert len(figure.axes) == 9
    for number, pair in enumerate(pairs):
        lr, sr, profiles = figure.axes[3 * number : 3 * number + 3]
        assert titles(lr)[0] == f"e{number}, LR"
        assert titles(sr)[0] == "SR"
        assert titles(profiles)[1] == f"LR / SR = {pair.rises.factor:.2f}"
        assert lr.images[0].get_array().shape == (24, 24)
        assert sr.images[0].get_array().shape == (96, 96)
    assert "of 3 edges" in figure.get_suptitle()


def test_names_are_shown_as_they_are(images, pairs):
    name = r"$\frac{$ $a$ \$"
    region = dataclasses.replace(pairs[0].region, name=name)
    pair = dataclasses.replace(pairs[0], region=region)
    drawn = edge_figure.draw_edges([pair], *images)
    drawn.canvas.draw()
    title = drawn.axes[0].get_title(loc="left")
    assert title == f"{name}, LR"
    assert not drawn.axes[0]._left_title.get_parse_math()


def test_crops_are_the_images(figure, images):
    lr, sr = images
    np.testing.assert_array_equal(
        figure.axes[3].images[0].get_array(), lr[:, 24:48]
    )
    np.testing.assert_array_equal(
        figure.axes[4].images[0].get_array(), sr[:, 96:192]
    )


@pytest.mark.parametrize("number, angle", enumerate((12, 80, 160)))
def test_line_lies_on_the_edge(figure, number, angle):
    """It passes through the middle, along the edge as it was made."""
    line = figure.axes[3 * number + 1].lines[0]
    cols, rows = (np.asarray(part) - 47.5 for part in line.get_data())
    normal = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    np.testing.assert_allclose(cols * normal[0] + rows * normal[1], 0, atol=0.2)
    assert np.hypot(np.diff(cols), np.diff(rows))[0] >= 96


def test_marks_are_the_rise_apart_in_both_pictures(figure, pairs):
    crop, profiles = figure.axes[0], figure.axes[2]
    cols, rows = crop.lines[-1].get_data()
    distance = np.hypot(np.diff(cols), np.diff(rows))[0]
    assert distance == pytest.approx(pairs[0].lr.rise_px)
    marks = [
        line.get_data()
        for line in profiles.lines
        if line.get_marker() == "o" and len(line.get_xdata()) == 2
    ]
    rises = pairs[0].rises
    for (x, y), rise in zip(
        marks, (rises.lr_rise_px, rises.sr_rise_px), strict=True
    ):
        np.testing.assert_allclose(x, (-rise / 2, rise / 2))
        np.testing.assert_array_equal(y, (0.1, 0.9))


def test_curves_are_the_erf_of_the_blur(figure):
    """Noise-free: the smoothed function is the erf of the known blur."""
    profiles = figure.axes[2]
    curves = {
        line.get_label().split()[0]: line.get_data()
        for line in profiles.lines
        if line.get_label()[:2] in ("LR", "SR")
    }
    for label, sigma, scale in (("LR", 1.0, 4), ("SR", 1.5, 1)):
        total = scale * np.hypot(sigma, np.sqrt(1 / 12))
        x, y = curves[label]
        np.testing.assert_allclose(y, edges.blurred_step(total)(x), atol=0.01)


def test_png_is_written_whole(tmp_path, images, pairs):
    path = tmp_path / "edges.png"
    edge_figure.write_edges(str(path), pairs[:1], *images)
    assert [entry.name for entry in tmp_path.iterdir()] == ["edges.png"]
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue, vermilion = (0, 0x72, 0xB2), (0xD5, 0x5E, 0)
    for colour in (blue, vermilion):
        assert (abs(pixels - colour).max(axis=2) < 8).sum() > 100


def test_pyplot_keeps_no_figure(images, pairs):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    edge_figure.draw_edges(pairs, *images)
    assert pyplot.get_fignums() == before


def test_no_edge_is_refused(images):
    with pytest.raises(ValueError, match="`pairs`.*none"):
        edge_figure.draw_edges([], *images)
