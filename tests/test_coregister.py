import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import affine
import numpy as np
import overflights
import pytest
import rasters
from PIL import Image

from marsgan_tf import errors
from marsgan_tf.assessment import registration, registration_run
from marsgan_tf.config import CoregisterConfig
from marsgan_tf.imaging import terrain

ROOT = pathlib.Path(__file__).parent.parent
A = affine.Affine
GROUND = A(6.0, 0.0, 120000.0, 0.0, -6.0, -48000.0)
# Plate carrée in degrees on the sphere of `rasters.MARS_WKT`.
MARS_DEGREES = (
    'GEOGCS["Mars ocentric",DATUM["Mars sphere",SPHEROID["Mars sphere",'
    '3396190,0]],PRIMEM["Reference meridian",0],'
    'UNIT["degree",0.0174532925199433]]'
)
METRES_PER_DEGREE = np.radians(rasters.MARS_RADIUS_M)
HOLE = np.s_[200:280, 300:420]
IMAGE_HOLE = np.s_[90:110, 20:50]


@pytest.fixture(scope="module")
def pair():
    return overflights.pair(4)


def digits(image, low=100, high=900):
    """As 10-bit numbers, which never are 0."""
    span = np.ptp(image)
    return np.rint(low + (high - low) * (image - image.min()) / span).astype(
        np.uint16
    )


@pytest.fixture(scope="module")
def reference(pair, tmp_path_factory):
    """A GeoTIFF on Mars of 6 m, with a hole."""
    pixels = digits(pair.reference)
    pixels[HOLE] = 0
    return rasters.write_geotiff(
        tmp_path_factory.mktemp("reference") / "hr.tif",
        pixels,
        transform=GROUND,
        nodata=0,
    )


@pytest.fixture(scope="module")
def image(pair, tmp_path_factory):
    """A GeoTIFF of 24 m, which lies where its scale alone would put it."""
    pixels = digits(pair.image).astype(np.int16)
    pixels[IMAGE_HOLE] = -9
    return rasters.write_geotiff(
        tmp_path_factory.mktemp("image") / "lr.tif",
        pixels,
        transform=GROUND @ A.scale(4),
        nodata=-9,
        described={"descriptions": ("RED",)},
        tags={"SUN_AZIMUTH": "20"},
    )


def coregister(input, reference, output, **options):
    config = CoregisterConfig(
        input=str(input),
        reference=str(reference),
        output=str(output),
        **options,
    )
    registration_run.coregister(config)


def told(output):
    return json.loads(pathlib.Path(f"{output}.json").read_text())


def matrix(rows):
    return A(*rows[0], *rows[1])


@pytest.fixture(scope="module")
def done(reference, image, tmp_path_factory):
    output = tmp_path_factory.mktemp("done") / "lr_on_hr.tif"
    coregister(image, reference, output)
    return output


def test_output_lies_on_the_references_pixels(done, reference):
    with rasters.open_gdal(done) as found, rasters.open_gdal(reference) as hr:
        assert found.shape == hr.shape
        assert found.transform == hr.transform
        assert found.crs == hr.crs
        assert found.dtypes == ("int16",)
        assert found.nodata == -9
        assert found.descriptions == ("RED",)
        assert found.tags()["SUN_AZIMUTH"] == "20"
        assert found.tags()["MARSGAN_REGISTERED_TO"] == "hr.tif"


@pytest.mark.parametrize("apart", [0.2, None])
def test_a_map_of_edges_alone_is_warned_of(
    reference, image, tmp_path, caplog, monkeypatch, apart
):
    register = registration.register

    def registered(*arguments):
        found = register(*arguments)
        solution = dataclasses.replace(found.solution, disagreement_px=apart)
        return dataclasses.replace(found, solution=solution)

    monkeypatch.setattr(registration, "register", registered)
    coregister(image, reference, tmp_path / "out.tif")
    assert ("edges alone tell" in caplog.text) == (apart is None)


