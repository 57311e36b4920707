import affine
import numpy as np
import pytest
import rasterio
import rasters
import restored_scenes
from PIL import Image
from restored_scenes import GROUND, HOLE, SHAPE, opened, whole

from marsgan_tf import errors
from marsgan_tf.assessment import (
    common_grid,
    crops,
    cubic_spline,
    fidelity,
    piqe,
    radiometry,
    scores,
)
from marsgan_tf.imaging import degrade, enlarge
from marsgan_tf.imaging.tiling import Window


@pytest.fixture(scope="module")
def ground():
    return restored_scenes.make()


@pytest.fixture(scope="module")
def files(ground, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    return restored_scenes.write(ground, folder)


# --- The common grid ---


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cubic_spline_is_gdals(scale):
    image = np.random.default_rng(0).random((24 * scale, 20 * scale))
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=image.shape[0],
            width=image.shape[1],
            count=1,
            dtype="float32",
            transform=GROUND,
        ) as dataset:
            dataset.write(image.astype(np.float32), 1)
        with memory.open() as dataset:
            expected = dataset.read(
                1,
                out_shape=(24, 20),
                resampling=rasterio.enums.Resampling.cubic_spline,
            )
    found, valid = cubic_spline.reduce(image, np.ones(image.shape, bool), scale)
    assert valid.all()
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_cubic_spline_leaves_out_what_is_no_data():
    image = np.full((16, 16), 3.0)
    valid = np.ones(image.shape, bool)
    image[5, 6], valid[5, 6] = np.nan, False
    found, known = cubic_spline.reduce(image, valid, 4)
    assert not known[1, 1] and known.sum() == 15
    np.testing.assert_allclose(found[known], 3.0, rtol=1e-6)


@pytest.mark.parametrize("kind", ["lr", "sr", "hr"])
def test_windows_are_parts_of_the_whole(files, ground, kind):
    """Read in windows or at once, up, down or as it is."""
    factor = {"lr": 4, "sr": 1, "hr": 1}[kind]
    with opened(f"x={files[kind]}", f"fine={files['sr']}") as found:
        image = found.named("x")
        values, valid = image.read(whole(found.grid))
        for window in (Window(3, 5, 61, 90), Window(130, 170, 62, 54)):
            part, mask = image.read(window)
            np.testing.assert_array_equal(part, values[window.slices])
            np.testing.assert_array_equal(mask, valid[window.slices])
    expected = enlarge.enlarge(ground[kind] / 1000, factor)
    inside = np.s_[32:, 48:]
    np.testing.assert_allclose(values[inside], expected[inside], atol=1e-6)
    assert valid[HOLE].all() == (kind != "hr")


def test_reference_comes_down_to_the_images(files, ground, tmp_path):
    coarse = rasters.write_geotiff(
        tmp_path / "coarse.tif",
        degrade.degrade(ground["hr"], 0.0).astype(np.float32),
        transform=GROUND @ affine.Affine.scale(4),
    )
    with opened(f"x={coarse}", reference=files["hr"]) as found:
        assert (found.grid.height, found.grid.width) == (48, 56)
        truth = found.reference
        assert (truth.finer, truth.coarser) == (4, 1)
        values, valid = truth.read(whole(found.grid))
        part, mask = truth.read(Window(7, 9, 20, 30))
    known = np.ones(SHAPE, bool)
    known[HOLE] = False
    expected, mask_expected = cubic_spline.reduce(ground["hr"], known, 4)
    np.testing.assert_array_equal(valid, mask_expected)
    np.testing.assert_allclose(values[valid], expected[valid] / 1000, atol=1e-6)
    np.testing.assert_array_equal(part, values[7:27, 9:39])
    np.testing.assert_array_equal(mask, valid[7:27, 9:39])


