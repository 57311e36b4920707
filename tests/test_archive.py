import contextlib
import functools
import json
import os
import signal
import time
import unittest.mock

import numpy as np
import predictions
import pytest
import rasters
import scene_archives

from marsgan_tf import errors
from marsgan_tf.inference import predicting
from pipelines import archive, archive_lock, archive_scene, engine


def lines(output_dir):
    """The ledger's lines, by the name of the input."""
    text = (output_dir / "ledger.jsonl").read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    return [(os.path.basename(entry["input"]), entry) for entry in entries]


def pixels(path):
    with rasters.open_gdal(path) as dataset:
        return dataset.read()


def identities(output_dir):
    """When and where every finished result was written."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in output_dir.glob("*_sr.tif")
        if path.with_name(f"{path.name}.json").exists()
    }


@pytest.fixture
def output_dir(tmp_path):
    return tmp_path / "out"


@contextlib.contextmanager
def in_this_process(config, workers, **options):
    yield functools.partial(engine.run_units, workers=1)


def run(listed, output_dir, pool=in_this_process, **options):
    """By itself where tests can reach into what works on a scene."""
    archive_scene._load.cache_clear()
    with unittest.mock.patch.object(archive.pools, "opened", pool):
        archive.run(scene_archives.config(listed, output_dir, **options))


def test_every_scene_is_restored_and_told(tmp_path, output_dir):
    scenes = [
        scene_archives.write_scene(tmp_path, f"s{i}", i) for i in range(3)
    ]
    listed = scene_archives.write_list(tmp_path, scenes)
    with unittest.mock.patch.object(
        predicting, "load_model", wraps=predicting.load_model
    ) as load:
        run(listed, output_dir)
    assert load.call_count == 1
    found = lines(output_dir)
    assert [name for name, _ in found] == ["s0.tif", "s1.tif", "s2.tif"]
    assert {entry["status"] for _, entry in found} == {"done"}
    own = predictions.predict(scenes[1], tmp_path / "own.tif")
    np.testing.assert_array_equal(pixels(output_dir / "s1_sr.tif"), pixels(own))
    described = json.loads((tmp_path / "own.tif.json").read_text())
    assert {e["model"] for _, e in found} == {described["weights_sha256"]}


def test_broken_scenes_stop_no_other(tmp_path, output_dir):
    names = [
        scene_archives.write_broken(tmp_path, kind)
        for kind in scene_archives.BROKEN
    ]
    good = scene_archives.write_scene(tmp_path, "good")
    listed = scene_archives.write_list(tmp_path, [*names, good])
    with pytest.raises(errors.PredictionError, match="5 of 6 scenes failed"):
        run(listed, output_dir)
    found = dict(lines(output_dir))
    for kind in scene_archives.BROKEN:
        entry = found[f"{kind}.tif"]
        assert entry["status"] == "failed"
        assert scene_archives.REASONS[kind] in entry["error"]
        assert "\n" not in entry["error"]
    assert found["good.tif"]["status"] == "done"
    assert [path.name for path in output_dir.glob("*.tif")] == ["good_sr.tif"]


def test_failed_scenes_are_tried_again_if_asked(tmp_path, output_dir):
    good = scene_archives.write_scene(tmp_path, "good")
    late = tmp_path / "late.tif"
    listed = scene_archives.write_list(tmp_path, [good, late])
    with pytest.raises(errors.PredictionError, match="1 of 2"):
        run(listed, output_dir)
    before = identities(output_dir)
    scene_archives.write_scene(tmp_path, "late")
    with pytest.raises(errors.PredictionError, match="1 of 2"):
        run(listed, output_dir)
    assert len(lines(output_dir)) == 2
    run(listed, output_dir, retry_failed=True)
    assert [entry["status"] for _, entry in lines(output_dir)] == [
        "done",
        "failed",
        "done",
    ]
    after = identities(output_dir)
    assert after["good_sr.tif"] == before["good_sr.tif"]
    assert set(after) == {"good_sr.tif", "late_sr.tif"}


def test_a_result_that_was_deleted_is_made_again(tmp_path, output_dir):
    listed = scene_archives.write_list(
        tmp_path, [scene_archives.write_scene(tmp_path, "a")]
    )
    run(listed, output_dir)
    (output_dir / "a_sr.tif").unlink()
    run(listed, output_dir)
    assert len(lines(output_dir)) == 2
    assert (output_dir / "a_sr.tif").exists()


def test_a_finished_result_without_its_line_is_not_made_again(
    tmp_path, output_dir
):
    listed = scene_archives.write_list(
        tmp_path, [scene_archives.write_scene(tmp_path, "a")]
    )
    run(listed, output_dir)
    before = identities(output_dir)
    (output_dir / "ledger.jsonl").unlink()
    run(listed, output_dir)
    assert identities(output_dir) == before
    assert len(lines(output_dir)) == 1


def test_equal_names_are_refused_before_anything_is_made(tmp_path, output_dir):
    other = tmp_path / "other"
    other.mkdir()
    scenes = [
        scene_archives.write_scene(folder, "a") for folder in (tmp_path, other)
    ]
    listed = scene_archives.write_list(tmp_path, scenes)
    with pytest.raises(errors.SettingsError, match="both would be written"):
        run(listed, output_dir)
    assert not output_dir.exists()


def test_a_served_model_is_known_by_its_endpoint(tmp_path):
    served = "grpc://gpu1:8500/marsgan/3"
    config = scene_archives.config("l.txt", tmp_path, model="", engine=served)
    assert predicting.identity(config) == served
    own = scene_archives.config("l.txt", tmp_path)
    with_model = scene_archives.config("l.txt", tmp_path, engine=served)
    assert predicting.identity(with_model) == predicting.identity(own)


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        ({"workers": 3}, 4),  # Of the machine's 12.
        ({"workers": 3, "threads": 6}, 2),
        ({"workers": 30}, 2),  # No more work than there are scenes, 5.
        ({"workers": 3, "engine": "grpc://gpu1:8500/marsgan"}, 0),
        ({"pool": "dask", "dask_scheduler": "tcp://a:1", "threads": 5}, 5),
    ],
)
def test_workers_of_one_machine_share_its_threads(
    tmp_path, monkeypatch, options, threads
):
    monkeypatch.setattr(archive.engine, "core_count", lambda: 12)
    config = scene_archives.config("l.txt", tmp_path, **options)
    assert archive._threads(config, scenes=5) == threads


@pytest.mark.parametrize("changed", ["settings", "model"])
def test_scenes_made_otherwise_are_not_mixed(tmp_path, output_dir, changed):
    scene = scene_archives.write_scene(tmp_path, "a")
    listed = scene_archives.write_list(tmp_path, [scene])
    run(listed, output_dir)
    if changed == "settings":
        with pytest.raises(errors.SettingsError, match="now .*--bands="):
            run(listed, output_dir, bands=(1,))
        return
    path = output_dir / "ledger.jsonl"
    model = lines(output_dir)[0][1]["model"]
    path.write_text(path.read_text().replace(model, "0" * 64))
    with pytest.raises(errors.SettingsError, match="another model.*00000000"):
        run(listed, output_dir)


def test_a_full_disk_is_no_fault_of_a_scene(tmp_path, output_dir):
    scenes = [
        scene_archives.write_scene(tmp_path, f"s{i}", i) for i in range(2)
    ]
    listed = scene_archives.write_list(tmp_path, scenes)
    full = OSError(28, "No space left on device")
    with (
        unittest.mock.patch.object(
            archive_scene, "super_resolve", side_effect=full
        ),
        pytest.raises(OSError, match="No space"),
    ):
        run(listed, output_dir)
    assert lines(output_dir) == []


@contextlib.contextmanager
def that_kills_the_second(config, workers, *, is_isolated, **options):
    assert is_isolated

    def run_units(units, function):
        yield 0, function(units[0])
        yield 1, errors.WorkerKilledError(f"{units[1]}: its process died")
        yield 2, function(units[2])

    yield run_units


def test_a_scene_that_kills_its_process_fails_alone(tmp_path, output_dir):
    scenes = [
        scene_archives.write_scene(tmp_path, f"s{i}", i) for i in range(3)
    ]
    listed = scene_archives.write_list(tmp_path, scenes)
    with pytest.raises(errors.PredictionError, match="1 of 3 scenes failed"):
        run(listed, output_dir, pool=that_kills_the_second)
    told = {name: entry["error"] for name, entry in lines(output_dir)}
    assert told == {
        "s0.tif": "",
        "s1.tif": f"{scenes[1]}: its process died",
        "s2.tif": "",
    }


def test_any_other_error_is_the_scenes_own(tmp_path, output_dir):
    scene = scene_archives.write_scene(tmp_path, "a")
    listed = scene_archives.write_list(tmp_path, [scene])
    with (
        unittest.mock.patch.object(
            archive_scene, "super_resolve", side_effect=KeyError("odd\nend")
        ),
        pytest.raises(errors.PredictionError),
    ):
        run(listed, output_dir)
    told = lines(output_dir)[0][1]["error"]
    assert told == rf"{scene}: KeyError: 'odd\nend'"


def count_lines(output_dir):
    path = output_dir / "ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def stop_after(process, output_dir, count, number):
    """Sends a signal once the ledger has so many lines."""
    end = time.monotonic() + 300
    while count_lines(output_dir) < count and time.monotonic() < end:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(number)
    return process.communicate(timeout=300)[1]


def test_a_second_run_on_a_folder_is_refused(tmp_path, output_dir):
    listed = scene_archives.write_list(
        tmp_path, [scene_archives.write_scene(tmp_path, "a")]
    )
    output_dir.mkdir()
    with archive_lock.owned(str(output_dir)):
        process = scene_archives.start(listed, output_dir)
        text = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert text.count("\n") == 1
    assert f"another archive run, process {os.getpid()} on" in text


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_rest_for_later(
    tmp_path, output_dir, workers, number
):
    scenes = [
        scene_archives.write_scene(tmp_path, f"s{i}", i) for i in range(40)
    ]
    listed = scene_archives.write_list(tmp_path, scenes)
    process = scene_archives.start(listed, output_dir, workers=workers)
    text = stop_after(process, output_dir, 5, number)
    assert process.returncode == 128 + number
    assert "Traceback" not in text
    before = identities(output_dir)
    assert 5 <= len(before) < 40
    run(listed, output_dir)
    after = identities(output_dir)
    assert len(after) == 40
    assert before.items() <= after.items()
    names = [name for name, _ in lines(output_dir)]
    assert len(names) == len(set(names)) == 40


@pytest.mark.slow
def test_an_archive_outlives_kills(tmp_path, output_dir):
    scenes = [
        scene_archives.write_scene(tmp_path, f"s{i}", i) for i in range(195)
    ]
    for place, kind in enumerate(scene_archives.BROKEN):
        scenes.insert(37 * place, scene_archives.write_broken(tmp_path, kind))
    listed = scene_archives.write_list(tmp_path, scenes)
    kept = {}
    for count in (40, 110):
        process = scene_archives.start(listed, output_dir, workers=2)
        stop_after(process, output_dir, count, signal.SIGKILL)
        now = identities(output_dir)
        assert kept.items() <= now.items()
        assert count - 5 <= len(now) < 195
        kept = now
    process = scene_archives.start(listed, output_dir, workers=2)
    text = process.communicate(timeout=600)[1]
    assert process.returncode == 1
    assert "error: 5 of 200 scenes failed" in text

    made = identities(output_dir)
    assert len(made) == 195
    assert kept.items() <= made.items()
    found = lines(output_dir)
    assert len(found) == len(dict(found)) == 200
    entries = dict(found)
    for kind, words in scene_archives.REASONS.items():
        entry = entries.pop(f"{kind}.tif")
        assert entry["status"] == "failed"
        assert words in entry["error"]
    assert {entry["status"] for entry in entries.values()} == {"done"}
    assert not list(output_dir.glob(".*.partial"))
    for number in (0, 57, 123, 194):
        own = predictions.predict(
            tmp_path / f"s{number}.tif", tmp_path / f"own{number}.tif"
        )
        np.testing.assert_array_equal(
            pixels(output_dir / f"s{number}_sr.tif"), pixels(own)
        )
