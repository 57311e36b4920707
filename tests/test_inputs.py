import os
import pathlib

import pytest
from stand_ins import OPTIONS

from marsgan_tf import errors
from marsgan_tf.inference import inputs, settings
from marsgan_tf.inference.inputs import Job
from marsgan_tf.inference.settings import Targets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with some images and a folder `out`."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.tif", "a.tif", "c.IMG", "deep/er/d.tif"):
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.mkdir("out")
    return tmp_path


def jobs(*patterns, input_list="", output="", output_dir=""):
    return inputs.jobs(
        inputs=patterns,
        input_list=input_list,
        output=output,
        output_dir=output_dir,
    )


def sources(*patterns, **options):
    return [job.source for job in jobs(*patterns, output_dir="out", **options)]


def test_one_image_and_its_result(folder):
    assert jobs("a.tif", output="x.tif") == [Job("a.tif", "x.tif")]


def test_results_are_named_after_their_images(folder):
    assert jobs("deep/er/d.tif", "c.IMG", output_dir="out") == [
        Job("deep/er/d.tif", "out/d_sr.tif"),
        Job("c.IMG", "out/c_sr.tif"),
    ]


def test_globs_are_sorted_and_keep_their_place(folder):
    assert sources("c.IMG", "?.tif") == ["c.IMG", "a.tif", "b.tif"]
    assert sources("**/*.tif") == ["a.tif", "b.tif", "deep/er/d.tif"]
    assert sources("[bc].*") == ["b.tif", "c.IMG"]


def test_lists_follow_the_paths_given(folder):
    pathlib.Path("list.txt").write_text("a.tif\n\n  deep/*/*.tif \r\n")
    assert sources("c.IMG", input_list="list.txt") == [
        "c.IMG",
        "a.tif",
        "deep/er/d.tif",
    ]


def test_lists_may_be_of_any_bytes(folder):
    pathlib.Path("list.txt").write_bytes(b"\xef\xbb\xbfa.tif\nm\xe4rz.tif\n")
    pathlib.Path(os.fsdecode(b"m\xe4rz.tif")).touch()
    assert [os.fsencode(name) for name in sources(input_list="list.txt")] == [
        b"a.tif",
        b"m\xe4rz.tif",
    ]


def test_an_image_named_twice_is_read_once(folder):
    pathlib.Path("list.txt").write_text("a.tif\n*.tif\n")
    assert sources("b.tif", "b.tif", input_list="list.txt") == [
        "b.tif",
        "a.tif",
    ]


@pytest.mark.parametrize(
    "name",
    ["frame[1].tif", "what?.tif", "two words.tif", "Märs 火星.tif", "a*"],
)
def test_any_name_is_a_name(folder, name):
    pathlib.Path(name).touch()
    (job,) = jobs(name, output_dir="out")
    stem = name.removesuffix(".tif")
    assert job == Job(name, f"out/{stem}_sr.tif")


def test_a_missing_image_is_left_to_the_reader(folder):
    assert sources("nowhere.tif") == ["nowhere.tif"]


def test_patterns_that_match_nothing_are_told(folder):
    with pytest.raises(errors.SettingsError, match=r"^\*\.jp2: no file"):
        jobs("a.tif", "*.jp2", output_dir="out")


def test_empty_lists_are_told(folder):
    pathlib.Path("list.txt").write_text(" \n\n")
    with pytest.raises(errors.SettingsError, match=r"^list\.txt: names no"):
        jobs(input_list="list.txt", output_dir="out")


def test_a_missing_list_is_told(folder):
    with pytest.raises(FileNotFoundError) as caught:
        jobs(input_list="list.txt", output_dir="out")
    assert caught.value.filename == "list.txt"


def test_several_images_need_a_folder(folder):
    with pytest.raises(errors.SettingsError, match="^2 images.*--output_dir"):
        jobs("*.tif", output="x.tif")


@pytest.mark.parametrize("target", ["a.tif", "./deep/../a.tif", "link.tif"])
def test_a_result_never_replaces_its_image(folder, target):
    os.symlink("a.tif", "link.tif")
    with pytest.raises(errors.SettingsError, match="is an image to read"):
        jobs("a.tif", output=target)
    with pytest.raises(errors.SettingsError, match="is an image to read"):
        jobs("link.tif", output="a.tif")


def test_a_result_never_replaces_another_image(folder):
    pathlib.Path("a_sr.tif").touch()
    with pytest.raises(errors.SettingsError, match=r"a_sr\.tif: is an image"):
        jobs("a.tif", "a_sr.tif", output_dir=".")
    os.symlink(".", "here")
    with pytest.raises(errors.SettingsError, match=r"a_sr\.tif: is an image"):
        jobs("a_sr.tif", "a.tif", output_dir="here")


def test_two_images_never_share_a_result(folder):
    pathlib.Path("deep/a.jp2").touch()
    with pytest.raises(
        errors.SettingsError, match=r"^deep/a\.jp2 and a\.tif: both.*a_sr\.tif"
    ):
        jobs("a.tif", "deep/a.jp2", output_dir="out")


def check(targets, source="a.tif"):
    settings.check_targets(source, targets, OPTIONS)


@pytest.mark.parametrize(
    "targets",
    [
        Targets("a.tif"),
        Targets("x.tif", deviation="link.tif"),
        Targets("x.tif", residual="out/../a.tif"),
        Targets("x.tif", deviation="x.tif"),
        Targets("x.tif", deviation="y.tif", residual="./y.tif"),
    ],
)
def test_every_result_has_a_name_of_its_own(folder, targets):
    os.symlink("a.tif", "link.tif")
    with pytest.raises(errors.SettingsError, match="a name of its own"):
        check(targets)
    check(Targets("x.tif", deviation="y.tif", residual="z.TIFF"))


@pytest.mark.parametrize(
    "targets",
    [
        Targets("x.jp2"),
        Targets("x.tif", deviation="y"),
        Targets("x.tif", residual="z.png"),
    ],
)
def test_results_are_named_as_geotiffs(folder, targets):
    with pytest.raises(errors.SettingsError, match="must end in .tif"):
        check(targets)


def test_the_folder_of_a_result_must_exist(folder):
    with pytest.raises(errors.SettingsError, match="the folder far/away does"):
        check(Targets("x.tif", residual="far/away/z.tif"))