def test_output_shows_the_ground_where_it_lies(done, pair):
    with rasters.open_gdal(done) as found:
        pixels = found.read(1)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    x, y = ~pair.truth @ (columns, rows)
    height, width = pair.image.shape
    inside = (x > 2) & (y > 2) & (x < width - 2) & (y < height - 2)
    row, col = IMAGE_HOLE
    near = (x > col.start - 3) & (x < col.stop + 3)
    near &= (y > row.start - 3) & (y < row.stop + 3)
    assert (pixels[inside & ~near] != -9).all()
    deep = (x > col.start + 1) & (x < col.stop - 1)
    deep &= (y > row.start + 1) & (y < row.stop - 1)
    assert (pixels[deep] == -9).all()
    outside = (x < -1) | (y < -1) | (x > width + 1) | (y > height + 1)
    assert outside.any() and (pixels[outside] == -9).all()
    # The image was blurred, so it is not quite what it shows.
    expected = digits(pair.image)[
        y.astype(int).clip(0, height - 1), x.astype(int).clip(0, width - 1)
    ]
    known = inside & ~near
    assert np.corrcoef(expected[known], pixels[known])[0, 1] > 0.97


def test_map_is_right_and_its_merits_are_told(done, pair):
    body = told(done)
    to_reference = matrix(body["map"]["input_to_reference"])
    assert pair.corner_error_px(to_reference) < 0.5
    back = matrix(body["map"]["reference_to_input"])
    np.testing.assert_allclose(back @ to_reference, A.identity(), atol=1e-9)
    ground = matrix(body["map"]["input_transform_in_reference_crs"])
    np.testing.assert_allclose(
        GROUND @ to_reference, ground, rtol=1e-12, atol=1e-6
    )
    merit = body["merit"]
    assert merit["inliers"] > 0.7 * merit["tiles"]
    assert merit["residual_rms_coarser_px"] < 0.5
    assert merit["residual_rms_px"] == pytest.approx(
        4 * merit["residual_rms_coarser_px"]
    )
    assert merit["log10_expected_false_fits"] < -10
    assert body["input"] == "lr.tif" and body["reference"] == "hr.tif"


def test_told_shifts_give_the_told_rms(done):
    body = told(done)
    correction = matrix(body["map"]["correction"])
    agreeing = [shift for shift in body["shifts"] if shift["inlier"]]
    assert len(agreeing) == body["merit"]["inliers"]
    squares = [
        np.sum(np.subtract(correction @ tuple(one["from"]), one["to"]) ** 2)
        for one in agreeing
    ]
    rms = np.sqrt(np.mean(squares))
    assert rms == pytest.approx(body["merit"]["residual_rms_px"], rel=1e-6)


