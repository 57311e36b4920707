import itertools

import edges
import numpy as np
import pytest
import scipy.ndimage

from marsgan_tf import errors
from marsgan_tf.assessment import (
    edge_proposals,
    edge_search,
    regions,
    slanted_edge,
)
from marsgan_tf.assessment.regions import Region

SIGMA = 0.9


@pytest.fixture(scope="module")
def scene():
    noise = np.random.default_rng(0).standard_normal((160, 160))
    return edges.blocks(160, 4, SIGMA) + 0.8 * noise


@pytest.fixture(scope="module")
def found(scene):
    return edge_search.find_edges(scene, count=12)


def test_as_many_as_wanted_and_none_overlap(found):
    assert [region.name for region in found] == [
        f"edge{number:02d}" for number in range(1, 13)
    ]
    for one, other in itertools.combinations(found, 2):
        rows = set(range(one.row, one.row + one.height)) & set(
            range(other.row, other.row + other.height)
        )
        cols = set(range(one.col, one.col + one.width)) & set(
            range(other.col, other.col + other.width)
        )
        assert not (rows and cols)


def test_all_are_the_scenes_edges(scene, found):
    for region in found:
        window = scene[
            region.row : region.row + 20, region.col : region.col + 20
        ]
        edge = slanted_edge.measure(window)
        assert edge.rise_px == pytest.approx(edges.rise_px(SIGMA), rel=0.1)
        assert edge.contrast > 28
        # The edge is the middle of its window.
        assert np.hypot(edge.line.row - 9.5, edge.line.col - 9.5) < 1.5


def test_best_first(scene, found):
    """Merit is contrast over misfit and rise."""
    measured = [slanted_edge.measure(region.crop(scene)) for region in found]
    merits = [
        edge.contrast / edge.erf_residual / edge.rise_px for edge in measured
    ]
    assert merits == sorted(merits, reverse=True)


def test_sharp_before_soft_and_strong_before_faint():
    """Four parallel edges: soft, sharp, middling, faint."""
    middles = np.array([-60.0, -20.0, 20.0, 60.0])
    strengths, sigmas = (1.0, -1.0, 1.0, -0.3), (2.0, 0.7, 1.2, 1.2)

    def profile(distance):
        return sum(
            strength * edges.blurred_step(sigma)(distance - middle)
            for middle, strength, sigma in zip(
                middles, strengths, sigmas, strict=True
            )
        )

    image = edges.through_pixels(profile, 160, 8)
    image += np.random.default_rng(1).normal(0, 0.01, image.shape)
    found = edge_search.find_edges(image, count=30)
    angle = np.radians(8)
    order = [
        int(np.argmin(abs(middles - across)))
        for across in (
            (region.col - 70) * np.cos(angle)
            + (region.row - 70) * np.sin(angle)
            for region in found
        )
    ]
    assert list(dict.fromkeys(order)) == [1, 2, 0, 3]


def canvas():
    return 100 + np.random.default_rng(1).normal(0, 1, (120, 120))


def pair_of_bands(distance, width):
    """A bright one beside a dark one, which end beyond a short window."""
    bands = 60.0 * (abs(distance) < width) * np.sign(distance)
    return scipy.ndimage.gaussian_filter(bands, 1.0)


def decoys():
    """Strong contrasts of which none is a straight edge by itself."""
    rows, cols = np.indices((120, 120)) - 60.0
    distance = np.hypot(rows, cols)
    texture = np.random.default_rng(2).normal(0, 25, (120, 120))
    return {
        "disc": 60.0 * (distance < 14),
        "spot": 80.0 * np.exp(-(distance**2) / 8),
        "ridge": 60.0 * np.exp(-((cols + 0.2 * rows) ** 2) / 4),
        "stripes": 40.0 * np.sign(np.sin((cols + 0.1 * rows) / 2.5)),
        "pair": pair_of_bands(cols + 0.2 * rows, 6.0),
        "wider pair": pair_of_bands(cols + 0.2 * rows, 7.0),
        "texture": texture,
        "slope": 1.5 * cols,
        "flat": np.zeros((120, 120)),
    }


@pytest.mark.parametrize("name", decoys())
def test_decoys_are_not_edges(name):
    image = canvas() + decoys()[name]
    assert edge_search.find_edges(image, count=4) == []


def test_straight_edges_are_found_among_stronger_crooked_ones(scene):
    """Forty boulders of thrice the contrast have the largest gradients."""
    rows, cols = np.indices((320, 160)) % 32 - 16.0
    boulders = 150.0 / (1 + np.exp(np.hypot(rows, cols) - 9))
    noise = np.random.default_rng(4).normal(0, 1, boulders.shape)
    image = np.vstack([scene, 100 + boulders + noise])
    places = edge_search.find_edges(image, count=4)
    assert len(places) == 4
    assert all(region.row + region.height <= 160 for region in places)


@pytest.mark.parametrize("floor", [10.0, 25.0])
def test_sides_that_are_one_number_are_no_ground(floor):
    """A black margin, or shadows that were clipped."""
    image = 5 + 40 * edges.gaussian_edge(100, 12, 0.8)
    image += np.random.default_rng(5).normal(0, 1, image.shape)
    assert len(edge_search.find_edges(image, count=3)) == 3
    clipped = np.maximum(image, floor)
    assert edge_search.find_edges(clipped, count=3) == []


