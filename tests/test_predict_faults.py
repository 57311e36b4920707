"""What can be wrong with a prediction: one line, and nothing is lost."""

import json
import os
import pathlib
import shutil
import tempfile

import forked
import models
import numpy as np
import pytest
import rasters
from predictions import flags, image, predict

from marsgan_tf import errors
from marsgan_tf.inference import settings


@pytest.fixture(scope="module")
def command():
    with forked.commands() as run:
        yield run


def contents(folder):
    """All files below a folder, and all folders, which have no bytes."""
    return {
        str(path.relative_to(folder)): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def error_of(run, arguments, folder, *, status=1, code=""):
    """The line that a command fails with; the folder stays as it is."""
    before = contents(folder)
    found, text = run(arguments, code)
    assert contents(folder) == before
    return only_error(found, text, status)


def only_error(found, text, status=1):
    assert found == status, text
    assert "Traceback" not in text
    told = [line for line in text.splitlines() if "error" in line.lower()]
    assert len(told) == 1 and told[0] == text.splitlines()[-1], text
    assert told[0].startswith("error: ")
    return told[0]


# Images that cannot be worked with.


def truncated(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def geotiff(folder, pixels=None, **options):
    pixels = image() if pixels is None else pixels
    return rasters.write_geotiff(folder / "a.tif", pixels, **options)


def cut_geotiff(folder):
    rasters.write_gdal(folder / "a.tif", image(300, 300), "GTiff")
    return truncated(folder / "a.tif")


def cut_compressed_geotiff(folder):
    """Its directory lies behind the pixels."""
    geotiff(folder, image(300, 300), compress="deflate")
    return truncated(folder / "a.tif")


def cut_jp2(folder):
    rasters.write_jp2(folder / "a.jp2", image(300, 300), 128)
    return truncated(folder / "a.jp2")


def cut_png(folder):
    rasters.write_gdal(folder / "a.png", image(300, 300), "PNG")
    return truncated(folder / "a.png")


def cut_cube(folder):
    rasters.write_isis3(folder / "a.cub", image())
    return truncated(folder / "a.cub", 0.9)


def written(name, content):
    def write(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def with_palette(folder):
    rasters.write_gdal(
        folder / "a.tif", image(), "GTiff", photometric="palette"
    )
    with rasters.open_gdal(folder / "a.tif", mode="r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3), 255: (255, 0, 0)})
    return folder / "a.tif"


IMAGES = {
    "missing": (lambda folder: folder / "a.tif", "does not exist"),
    "folder": (lambda folder: folder, "is a folder"),
    "empty": (written("a.tif", b""), "is empty"),
    "text": (written("a.tif", b"Dear diary,\n" * 99), "is no image"),
    "cut_header": (written("a.tif", b"II*\0\x08\0\0\0"), "is no image"),
    "cut_geotiff": (cut_geotiff, "damaged or incomplete"),
    "cut_compressed_geotiff": (cut_compressed_geotiff, "cut off in its header"),
    "cut_jp2": (cut_jp2, "damaged or incomplete"),
    "cut_png": (cut_png, "damaged or incomplete"),
    "cut_cube": (cut_cube, "cut off"),
    "palette": (with_palette, "colour palette"),
    "complex64": (
        lambda folder: geotiff(folder, image(dtype="complex64")),
        "pixels of type complex64 cannot",
    ),
    "int64": (
        lambda folder: geotiff(folder, image(dtype="int64")),
        "pixels of type int64 cannot",
    ),
    "no_data_by_value": (
        lambda folder: geotiff(folder, image() * 0, nodata=0),
        "no pixel has data",
    ),
    "no_data_by_mask": (
        lambda folder: geotiff(folder, valid=np.zeros((40, 50), bool)),
        "no pixel has data",
    ),
    "no_data_by_nan": (
        lambda folder: geotiff(folder, image(dtype="float32") * np.nan),
        "no pixel has data",
    ),
}


@pytest.mark.parametrize("case", IMAGES)
def test_an_image_that_is_none(command, tmp_path, case):
    write, words = IMAGES[case]
    source = write(tmp_path)
    line = error_of(command, flags(source, tmp_path / "o.tif"), tmp_path)
    assert f"{source}: " in line and words in line


@pytest.mark.parametrize(
    "options, words",
    [
        ({"color": "hsv"}, "--color=hsv needs three bands, here are 2"),
        ({"bands": (1, 3)}, "has 2 band(s), --bands=1,3 asks for others"),
        ({"color": "pan", "pan_band": 3}, "--pan_band=3"),
        ({"nodata": (256.0,)}, "never --nodata=256"),
        ({"nodata": (0.5,)}, "never --nodata=0.5"),
        ({"nodata": (np.nan,)}, "never --nodata=nan"),
    ],
)
def test_options_that_do_not_fit_the_image(command, tmp_path, options, words):
    source = geotiff(tmp_path, image(bands=2))
    arguments = flags(source, tmp_path / "o.tif", **options)
    line = error_of(command, arguments, tmp_path)
    assert f"{source}: " in line and words in line


# Images that are unusual, and nothing else.


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 3)])
@pytest.mark.parametrize("options", [{}, {"consistency": "project"}])
def test_sides_of_one_pixel(tmp_path, shape, options):
    source = geotiff(tmp_path, image(*shape), nodata=0)
    output = predict(source, tmp_path / "o.tif", tile=64, **options)
    with rasters.open_gdal(output) as found:
        assert found.shape == (4 * shape[0], 4 * shape[1])
        assert (found.read_masks(1) == 255).all()


@pytest.mark.parametrize("consistency", ["none", "project"])
def test_what_is_not_finite_is_no_data(command, tmp_path, consistency):
    pixels = image(dtype="float32")
    pixels[3, 4], pixels[9, 9:12], pixels[20, 5] = np.nan, np.inf, -np.inf
    source = geotiff(tmp_path, pixels)
    output = tmp_path / "o.tif"
    status, text = command(flags(source, output, consistency=consistency))
    assert status == 0, text
    with rasters.open_gdal(output) as found:
        values = found.read(1)
    expected = np.isfinite(pixels[..., 0]).repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(np.isfinite(values), expected)
    assert np.isnan(values[~expected]).all()


def test_any_path_will_do(command, tmp_path):
    folder = tmp_path / "Ünïted städte von Mars & co"
    folder.mkdir()
    source = rasters.write_geotiff(folder / "Лёд [1] 火星.tif", image())
    status, text = command(flags(source, folder / "größer 4×.tif"))
    assert status == 0, text
    assert sorted(os.listdir(folder)) == sorted(
        ["Лёд [1] 火星.tif", "größer 4×.tif", "größer 4×.tif.json"]
    )


def test_without_georeferencing_there_is_one_warning(command, tmp_path):
    source = rasters.write_gdal(tmp_path / "a.png", image(), "PNG")
    status, text = command(flags(source, tmp_path / "o.tif"))
    assert status == 0
    assert text.count("has no georeferencing") == 1


# Outputs that cannot be.


@pytest.mark.parametrize("options", [{}, {"overwrite": True}])
@pytest.mark.parametrize("name", ["output", "residual_output"])
@pytest.mark.parametrize("link", [None, os.symlink])
def test_the_image_is_never_replaced(command, tmp_path, name, link, options):
    source = geotiff(tmp_path)
    target = source
    if link is not None:
        target = str(tmp_path / "link.tif")
        link(source, target)
    outputs = {"output": str(tmp_path / "o.tif"), name: target}
    arguments = flags(source, outputs.pop("output"), **outputs, **options)
    line = error_of(command, arguments, tmp_path)
    assert f"{target}: is " in line


def test_an_output_that_exists_is_not_replaced(command, tmp_path):
    source = geotiff(tmp_path)
    output = tmp_path / "o.tif"
    output.write_bytes(b"dear to somebody")
    line = error_of(command, flags(source, output), tmp_path)
    assert f"{output}: exists; " in line and "--overwrite" in line
    # It stays until the new one is whole.
    bad = cut_png(tmp_path)
    error_of(command, flags(bad, output, overwrite=True), tmp_path)
    status, text = command(flags(source, output, overwrite=True))
    assert status == 0, text
    with rasters.open_gdal(output) as found:
        assert found.shape == (160, 200)


@pytest.mark.parametrize(
    "output, words",
    [
        ("no/o.tif", "the folder {}/no does not exist"),
        ("o.png", "{}/o.png: must end in .tif"),
        ("here.tif", "{}/here.tif: is a folder"),
    ],
)
@pytest.mark.parametrize("name", ["output", "residual_output"])
def test_an_output_that_cannot_be(command, tmp_path, output, words, name):
    source = geotiff(tmp_path)
    (tmp_path / "here.tif").mkdir()
    outputs = {"output": tmp_path / "x.tif", name: tmp_path / output}
    arguments = flags(source, outputs.pop("output"), overwrite=True, **outputs)
    line = error_of(command, arguments, tmp_path)
    assert words.format(tmp_path) in line


def test_a_folder_that_may_not_be_written_to(command, tmp_path):
    source = geotiff(tmp_path)
    # Not in `tmp_path`, which is closed to those whom permissions bind.
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o555)
        code = "import os\nif not os.getuid(): os.setuid(65534)"
        arguments = flags(source, folder / "o.tif")
        line = error_of(command, arguments, folder, code=code)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert f"the folder {folder} may not be written to" in line