def test_what_a_reduction_leaves_over_is_cut(files, ground, tmp_path):
    larger = np.pad(ground["hr"], ((0, 3), (0, 2)), "edge").astype(np.uint16)
    path = rasters.write_geotiff(
        tmp_path / "larger.tif", larger, transform=GROUND
    )
    images = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*images, reference=path) as found:
        assert (found.grid.height, found.grid.width) == SHAPE
        assert found.lr.name == "a" and [
            one.name for one in found.restored
        ] == ["b"]


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.7, -30.0])
def test_images_that_lie_elsewhere_are_refused(files, ground, tmp_path, shift):
    moved = GROUND @ affine.Affine.translation(0, shift)
    path = rasters.write_geotiff(
        tmp_path / "moved.tif", ground["sr"].astype(np.uint16), transform=moved
    )
    if abs(shift) <= 0.5:
        with opened(f"a={path}", reference=files["hr"]):
            return
    with pytest.raises(errors.RasterError, match="corners.*coregister") as told:
        with opened(f"a={path}", reference=files["hr"]):
            pass
    assert "\n" not in str(told.value) and f"{abs(shift):.4g} px" in str(
        told.value
    )


def test_sizes_that_do_not_fit_are_refused(files, tmp_path):
    odd = rasters.write_geotiff(
        tmp_path / "odd.tif", np.ones((100, 224), np.uint16), transform=GROUND
    )
    with pytest.raises(errors.RasterError, match=r"odd.tif: has 100 x 224"):
        with opened(f"a={files['sr']}", f"b={odd}"):
            pass


def test_images_without_georeferencing_meet_by_pixels(files, ground, tmp_path):
    plain = tmp_path / "plain.png"
    Image.fromarray((ground["sr"] / 4).astype(np.uint8)).save(plain)
    with opened(f"a={plain}", reference=files["hr"]) as found:
        assert found.images[0].coarser == found.images[0].finer == 1


def test_input_is_found_or_named(files):
    pair = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*pair) as found:
        assert found.lr.name == "a"
    with opened(*pair, lr="b") as found:
        assert found.lr.name == "b"
    with opened(f"b={files['sr']}") as found:
        assert found.lr is None
    with pytest.raises(errors.SettingsError, match="a and c have larger"):
        with opened(*pair, f"c={files['lr']}"):
            pass
    with pytest.raises(errors.SettingsError, match="no image is called x"):
        with opened(*pair, lr="x"):
            pass


# --- One range, one unit ---


@pytest.mark.parametrize(
    "wanted, expected", [("none", (0, 65535)), ("-5,20", (-5, 20))]
)
def test_ranges_that_are_told(files, wanted, expected):
    with opened(f"a={files['sr']}", stretch=wanted) as found:
        assert (found.stretch.low, found.stretch.high) == expected


def test_range_is_the_references_alone(files, ground):
    found = []
    for name in ("lr", "sr"):
        images = (f"a={files[name]}", f"b={files['sr']}")
        with opened(*images, reference=files["hr"], stretch="auto") as one:
            found.append(one.stretch)
    assert found[0] == found[1]
    known = np.ones(SHAPE, bool)
    known[HOLE] = False
    low, high = np.quantile(ground["hr"][known], [0.0005, 0.9995])
    assert found[0].low == pytest.approx(low, abs=3)
    assert found[0].high == pytest.approx(high, abs=3)


def test_matching_undoes_a_gain_and_an_offset(files, ground, tmp_path):
    path = rasters.write_geotiff(
        tmp_path / "other.tif",
        (0.002 * ground["hr"] + 0.1).astype(np.float32),
        transform=GROUND,
    )
    with opened(f"a={path}", reference=files["hr"], match=True) as found:
        own, _ = found.images[0].read(whole(found.grid))
        truth, valid = found.reference.read(whole(found.grid))
    np.testing.assert_allclose(own[valid], truth[valid], atol=1e-4)
    blurred = rasters.write_geotiff(
        tmp_path / "blurred.tif",
        (0.002 * ground["lr"] + 0.1).astype(np.float32),
        transform=GROUND @ affine.Affine.scale(4),
    )
    images = (f"a={blurred}", f"b={files['sr']}")
    with opened(*images, reference=files["hr"], match=True) as found:
        # Sharpness has hardly any say.
        assert found.images[0].gain == pytest.approx(0.5, rel=0.02)


