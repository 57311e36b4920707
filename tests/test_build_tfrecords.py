"""The dataset builder as a whole, in process and from the command line."""

import collections
import dataclasses
import glob
import hashlib
import os
import pathlib
import signal
import subprocess
import sys

import affine
import dying
import numpy as np
import pytest
import rasters

from marsgan_tf import errors
from marsgan_tf.dataset import example, manifest, tfrecord
from pipelines import build, parts, planning
from pipelines.build_config import BuildConfig

ROOT = pathlib.Path(__file__).parent.parent
SETTINGS = {"hr_size": 32, "workers": 1, "shard_megabytes": 1}


def relief(seed, shape=(200, 170)):
    rng = np.random.default_rng(seed)
    steps = [np.cumsum(rng.normal(0, 6, side)) for side in shape]
    image = 500 + steps[0][:, np.newaxis] + steps[1]
    return np.clip(image + rng.normal(0, 9, shape), 3, 1021).astype(np.uint16)


def write_scene(folder, name, seed, east_m=None):
    """A scene; `east_m` is where on the equator its western border lies."""
    options = {}
    if east_m is not None:
        place = affine.Affine(1, 0, east_m, 0, -1, 0)
        options = {"crs": rasters.MARS_WKT, "transform": place}
    return rasters.write_gdal(folder / name, relief(seed), "GTiff", **options)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Six scenes of five observations; the first two show the same ground."""
    folder = tmp_path_factory.mktemp("images")
    write_scene(folder, "ESP_014038_1415_RED.tif", 0, east_m=1000.0)
    write_scene(folder, "ESP_031022_1415_RED.tif", 1, east_m=1100.0)
    write_scene(folder, "PSP_001513_1655_RED.tif", 2, east_m=9000.0)
    write_scene(folder, "ESP_030426_1685_RED_a.tif", 3)
    write_scene(folder, "ESP_030426_1685_RED_b.tif", 4)
    write_scene(folder, "terrain.tif", 5)
    return folder


def config(images, output_dir, **changes):
    pattern = f"{images}/*" if os.path.isdir(images) else str(images)
    return BuildConfig(
        input=(pattern,),
        output_dir=str(output_dir),
        **{**SETTINGS, **changes},
    )


def run(images, output_dir, **changes):
    build.run(config(images, output_dir, **changes))
    return manifest.load(str(output_dir))


def call(*flags):
    return subprocess.run(
        [sys.executable, "-m", "pipelines.build_tfrecords", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder):
    """Every file of a folder, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def record_hashes(made):
    return collections.Counter(
        hashlib.sha256(record).hexdigest()
        for split in manifest.SPLITS
        for path in made.shard_paths(split)
        for record in tfrecord.read_records(path, made.compression)
    )


def pairs(made, split):
    return [
        pair
        for path in made.shard_paths(split)
        for pair in example.read_pairs(path, made.compression)
    ]


@pytest.fixture(scope="module")
def built(images, tmp_path_factory):
    """A dataset of all images, in several shards."""
    folder = tmp_path_factory.mktemp("built") / "dataset"
    run(images, folder, variants=20, blur_sigma=(0.0, 2.4))
    return folder


def test_dataset_is_what_its_manifest_says(images, built):
    made = manifest.verify(str(built))
    assert set(os.listdir(built)) == {
        "manifest.json",
        *(shard.name for shard in made.train + made.validation),
    }
    assert len(made.train) > 1
    assert made.hr_size == 32
    assert made.parameters["stride"] == 32
    assert made.parameters["blur_sigma"] == [0.0, 2.4]
    assert [source.name for source in made.sources] == sorted(
        os.listdir(images)
    )
    for source in made.sources:
        assert source.kept == 6 * 5 * 20
        assert source.sha256 == manifest.hash_file(images / source.name)
    assert str(images) not in (built / "manifest.json").read_text()


def test_split_is_by_observation_and_ground(built):
    made = manifest.load(str(built))
    split = {source.name: source.split for source in made.sources}
    assert set(split.values()) == set(manifest.SPLITS)
    assert len(set(split[n] for n in split if "1415" in n)) == 1
    assert len(set(split[n] for n in split if "030426" in n)) == 1
    seen = {
        name: {pair.observation_id for pair in pairs(made, name)}
        for name in manifest.SPLITS
    }
    assert not seen["train"] & seen["validation"]
    assert len(seen["train"] | seen["validation"]) == 5