def test_figure_shows_both_images_and_arrows(done):
    with Image.open(f"{done}.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[1] > pixels.shape[0] > 400
    arrows = np.abs(pixels - (0x56, 0xB4, 0xE9)).max(axis=-1) < 8
    thirds = np.array_split(arrows, 3, axis=1)
    assert thirds[0].sum() > 300
    assert not thirds[2].any()
    grey = (np.ptp(pixels, axis=-1) < 3) & (pixels[..., 0] % 255 > 0)
    assert all(part.mean() > 0.3 for part in np.array_split(grey, 3, axis=1))


def test_other_crs_is_no_matter(pair, reference, tmp_path):
    to_degrees = A.scale(1.0 / METRES_PER_DEGREE)
    degrees = rasters.write_geotiff(
        tmp_path / "degrees.tif",
        digits(pair.image),
        crs=MARS_DEGREES,
        transform=to_degrees @ GROUND @ A.scale(4),
    )
    output = tmp_path / "out.tif"
    coregister(degrees, reference, output)
    to_reference = matrix(told(output)["map"]["input_to_reference"])
    assert pair.corner_error_px(to_reference) < 0.5
    with rasters.open_gdal(output) as found, rasters.open_gdal(reference) as hr:
        assert (found.crs, found.transform) == (hr.crs, hr.transform)
        # Without a nodata value, a mask tells where there is none.
        assert found.nodata is None
        mask = found.read_masks(1)
    x, y = ~pair.truth @ (np.array([10.5, 256.0]), np.array([10.5, 256.0]))
    inside = (x > 0) & (y > 0) & (x < 128) & (y < 128)
    np.testing.assert_array_equal(mask[[10, 256], [10, 256]] > 0, inside)
    assert 0 < (mask == 0).mean() < 0.5


def test_images_without_georeferencing_need_a_scale(pair, tmp_path):
    paths = {}
    for name, pixels in (("hr", pair.reference), ("lr", pair.image)):
        paths[name] = tmp_path / f"{name}.png"
        Image.fromarray((digits(pixels) // 4).astype(np.uint8)).save(
            paths[name]
        )
    output = tmp_path / "out.tif"
    coregister(paths["lr"], paths["hr"], output, scale=4.0)
    body = told(output)
    to_reference = matrix(body["map"]["input_to_reference"])
    assert pair.corner_error_px(to_reference) < 0.5
    assert "input_transform_in_reference_crs" not in body["map"]
    with rasters.open_gdal(output) as found:
        assert found.shape == pair.reference.shape
        assert found.crs is None and found.transform.is_identity


def test_all_bands_follow_and_keep_their_own_pixels(pair, reference, tmp_path):
    grey = digits(pair.image)
    bands = np.stack([grey, 1000 - grey, np.full_like(grey, 55)], axis=-1)
    colour = rasters.write_geotiff(
        tmp_path / "rgb.tif", bands, transform=GROUND @ A.scale(4)
    )
    output = tmp_path / "out.tif"
    coregister(colour, reference, output, band=2, grid="input", format="COG")
    body = told(output)
    correction = matrix(body["map"]["correction"])
    assert pair.corner_error_px(correction @ A.scale(4)) < 0.5
    with rasters.open_gdal(output) as found:
        assert found.res == pytest.approx((24.0, 24.0))
        assert found.count == 3
        pixels, mask = found.read(), found.read_masks(1) > 0
        transform = found.transform
    assert np.abs(pixels[0] + pixels[1] - 1000.0)[mask].max() <= 1
    assert (pixels[2][mask] == 55).all()
    # The image's middle, and what is seen there.
    col, row = ~transform @ (GROUND @ (pair.truth @ (64.0, 64.0)))
    window = np.s_[int(row) - 2 : int(row) + 2, int(col) - 2 : int(col) + 2]
    assert pixels[0][window].mean() == pytest.approx(
        grey[62:66, 62:66].mean(), abs=40
    )


def test_nodata_can_be_told_and_old_outputs_replaced(pair, reference, tmp_path):
    pixels = digits(pair.image)
    pixels[IMAGE_HOLE] = 1023
    path = rasters.write_geotiff(
        tmp_path / "lr.tif", pixels, transform=GROUND @ A.scale(4)
    )
    output = tmp_path / "out.tif"
    for ending in ("", ".json", ".png"):
        (tmp_path / f"out.tif{ending}").write_text("old")
    coregister(path, reference, output, nodata=(1023.0,), overwrite=True)
    with rasters.open_gdal(output) as found:
        assert found.nodata == 1023
    to_reference = matrix(told(output)["map"]["input_to_reference"])
    assert pair.corner_error_px(to_reference) < 0.5


# --- What is refused ---


def is_empty(folder):
    return not list(folder.iterdir())


def test_other_ground_is_one_line_status_1_and_no_file(reference, tmp_path):
    other = rasters.write_geotiff(
        tmp_path / "other.tif",
        digits(terrain.image(128, gsd_m=4.0, seed=99)),
        transform=GROUND @ A.scale(4),
    )
    out = tmp_path / "out"
    out.mkdir()
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "marsgan_tf.coregister"),
            f"--input={other}",
            f"--reference={reference}",
            f"--output={out}/x.tif",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert re.fullmatch(
        r"error: .*other\.tif on .*hr\.tif: .*local shifts .*\n", ended.stderr
    )
    assert is_empty(out)


@pytest.mark.parametrize(
    "value, message", [(500, "common"), (0, "no pixel with")]
)
@pytest.mark.parametrize("scale", [0.0, 4.0])
def test_constant_images_are_refused(
    reference, tmp_path, value, message, scale
):
    flat = rasters.write_geotiff(
        tmp_path / "flat.tif",
        np.full((128, 128), value, np.uint16),
        transform=GROUND @ A.scale(4),
        nodata=0,
    )
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(errors.RegistrationError, match=message):
        coregister(flat, reference, out / "x.tif", scale=scale)
    with pytest.raises(errors.RegistrationError, match=message):
        coregister(reference, flat, out / "x.tif", scale=scale and 0.25)
    assert is_empty(out)


def test_ground_elsewhere_is_refused(pair, reference, tmp_path):
    away = rasters.write_geotiff(
        tmp_path / "away.tif",
        digits(pair.image),
        transform=A.translation(9e4, 0) @ GROUND @ A.scale(4),
    )
    with pytest.raises(
        errors.RegistrationError, match="no ground in common by their georef"
    ):
        coregister(away, reference, tmp_path / "x.tif")


@pytest.mark.parametrize("ending", ["", ".json", ".png"])
def test_existing_outputs_are_kept(image, reference, tmp_path, ending):
    (tmp_path / f"x.tif{ending}").write_text("mine")
    with pytest.raises(errors.SettingsError, match="exists.*--overwrite"):
        coregister(image, reference, tmp_path / "x.tif")
    assert (tmp_path / f"x.tif{ending}").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_inputs_are_never_overwritten(image, reference, tmp_path):
    for path in (image, reference):
        before = pathlib.Path(path).read_bytes()
        with pytest.raises(errors.SettingsError, match="image to read"):
            coregister(image, reference, path, overwrite=True)
        assert pathlib.Path(path).read_bytes() == before


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"band": 2}, errors.RasterError, "has 1 band.*--band=2"),
        (
            {"reference_band": 3},
            errors.RasterError,
            "has 1 band.*--reference_band=3",
        ),
        ({"nodata": (0.5,)}, errors.RasterError, "int16 and never --nodata"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    image, reference, tmp_path, options, error, message
):
    with pytest.raises(error, match=message):
        coregister(image, reference, tmp_path / "x.tif", **options)
    assert is_empty(tmp_path)


def test_missing_files_are_named(image, reference, tmp_path):
    with pytest.raises(errors.RasterError, match="none.tif"):
        coregister(tmp_path / "none.tif", reference, tmp_path / "x.tif")
    with pytest.raises(errors.SettingsError, match="is no folder"):
        coregister(image, reference, tmp_path / "none" / "x.tif")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"input": ""}, "`input` must be given"),
        ({"grid": "both"}, "`grid` must be one of reference, input"),
        ({"model": "spline"}, "`model` must be one of"),
        ({"format": "PNG"}, "`format` must be one of GTiff, COG"),
        ({"scale": -4.0}, "`scale` must be 0, or from"),
        ({"scale": float("nan")}, "`scale`"),
        ({"max_rotation": 181.0}, "`max_rotation` must be from 0 to 180"),
        ({"tolerance": 0.0}, "`tolerance` must be from"),
        ({"band": -1}, "`band` must be at least 0"),
        ({"nodata": (1.0, 2.0)}, "`nodata` must be one value"),
    ],
)
def test_wrong_values_are_named(options, message):
    given = {"input": "a.tif", "reference": "b.tif", "output": "c.tif"}
    with pytest.raises(ValueError, match=message):
        CoregisterConfig(**{**given, **options})
