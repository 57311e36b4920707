import hashlib
import html.parser
import io
import json
import pathlib
import re
import tomllib

import affine
import browser
import numpy as np
import pytest
import rasters
from PIL import Image

from marsgan_tf.assessment import (
    common_grid,
    evaluating,
    html_tables,
    pictures,
    report_folder,
    tables,
    tiles,
)
from marsgan_tf.assessment.honesty import judge
from marsgan_tf.config import EvaluateConfig
from marsgan_tf.imaging import degrade, enlarge, terrain

ROOT = pathlib.Path(__file__).parent.parent
HOSTILE = "</script><svg onload>&\"'"
HOSTILE_FILE = "<svg onload>'&.tif"
GROUND = affine.Affine(2.0, 0.0, 500.0, 0.0, -2.0, 900.0)
SHAPE = (304, 608)


class Parsed(html.parser.HTMLParser):
    """Elements of a page, whether they are closed, and the text of each."""

    EMPTY = {"meta", "img", "input", "br", "link"}

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report of images with hostile names, one with a hole."""
    there = tmp_path_factory.mktemp("report")
    hr = terrain.image(SHAPE, gsd_m=2.0, seed=2)
    hr = np.rint(60 + 900 * (hr - hr.min()) / np.ptp(hr))
    lr = degrade.degrade(hr, 1.6)
    sr = 0.5 * enlarge.enlarge(lr) + 0.5 * hr
    holed = hr.copy()
    holed[100:140, 480:540] = 0
    for name, pixels, scale in (("hr", holed, 1), ("lr", lr, 4), ("sr", sr, 1)):
        rasters.write_geotiff(
            there / f"{name}.tif",
            np.rint(pixels).astype(np.uint16),
            transform=GROUND @ affine.Affine.scale(scale),
            nodata=0,
        )
    (there / "sr.tif").rename(there / HOSTILE_FILE)
    (there / "crops.csv").write_text(
        "name,row,col,height,width\n"
        f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",10,20,64,64\n'
        "B,200,300,64,64\n"
    )
    (there / "edges.csv").write_text(
        "name,row,col,height,width\n<b>flat</b>,10,20,16,16\n"
    )
    evaluating.evaluate(
        EvaluateConfig(
            images=(f"in={there}/lr.tif", f"{HOSTILE}={there}/{HOSTILE_FILE}"),
            reference=f"{there}/hr.tif",
            reference_name="<u>truth</u>",
            crops=f"{there}/crops.csv",
            edges=f"{there}/edges.csv",
            output_dir=f"{there}/out",
        )
    )
    return there / "out"


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text()


# --- Tiles ---


def painted(height, width, bands=1):
    """A picture with holes, and how to paint its windows."""
    random = np.random.default_rng(3)
    values = random.random((height, width, bands)).astype(np.float32)
    valid = random.random((height, width)) > 0.1
    grid = common_grid.Grid(height, width, None)
    return values, valid, grid, lambda w: (values[w.slices], valid[w.slices])


def assembled(folder, shape):
    """One level, put together from its tiles, with opacity."""
    whole = np.zeros((*shape, 4), np.uint8)
    seen = np.zeros(shape, int)
    for path in folder.iterdir():
        col, row = (512 * int(part) for part in path.stem.split("_"))
        tile = np.asarray(Image.open(path).convert("RGBA"))
        place = np.s_[row : row + tile.shape[0], col : col + tile.shape[1]]
        whole[place], seen[place] = tile, seen[place] + 1
    assert (seen == 1).all()
    return whole


@pytest.mark.parametrize("height, width", [(1100, 700), (513, 1025), (40, 60)])
@pytest.mark.parametrize("bands", [1, 3])
def test_pyramid_is_the_raster(tmp_path, height, width, bands):
    values, valid, grid, paint = painted(height, width, bands)
    found = tiles.write(str(tmp_path / "t"), grid, paint)
    levels = sorted(int(path.name) for path in (tmp_path / "t").iterdir())
    assert levels == list(range(found.min_level, found.max_level + 1))
    assert 2**found.max_level >= max(height, width) > 2 ** (found.max_level - 1)
    for level in levels:
        scale = 2 ** (found.max_level - level)
        shape = -(-height // scale), -(-width // scale)
        whole = assembled(tmp_path / "t" / str(level), shape)
        rows, cols = np.mgrid[: shape[0], : shape[1]]
        for row, col in list(zip(rows.flat, cols.flat, strict=True))[::997]:
            below = np.s_[
                row * scale : (row + 1) * scale, col * scale : (col + 1) * scale
            ]
            assert (whole[row, col, 3] == 255) == valid[below].any()
            if scale == 1 and valid[below].any():
                shown = (whole[row, col, :3].astype(float) - 1) / 254
                expected = np.broadcast_to(values[row, col], 3)
                np.testing.assert_allclose(shown, expected, atol=0.51 / 254)
    names = [path.name for path in (tmp_path / "t" / str(levels[0])).iterdir()]
    assert names == ["0_0.png"]


def test_lower_levels_are_means_of_what_has_data(tmp_path):
    values, valid, grid, paint = painted(1500, 1300)
    overview, known = tiles.write(str(tmp_path / "t"), grid, paint).overview
    assert overview.shape == (750, 650, 1)
    for row, col in ((0, 0), (749, 649), (300, 17), (511, 512)):
        below = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        assert known[row, col] == valid[below].any()
        mean = values[below][valid[below]].mean()
        assert overview[row, col, 0] == pytest.approx(mean, abs=1e-6)


def test_strips_are_painted_once_and_in_order(tmp_path):
    *_, grid, paint = painted(1300, 90)
    asked = []

    def noted(window):
        asked.append((window.row, window.height, window.width))
        return paint(window)

    tiles.write("", grid, noted)
    assert asked == [(0, 512, 90), (512, 512, 90), (1024, 276, 90)]


def test_classes_are_coloured_over_grey():
    hr, lr = np.full((2, 2), 0.9), np.full((2, 2), 0.5)
    sr = np.array([[0.9, 0.5], [0.1, 0.5]])
    valid = np.array([[True, True], [True, False]])
    found = judge(sr, lr, hr, threshold=0.0, valid=valid)
    shown, known = pictures.classes(sr, found, valid)
    np.testing.assert_array_equal(known, valid)
    reds, greens, blues = np.moveaxis(shown, 2, 0)
    assert blues[0, 0] > reds[0, 0]  # Found.
    assert min(reds[0, 1], greens[0, 1]) > blues[0, 1]  # Missed.
    assert reds[1, 0] > max(greens[1, 0], blues[1, 0])  # Invented.
    np.testing.assert_allclose(shown[1, 1], 0.5, atol=1e-6)  # Grey.


def test_signs_have_colours():
    values = np.array([[-9.0, -1.0, 0.0, 1.0]])
    shown, _ = pictures.signed(values, np.ones((1, 4), bool), 2.0)
    assert shown[0, 0, 2] > shown[0, 0, 0] and shown[0, 3, 0] > shown[0, 3, 2]
    assert shown[0, 1, 2] > shown[0, 1, 0]
    assert (shown[0, 2] > 0.95).all() and shown.max() <= 1 and shown.min() >= 0


# --- The page ---


def test_page_is_whole_and_has_its_sections(page):
    parsed = Parsed(page)
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Swipe",
        "Image quality",
        "Sharpness of slanted edges",
        "Honesty",
        "Images",
    ]
    for text in ("PSNR", "MSSIM", "PIQE", "All 2 crops", "found", "Residual"):
        assert text in parsed.text


def test_what_users_wrote_is_text(page):
    parsed = Parsed(page)
    for written in (HOSTILE, HOSTILE_FILE, "<u>truth</u>", "<b>flat</b>"):
        assert written in parsed.text
    assert not {"u", "svg"} & {tag for tag, _ in parsed.elements}
    assert not [a for _, a in parsed.elements if "onload" in a]
    images = [a for tag, a in parsed.elements if tag == "img"]
    assert images and all(a["src"].startswith("data:image/") for a in images)
    scripts = [tag for tag, _ in parsed.elements if tag == "script"]
    assert len(scripts) == 3


def test_page_asks_nothing_of_a_network(page):
    assert not re.search(r"(https?:)?//[a-z0-9]+[.][a-z]", page.lower())
    parsed = Parsed(page)
    for address in parsed.attributes("src") + parsed.attributes("href"):
        assert address.startswith("data:image/png;base64,") or re.fullmatch(
            r"[\w./-]+", address
        )
    (policy,) = (
        a["content"]
        for _, a in parsed.elements
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy and "http" not in policy


def test_links_and_scripts_lie_beside_the_page(folder, page):
    parsed = Parsed(page)
    linked = parsed.attributes("href") + [
        address
        for address in parsed.attributes("src")
        if not address.startswith("data:")
    ]
    assert len(linked) >= 10
    for address in linked:
        assert (folder / address).is_file(), address
    names = [path.relative_to(folder) for path in folder.rglob("*")]
    assert all(re.fullmatch(r"[\w./-]+", name.as_posix()) for name in names)


def test_viewer_is_told_all_layers(folder, page):
    data = re.search(
        r'<script type="application/json" id="viewer-data">(.*?)</script>', page
    )
    told = json.loads(data[1])
    assert [layer["label"] for layer in told["layers"]] == [
        "in",
        HOSTILE,
        "<u>truth</u>",
        f"{HOSTILE}, honesty",
    ]
    assert (told["height"], told["width"]) == SHAPE
    assert told["pixelMetres"] == 2.0
    assert (told["left"], told["right"]) == (0, 1)
    assert told["crops"][1] == {
        "name": "B",
        "row": 200,
        "col": 300,
        "height": 64,
        "width": 64,
    }
    for layer in told["layers"]:
        for level in range(layer["minLevel"], layer["maxLevel"] + 1):
            assert (folder / layer["folder"] / f"{level}/0_0.png").is_file()


def test_layers_are_the_images(folder):
    tile = Image.open(folder / "tiles/u_truth_u/10/0_0.png").convert("LA")
    grey, opacity = np.moveaxis(np.asarray(tile), 2, 0)
    with rasters.open_gdal(folder.parent / "hr.tif") as dataset:
        pixels = dataset.read(1)[:512, :512].astype(float)
    np.testing.assert_array_equal(opacity == 255, pixels != 0)
    known = pixels != 0
    # One grey scale for all, and 254 steps of it.
    middle = known & (grey > 2) & (grey < 254)
    slope, _ = np.polyfit(pixels[middle], grey[middle], 1)
    left = grey[middle] - slope * pixels[middle]
    assert np.ptp(left) < 1.05


def test_safe_names_are_safe_and_different():
    names = report_folder.SafeNames()
    made = [
        names.make(one)
        for one in ("../../etc", "a b", "A/B", "a_b", "", "\u0416", "x" * 300)
    ]
    assert made[0] == "etc"
    assert len({one.lower() for one in made}) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in made)


def test_cells_that_are_not_numbers():
    table = tables.Table(
        title="T",
        columns=(tables.Column("a", "<A>"), tables.Column("b", "B", 2)),
        rows=(
            {"a": "x&y", "b": 1.234},
            {"a": "z", "b": float("inf")},
            {"a": "w", "b": float("nan")},
        ),
        summary=({"a": "mean", "b": -2.0},),
    )
    made = html_tables.to_html(table, best={(0, "b")})
    parsed = Parsed(made)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", made)
    assert cells == [
        "x&amp;y",
        "1.23",
        "z",
        "\u221e",
        "w",
        "\u2013",
        "mean",
        "\u22122.00",
    ]
    assert "<A>" in parsed.text
    assert ("td", {"class": "number best"}) in parsed.elements


def test_viewer_library_is_packed_with_its_licence():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = declared["tool"]["setuptools"]["package-data"]
    room = ROOT / "marsgan_tf" / "assessment"
    packed = {
        path
        for pattern in patterns["marsgan_tf.assessment"]
        for path in room.glob(pattern)
    }
    vendor = room / "vendor" / "openseadragon"
    for name in ("openseadragon.min.js", "LICENSE.txt", "VERSION"):
        assert vendor / name in packed
    assert set((room / "templates").iterdir()) <= packed
    listed = (vendor / "VERSION").read_text()
    hashes = re.findall(r"^([0-9a-f]{64})  (.*)$", listed, re.MULTILINE)
    assert len(hashes) == 2
    for expected, name in hashes:
        content = (vendor / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected


# --- In a browser ---


@pytest.mark.slow
@pytest.mark.skipif(browser.find() is None, reason="needs chromium")
def test_browser_shows_and_swipes(folder, tmp_path):
    with browser.page(tmp_path) as page:
        page.open(folder / "report.html", height=1800)  # Without scrolling.
        page.wait_for(
            "document.getElementById('viewer')?.dataset.state=='ready'"
        )
        stage = json.loads(
            page.evaluate(
                "JSON.stringify(document.getElementById('stage')"
                ".getBoundingClientRect())"
            )
        )
        clip = [stage[key] for key in ("x", "y", "width", "height")]

        def seen():
            png = page.screenshot(clip)
            return np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)

        def layers(left, right, split):
            for side, value in (("left", left), ("right", right)):
                chosen = f"document.getElementById('{side}')"
                page.evaluate(
                    f"{chosen}.value = {value};"
                    f"{chosen}.dispatchEvent(new Event('change'))"
                )
            page.evaluate("document.getElementById('handle').focus()")
            page.press(split)
            page.wait_for(
                "document.getElementById('viewer').dataset.state=='ready'"
            )
            page.evaluate(
                "for (const one of document.querySelectorAll('#handle, .name,"
                "#scale-bar, .crop-mark, .navigator'))"
                " one.style.opacity = 0"
            )
            page.wait_for_frames()
            return seen()

        only_lr = layers(0, 2, "End")
        only_hr = layers(0, 2, "Home")
        apart = np.abs(only_lr - only_hr).mean(axis=0)
        assert apart[20:-20].min() > 3
        x = stage["x"] + 1
        y = stage["y"] + stage["height"] / 2
        page.drag((x, y), (x + stage["width"] / 2, y))
        share = page.evaluate(
            "document.getElementById('handle').getAttribute('aria-valuenow')"
        )
        assert share == "50"
        page.wait_for_frames()
        both = seen()
        middle = both.shape[1] // 2
        # But for how the browser draws the border of what is clipped.
        left = np.abs(both - only_lr).mean(axis=0)[: middle - 3]
        right = np.abs(both - only_hr).mean(axis=0)[middle + 3 :]
        assert max(left.max(), right.max()) < 0.5
        assert page.complaints() == []
        assert page.failures() == []
        asked = page.requests()
        assert len(asked) > 5
        assert all(url.startswith(("file:///", "data:")) for url in asked)