@pytest.mark.parametrize("seed", range(4))
def test_same_ground_is_never_split(images, tmp_path, seed):
    settings = config(images, tmp_path, seed=seed, validation_fraction=0.4)
    scenes = planning.choose_scenes(settings)
    units = planning.make_units(settings, {}, scenes)
    splits = {unit.observation_id: unit.split for unit in units}
    assert splits["ESP_014038_1415"] == splits["ESP_031022_1415"]


def test_pairs_are_of_the_images(built):
    seeds = {"ESP_014038_1415": 0, "PSP_001513_1655": 2, "terrain": 5}
    made = manifest.load(str(built))
    found = [pair for split in manifest.SPLITS for pair in pairs(made, split)]
    checked = [pair for pair in found if pair.observation_id in seeds]
    assert len(checked) == 3 * 6 * 5 * 20
    images = {name: relief(seed) for name, seed in seeds.items()}
    for pair in checked:
        image = images[pair.observation_id]
        window = image[pair.row : pair.row + 32, pair.col : pair.col + 32]
        np.testing.assert_array_equal(pair.hr[..., 0], window)


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_change_nothing(images, built, tmp_path, workers):
    folder = tmp_path / "dataset"
    run(images, folder, variants=20, blur_sigma=(0.0, 2.4), workers=workers)
    assert contents(folder) == contents(built)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_dask_and_a_dying_worker_change_nothing(
    images, built, tmp_path, monkeypatch, workers
):
    folder, marker = tmp_path / "dataset", tmp_path / "died"
    monkeypatch.setenv(dying.MARKER, str(marker))
    monkeypatch.setattr(parts, "build", dying.build)
    settings = {"variants": 20, "blur_sigma": (0.0, 2.4)}
    run(images, folder, **settings, workers=workers, pool="dask")
    assert marker.exists()
    assert contents(folder) == contents(built)


def test_jobs_share_the_scenes_and_change_nothing(
    images, built, tmp_path, monkeypatch
):
    folder = tmp_path / "dataset"
    shared = {"variants": 20, "blur_sigma": (0.0, 2.4), "num_shards": 2}
    build.run(config(images, folder, shard_index=1, **shared))
    assert not (folder / "manifest.json").exists()
    (parts_dir,) = folder.iterdir()
    assert len(list(parts_dir.glob("*.json"))) == 3
    build.run(config(images, folder, shard_index=0, **shared))
    assert record_hashes(manifest.load(str(folder))) == record_hashes(
        manifest.load(str(built))
    )
    assert contents(folder) == contents(built)
    # The job that comes too late has nothing to do.
    monkeypatch.setattr(parts, "build", None)
    build.run(config(images, folder, shard_index=1, **shared))


@pytest.mark.parametrize("step", ["_build_parts", "_assemble"])
def test_jobs_may_finish_at_once(images, tmp_path, monkeypatch, step):
    """Another job assembles the dataset while this one is at `step`."""
    original = getattr(build, step)

    def overtaken(*arguments):
        monkeypatch.setattr(build, step, original)
        if step == "_build_parts":
            original(*arguments)
        build.run(config(images, tmp_path))
        return original(*arguments) if step == "_assemble" else None

    monkeypatch.setattr(build, step, overtaken)
    manifest.verify(run(images, tmp_path).directory)
    assert not list(tmp_path.glob(".*"))


def test_no_record_is_there_twice(images, tmp_path):
    made = run(images, tmp_path, variants=8, blur_sigma=(0.0, 2.4))
    assert max(record_hashes(made).values()) == 1


def test_gzip_holds_the_same_records(images, tmp_path):
    plain = run(images, tmp_path / "plain")
    packed = run(images, tmp_path / "packed", compression="GZIP")
    assert record_hashes(plain) == record_hashes(packed)
    assert packed.train[0].bytes < plain.train[0].bytes
    manifest.verify(packed.directory)


def test_noise_and_seed(images, tmp_path):
    """Noise too depends on nothing but the seed."""
    noisy = {"noise_sigma": (0.001, 0.02), "variants": 2}
    first = run(images, tmp_path / "first", **noisy)
    again = run(images, tmp_path / "again", workers=2, **noisy)
    other = run(images, tmp_path / "other", seed=1, **noisy)
    assert record_hashes(first) == record_hashes(again)
    assert not record_hashes(first) & record_hashes(other)