def test_short_windows_where_no_edge_stays_straight_for_long():
    """Squares of 18 px have no edge that fills 20 px.

    Turning them by linear interpolation adds a variance of 1/6 on average.
    """
    squares = (np.indices((160, 160)) // 18).sum(axis=0) % 2
    turned = scipy.ndimage.rotate(60.0 * squares, 12, reshape=False, order=1)
    image = scipy.ndimage.gaussian_filter(turned, 0.8)[40:120, 40:120]
    image += np.random.default_rng(6).normal(0, 1, image.shape)
    places = edge_search.find_edges(image, count=30)
    assert len(places) >= 6
    assert {region.height for region in places} == {14, 12}
    expected = edges.RISE_PER_SIGMA * np.sqrt(0.8**2 + 1 / 6)
    for region in places:
        measured = slanted_edge.measure(region.crop(image))
        assert measured.rise_px == pytest.approx(expected, rel=0.08)


def test_windows_keep_off_pixels_without_data(scene):
    valid = np.ones(scene.shape, bool)
    valid[:, 70:90] = False
    holed = scene.copy()
    holed[100:104] = np.nan
    holed[~valid] = -32768.0
    places = edge_search.find_edges(holed, valid, count=8)
    assert len(places) >= 4
    for region in places:
        assert np.isfinite(region.crop(holed)).all()
        assert region.crop(valid).all()


def test_blocks_of_the_search_leave_no_seam(scene, monkeypatch):
    whole = edge_search.find_edges(scene[:120], count=100)
    monkeypatch.setattr(edge_proposals, "_BLOCK_PX", 37)
    assert edge_search.find_edges(scene[:120], count=100) == whole
    assert len(whole) > 10


def test_unit_and_polarity_do_not_matter(scene, found):
    other = edge_search.find_edges(0.05 - 1e-4 * scene, count=12)
    assert other == found


def test_image_smaller_than_a_window():
    assert edge_search.find_edges(canvas()[:15, :50], count=3) == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image": np.zeros((9, 9, 1))}, r"`image`.*\(9, 9, 1\)"),
        ({"image": np.zeros((9, 9)), "count": 0}, "`count`.*count=0"),
        ({"image": np.zeros((9, 9)), "side_px": 8}, "`side_px`.*side_px=8"),
    ],
)
def test_error_names_argument_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        edge_search.find_edges(**arguments)


def test_scaled_region_is_the_same_ground():
    region = Region("a", 3, 10, 20, 16)
    assert region.scaled(4) == Region("a", 12, 40, 80, 64)
    assert region.scaled(1) == region
    # 3 and 23 times 2.5 are 7.5 and 57.5: ties go to the even neighbour.
    assert region.scaled(2.5) == Region("a", 8, 25, 50, 40)
    assert Region("b", 0, 0, 1, 1).scaled(0.2) == Region("b", 0, 0, 1, 1)


def test_crop_is_a_view_and_never_short():
    image = np.arange(30).reshape(5, 6)
    crop = Region("a", 1, 2, 3, 4).crop(image)
    np.testing.assert_array_equal(crop, image[1:4, 2:6])
    with pytest.raises(ValueError, match="region b.*row 3, column 2"):
        Region("b", 3, 2, 3, 4).crop(image)


def test_regions_come_back(tmp_path):
    path = tmp_path / "edges.csv"
    written = [Region("dune, west", 3, 10, 20, 16), Region("ä", 0, 0, 1, 2)]
    regions.write_regions(str(path), written)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "name,row,col,height,width",
        '"dune, west",3,10,20,16',
        "ä,0,0,1,2",
    ]
    assert regions.read_regions(str(path), (23, 26)) == written


def test_spreadsheets_way_of_writing_is_read(tmp_path):
    path = tmp_path / "edges.csv"
    text = "Width,note,ROW,name, col ,height\r\n16,x,3,a,10,20\r\n,,,,,\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert regions.read_regions(str(path)) == [Region("a", 3, 10, 20, 16)]


HEADER = "name,row,col,height,width\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "line 1: no column name, row, col, height, width"),
        ("name,row,col,height\na,1,2,3\n", "line 1: no column width"),
        (HEADER, "holds no region"),
        (HEADER + "a,1,2,3,4\nb,1,2,x,4\n", "line 3: 1,2,x,4 is no region"),
        (HEADER + "a,1,2,3.5,4\n", "line 2: 1,2,3.5,4 is no region"),
        (HEADER + "a,-1,2,3,4\n", "line 2: -1,2,3,4 is no region"),
        (HEADER + "a,1,2,0,4\n", "line 2: 1,2,0,4 is no region"),
        (HEADER + "a,1,2\n", "line 2: 3 cells"),
        (HEADER + "a,1,2,3,4\na,9,2,3,4\n", "line 3: the name a stands twice"),
        (HEADER + "a,1,2,3,4\nb,8,2,3,4\n", "line 3: the region b leaves"),
    ],
)
def test_bad_file_is_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    with pytest.raises(errors.MarsganError) as caught:
        regions.read_regions(str(path), (10, 10))
    told = str(caught.value)
    assert message in told
    assert str(path) in told
    assert "\n" not in told


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_file_that_is_no_text(tmp_path, kind):
    path = tmp_path / "edges.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")
    with pytest.raises(regions.RegionFileError, match=r"edges\.csv"):
        regions.read_regions(str(path))


def test_cells_of_several_lines_are_told_in_one(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text('name,row,col,height,width\nA,1,"2\n\nx",3,4\n')
    with pytest.raises(regions.RegionFileError) as told:
        regions.read_regions(str(path))
    assert "\n" not in str(told.value)