def test_another_unit_is_told(files, ground, tmp_path, caplog):
    path = rasters.write_geotiff(
        tmp_path / "if.tif",
        (ground["hr"] / 5000).astype(np.float32),
        transform=GROUND,
    )
    with opened(f"a={path}", reference=files["hr"], stretch="auto"):
        assert "--match" in caplog.text
    flat = rasters.write_geotiff(
        tmp_path / "flat.tif", np.ones(SHAPE, np.float32), transform=GROUND
    )
    with pytest.raises(errors.RasterError, match="flat.tif: cannot be matched"):
        with opened(f"a={flat}", reference=files["hr"], match=True):
            pass


# --- Crops ---


def test_chosen_crops_have_texture_data_and_room(files):
    with opened(f"a={files['sr']}", reference=files["hr"]) as found:
        chosen = crops.choose(
            found.reference, [*found.images], found.grid, count=5, side=48
        )
        hr, valid = found.reference.read(whole(found.grid))
    assert [one.name for one in chosen] == list("ABCDE")
    for number, one in enumerate(chosen):
        assert one.height == one.width == 48 and one.fits(SHAPE)
        assert one.crop(valid).all()
        assert not any(one.overlaps(other) for other in chosen[:number])
    slopes = np.hypot(*np.gradient(hr))
    slopes[~valid] = np.nan
    best = chosen and max(one.crop(slopes).mean() for one in chosen)
    assert best > np.nanmean(slopes)


def test_small_images_have_no_crops(files):
    with opened(f"a={files['lr']}") as found:
        assert (
            crops.choose(found.leading, [], found.grid, count=3, side=200) == []
        )


# --- Scores ---


def test_whole_scores_are_those_of_the_image(files, monkeypatch):
    monkeypatch.setattr(scores, "_STRIP_PX", 1)  # Strips of 64 rows.
    images = (f"a={files['lr']}", f"b={files['sr']}")
    with opened(*images, reference=files["hr"]) as found:
        rows = scores.score_whole(
            found.images, found.reference, found.grid, model=None
        )
        truth, valid = found.reference.read(whole(found.grid))
        for row, image in zip(rows, found.images, strict=False):
            values, _ = image.read(whole(found.grid))
            options = {"data_range": (0, 1), "valid": valid}
            psnr = fidelity.psnr(values, truth, **options)
            mssim = fidelity.mssim(values, truth, **options)
            natural = piqe.piqe(values, **options).score
            assert row.psnr_db == pytest.approx(psnr, abs=1e-9)
            assert row.mssim == pytest.approx(mssim, abs=1e-12)
            assert row.piqe == pytest.approx(natural, abs=1e-9)
            assert (row.crop, row.brisque) == ("", None)
    assert (rows[-1].image, rows[-1].psnr_db, rows[-1].mssim) == (
        "truth",
        None,
        1.0,
    )


def test_no_image_scores_where_another_has_no_data(files):
    """The hole is the reference's, and none looks into it."""
    images = (f"a={files['lr']}", f"b={files['sr']}")
    window = Window(0, 0, 64, 64)
    with opened(*images, reference=files["hr"]) as found:
        rows = scores.score_crop(
            found.images, found.reference, window, crop="A", model=None
        )
        values, _ = found.images[1].read(window)
        truth, valid = found.reference.read(window)
    assert not valid.all()
    expected = fidelity.psnr(values, truth, data_range=(0, 1), valid=valid)
    assert rows[1].psnr_db == pytest.approx(expected, abs=1e-9)


def test_crops_without_anything_to_score_have_no_scores(files):
    with opened(f"b={files['sr']}", reference=files["hr"]) as found:
        rows = scores.score_crop(
            found.images,
            found.reference,
            Window(0, 0, 20, 20),
            crop="A",
            model=None,
        )
    assert rows[0].psnr_db is None and rows[0].mssim is None
    assert rows[0].piqe is None


def test_large_images_are_sampled_all_over():
    grid = common_grid.Grid(9000, 5000, None)
    windows = grid.samples()
    assert len(windows) == 64
    assert min(w.row for w in windows) == min(w.col for w in windows) == 0
    assert max(w.row + w.height for w in windows) == 9000
    assert max(w.col + w.width for w in windows) == 5000


def test_block_means_are_of_whole_blocks():
    found = radiometry._blocks(np.arange(40 * 50.0).reshape(40, 50))
    assert found.shape == (6, 256)
    assert found[0, 16] == 50 and found[1, 0] == 16