def test_a_file_in_the_place_of_the_folder(command, tmp_path):
    source = geotiff(tmp_path)
    arguments = flags(source, "", output_dir=source)
    assert f"{source}: " in error_of(command, arguments, tmp_path)


# A disk that is full.

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
LIMIT_LATER = f"""
from marsgan_tf.inference import {{1}}
whole = {{1}}.write
def write(*arguments, **options):
    {LIMIT}
    return whole(*arguments, **options)
{{1}}.write = write
"""


def test_a_disk_that_is_too_small_is_told_before(tmp_path, monkeypatch):
    source = geotiff(tmp_path)
    before = contents(tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=16 * 40 * 50 - 1)
    monkeypatch.setattr(settings.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(errors.SettingsError, match="GiB free, the tiles alone"):
        predict(source, tmp_path / "o.tif")
    assert contents(tmp_path) == before


def test_a_disk_that_fills_keeps_the_tiles(command, tmp_path):
    source = geotiff(tmp_path, image(100, 100))
    arguments = flags(source, tmp_path / "o.tif", tile=25)
    status, text = command(arguments, LIMIT.format(3 * 16 * 25**2 + 100))
    line = only_error(status, text)
    assert ".o.tif.partial/tiles.raw: " in line
    assert sorted(os.listdir(tmp_path)) == [".o.tif.partial", "a.tif"]
    line = error_of(command, arguments, tmp_path)
    assert "holds 3 of 16 tiles" in line and "--resume" in line
    status, text = command([*arguments, "--resume"])
    assert status == 0, text
    predict(source, tmp_path / "w.tif", tile=25)
    for suffix in ("tif", "tif.json"):
        resumed, whole = (tmp_path / f"{name}.{suffix}" for name in "ow")
        assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "writer, options",
    [
        ("results", {}),
        ("results", {"overviews": True}),
        ("results", {"format": "COG"}),
        ("sidecar", {}),
    ],
)
def test_a_disk_that_fills_leaves_no_half_result(
    command, tmp_path, writer, options
):
    source = geotiff(tmp_path, image(100, 100))
    arguments = flags(source, tmp_path / "o.tif", **options)
    status, text = command(arguments, LIMIT_LATER.format(150, writer))
    line = only_error(status, text)
    assert f"{tmp_path}/o.tif" in line
    left = sorted(os.listdir(tmp_path))
    image_only = ["o.tif"] if writer == "sidecar" else []
    assert left == [".o.tif.partial", "a.tif", *image_only]
    status, text = command([*arguments, "--resume"])
    assert status == 0, text
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "o.tif", "o.tif.json"]