def test_excluded_observations_are_left_out(images, tmp_path):
    made = run(images, tmp_path, exclude_ids=("ESP_030426_1685",))
    assert len(made.sources) == 4
    names = {pair.observation_id for pair in pairs(made, "train")}
    assert "ESP_030426_1685" not in names


def test_test_sites_of_the_paper_are_left_out(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    write_scene(images, "ESP_068294_1985_RED.tif", 0)
    with pytest.raises(errors.DatasetError, match="all 1 images.*exclude_ids"):
        run(images, tmp_path / "dataset")
    write_scene(images, "ESP_030426_1685_RED.tif", 1)
    made = run(images, tmp_path / "dataset")
    assert [s.observation_id for s in made.sources] == ["ESP_030426_1685"]


def test_complete_dataset_is_left_as_it_is(images, built, monkeypatch):
    before = contents(built)
    monkeypatch.setattr(parts, "build", None)
    settings = {"variants": 20, "blur_sigma": (0.0, 2.4)}
    run(images, built, **settings)
    with pytest.raises(errors.DatasetError, match="differs in --seed: choose"):
        run(images, built, seed=1, **settings)
    with pytest.raises(errors.DatasetError, match="differs in the images"):
        run(images / "ESP*", built, **settings)
    assert contents(built) == before


def test_image_changed_in_place_is_noticed(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    path = pathlib.Path(write_scene(images, "a.tif", 0))
    run(images, tmp_path / "dataset")
    os.utime(path)
    run(images, tmp_path / "dataset")  # Newer, but the same.
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(errors.DatasetError, match="differs in the images"):
        run(images, tmp_path / "dataset")


def test_interrupted_build_goes_on_with_the_scenes_that_lack(
    images, built, tmp_path, monkeypatch
):
    settings = {"variants": 20, "blur_sigma": (0.0, 2.4)}
    done = []

    def build_some(unit):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(unit.path)
        return original(unit)

    original = parts.build
    monkeypatch.setattr(parts, "build", build_some)
    with pytest.raises(KeyboardInterrupt):
        run(images, tmp_path, **settings)
    first, done[:] = done[:], []
    run(images, tmp_path, **settings)
    assert len(first) == 4
    assert sorted(first + done) == sorted(map(str, images.iterdir()))
    assert contents(tmp_path) == contents(built)


def test_parts_that_an_interrupted_build_left_are_removed(
    images, tmp_path, monkeypatch
):
    def end(path, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build.shutil, "rmtree", end)
        with pytest.raises(KeyboardInterrupt):
            run(images, tmp_path)
    assert (tmp_path / "manifest.json").exists()
    assert any(path.is_dir() for path in tmp_path.iterdir())
    run(images, tmp_path)
    assert not any(path.is_dir() for path in tmp_path.iterdir())
    manifest.verify(str(tmp_path))


DYING_IN_THE_SECOND_PART = """
import os, runpy, signal, sys
whole, lengths = os.replace, []
def dying(source, target):
    lengths.extend([target] if target.endswith(".lengths") else [])
    if len(lengths) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(source, target)
os.replace = dying
runpy.run_module("pipelines.build_tfrecords", run_name="__main__")
"""


def test_killed_build_goes_on(images, built, tmp_path):
    folder = tmp_path / "dataset"
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    flags += ["--variants=20", "--blur_sigma=0,2.4"]
    flags += [f"--input={images}/*", f"--output_dir={folder}"]
    killed = subprocess.run(
        [sys.executable, "-c", DYING_IN_THE_SECOND_PART, *flags],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(glob.glob(f"{folder}/.p*/*.json")) == 1
    assert not (folder / "manifest.json").exists()
    finished = call(*flags)
    assert finished.returncode == 0, finished.stderr
    assert contents(folder) == contents(built)


def test_other_scenes_are_finished_when_one_fails(images, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for path in images.iterdir():
        os.link(path, folder / path.name)
    void = rasters.write_gdal(
        folder / "ESP_000001_1000_RED.tif",
        np.zeros((64, 64), np.uint16),
        "GTiff",
    )
    with pytest.raises(errors.DatasetError, match="1000_RED.tif: no pixel"):
        run(folder, tmp_path / "dataset")
    (parts_dir,) = (tmp_path / "dataset").iterdir()
    assert len(list(parts_dir.glob("*.json"))) == 6
    assert not list(parts_dir.glob(".*"))
    os.remove(void)


def test_nothing_kept_is_an_error(images, tmp_path):
    with pytest.raises(
        errors.DatasetError, match="180 have low contrast; lower"
    ):
        run(images, tmp_path, min_contrast=0.9)
    assert os.listdir(tmp_path) == []


def test_jpeg_2000_and_pictures(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    rasters.write_jp2(images / "ESP_030426_1685_RED.JP2", relief(0), 256)
    colour = np.stack([relief(seed) // 4 for seed in range(3)], axis=2)
    rasters.write_gdal(images / "colour.png", colour.astype(np.uint8), "PNG")
    rasters.write_isis3(images / "a.cub", relief(1).astype(np.float32))
    made = run(images, tmp_path / "dataset")
    kinds = {
        pair.observation_id: pair.hr.dtype.name
        for split in manifest.SPLITS
        for pair in pairs(made, split)
    }
    assert kinds == {
        "ESP_030426_1685": "uint16",
        "colour": "uint8",
        "a": "float32",
    }


# From here on: the command line, its one line and its exit status.


def expect_error(done, status, *words):
    assert done.returncode == status, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


def test_command_builds_and_verifies(images, tmp_path):
    folder = tmp_path / "dataset"
    done = call(f"--input={images}/*", f"--output_dir={folder}", "--hr_size=32")
    assert done.returncode == 0, done.stderr
    assert "train: " in done.stderr
    done = call("--verify", f"--output_dir={folder}")
    assert done.returncode == 0, done.stderr
    path = folder / "train-00000-of-00001.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    record = f"record {manifest.load(str(folder)).train[0].records - 1} "
    done = call("--verify", f"--output_dir={folder}")
    expect_error(done, 1, str(path), record, "truncated")
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    done = call("--verify", f"--output_dir={folder}")
    expect_error(done, 1, str(path), "record 0 ", "checksum")
    os.remove(folder / "manifest.json")
    done = call("--verify", f"--output_dir={folder}")
    expect_error(done, 1, "manifest.json: missing", "pipelines.quickstart")


@pytest.mark.parametrize("workers", [1, 2])
def test_jpeg_2000_cut_in_half(tmp_path, workers):
    for name, seed in (("ESP_030426_1685_RED.JP2", 0), ("other.jp2", 1)):
        rasters.write_jp2(tmp_path / name, relief(seed), 256)
    path = tmp_path / "ESP_030426_1685_RED.JP2"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    done = call(
        f"--input={tmp_path}/*",
        f"--output_dir={tmp_path}/dataset",
        "--hr_size=32",
        f"--workers={workers}",
    )
    expect_error(done, 1, str(path), "damaged or incomplete")
    assert not (tmp_path / "dataset" / "manifest.json").exists()


def test_scene_without_data(tmp_path):
    path = rasters.write_gdal(
        tmp_path / "a.tif", np.full((64, 64), 7, np.uint8), "GTiff", nodata=7
    )
    flags = [f"--input={path}", f"--output_dir={tmp_path}/dataset"]
    expect_error(call(*flags, "--hr_size=32"), 1, path, "no pixel has data")
    expect_error(call(*flags), 1, path, "smaller than a patch of 128 px")


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("--input=a", "`output_dir` must be given"),
        ("--output_dir=a", "`input`, `input_list`, `observation_ids` or"),
        ("--observation_ids=ESP_1 --output_dir=a", "`observation_ids` must"),
        ("--input=a --output_dir=a --hr_size=30", "`hr_size` must be a mult"),
        ("--input=a --output_dir=a --blur_sigma=2,1", "`blur_sigma` must be"),
        ("--input=a --output_dir=a --shard_index=1", "`shard_index` must be"),
        ("--input=a --output_dir=a --compression=ZIP", "`compression` must"),
        ("--input=a --output_dir=a --variant=2", "variants"),
    ],
)
def test_wrong_flags_have_status_2(flags, word):
    done = call(*flags.split())
    expect_error(done, 2, word)
    assert len(done.stderr.splitlines()) == 1


def test_every_setting_is_used():
    """A field that is never read would be a flag without effect."""
    text = "".join(
        (ROOT / "pipelines" / name).read_text()
        for name in (
            "build.py",
            "planning.py",
            "pools.py",
            "dask_engine.py",
            "slurm.py",
        )
    )
    for field in dataclasses.fields(BuildConfig):
        assert f"config.{field.name}" in text, field.name