# Models that cannot be used.


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "models" / "mars"
    shutil.copytree(models.exported("plain"), folder)
    return folder


def without_folder(model):
    shutil.rmtree(model)


def without_version(model):
    shutil.rmtree(model / "1")


def with_flipped_bit(model):
    path = model / "1" / "saved_model.pb"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_weights(model):
    shutil.rmtree(model / "1" / "variables")


def of_another_format(model):
    path = model / "1" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


def with_half_a_description(model):
    truncated(model / "1" / "model.json")


@pytest.mark.parametrize(
    "change, words",
    [
        (without_folder, "holds no exported model"),
        (without_version, "holds no exported model"),
        (with_flipped_bit, "saved_model.pb: is not what was exported"),
        (without_weights, "is missing; export the model again"),
        (of_another_format, "of format 2, this program reads 1"),
        (with_half_a_description, "model.json: "),
    ],
)
def test_a_model_that_is_none(command, tmp_path, model, change, words):
    change(model)
    arguments = flags(geotiff(tmp_path), tmp_path / "o.tif", model=str(model))
    line = error_of(command, arguments, tmp_path)
    assert str(model) in line and words in line


# Flags.


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--tile=15", "`tile` must be 0 or at least 16. Received: tile=15"),
        ("--tile=big", "flag --tile=big"),
        ("--halo=3", "`halo` must be at least 4"),
        ("--no_such_flag=1", "no_such_flag"),
        ("--bands=0", "`bands`"),
        ("--color=blue", "`color`"),
        ("--format=PNG", "`format`"),
        ("--stretch=5,1", "`stretch`"),
        ("--output_dir=x", "`output`"),
        ("stray", "unexpected arguments stray"),
    ],
)
def test_wrong_flags_are_status_2(command, tmp_path, flag, words):
    arguments = [*flags(geotiff(tmp_path), tmp_path / "o.tif"), flag]
    assert words in error_of(command, arguments, tmp_path, status=2)


@pytest.mark.parametrize("name", ["input", "output"])
def test_missing_flags_are_status_2(command, tmp_path, name):
    arguments = [
        argument
        for argument in flags(geotiff(tmp_path), tmp_path / "o.tif")
        if not argument.startswith(f"--{name}=")
    ]
    line = error_of(command, arguments, tmp_path, status=2)
    assert f"`{name}` must be given" in line


@pytest.mark.parametrize(
    "pattern, words",
    [("*.img", "no file has such a name"), ("a?.tif", "no file has such")],
)
def test_a_pattern_without_files(command, tmp_path, pattern, words):
    geotiff(tmp_path)
    arguments = flags(tmp_path / pattern, "", output_dir=str(tmp_path))
    assert words in error_of(command, arguments, tmp_path)
