"""The prediction command from start to end, however often it is stopped."""

import os
import signal
import sys
import textwrap
import time

import forked
import numpy as np
import pytest
import rasters
from predictions import (
    finish,
    flags,
    hidden,
    image,
    predict,
    start,
)

from marsgan_tf import errors
from marsgan_tf.imaging import raster_tiles
from marsgan_tf.inference import engines, scene, sidecar

# So many tiles keep the tiny model busy for a second.
MANY = {"tile": 16, "halo": 16}
TILES = 13 * 13


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "a.tif"
    return rasters.write_geotiff(path, image(200, 200))


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """The files of a prediction that nothing disturbed, by name."""
    folder = tmp_path_factory.mktemp("whole")
    predict(source, folder / "o.tif", **MANY)
    return contents(folder)


@pytest.fixture(scope="module")
def command():
    with forked.commands() as run:
        yield run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(folder):
    """How many tiles a stopped prediction has finished."""
    ledger = folder / ".o.tif.partial" / "ledger.txt"
    return len(ledger.read_bytes().splitlines()) if ledger.exists() else 0


def start_and_wait(arguments, folder, more_than=0):
    """Starts the command and waits until it has kept a tile."""
    process = start(arguments)
    while kept(folder) <= more_than and not (folder / "o.tif").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


def test_help_loads_nothing():
    code = textwrap.dedent(
        """
        import atexit, sys
        slow = {"tensorflow", "keras", "openvino", "rasterio", "scipy"}
        atexit.register(lambda: sys.stderr.write(str(slow & set(sys.modules))))
        """
    )
    process = start(["--help"], code)
    output, text = process.communicate()
    assert process.returncode == 0
    assert "--consistency" in output and "--[no]resume" in output
    assert text == "set()"


def test_killed_at_any_moment_it_ends_with_the_same_bits(
    source, whole, tmp_path
):
    seed = time.time_ns()
    delays = np.random.default_rng(seed).random(3) * 0.3
    sys.stdout.write(f"delays of seed {seed}: {delays}\n")
    output = tmp_path / "o.tif"
    arguments = flags(source, output, **MANY)
    before = 0
    for delay in delays:
        process = start_and_wait(arguments, tmp_path, before)
        time.sleep(delay)
        process.kill()
        process.communicate()
        before = kept(tmp_path)
        arguments = flags(source, output, resume=True, **MANY)
        if output.exists() or before == TILES:
            break  # A fast machine: there is less to kill than delays.
    status, text = finish(start(arguments))
    assert status == 0, text
    assert contents(tmp_path) == whole
    # It went on, and what is counted is the whole.
    assert f"{TILES}/{TILES} tiles" in text or "finished before" in text


DYING = """
import os, signal
whole = os.{function}
def dying(*paths, **options):
    if os.path.basename(paths[-1]) == "{name}":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*paths, **options)
os.{function} = dying
"""


@pytest.mark.parametrize(
    "function, name, left",
    [
        # Before anything is kept; before and after the raster has its name;
        # when all is written, and when half of what was kept is removed.
        ("replace", "settings.json", []),
        ("replace", "o.tif", []),
        ("replace", "o.tif.json", ["o.tif"]),
        ("remove", "settings.json", ["o.tif", "o.tif.json"]),
        ("remove", "tiles.raw", ["o.tif", "o.tif.json"]),
    ],
)
def test_killed_between_two_files_nothing_is_left(
    command, source, whole, tmp_path, function, name, left
):
    arguments = flags(source, tmp_path / "o.tif", **MANY)
    status, _ = command(arguments, DYING.format(function=function, name=name))
    assert status == -signal.SIGKILL
    assert hidden(tmp_path)
    assert sorted(set(os.listdir(tmp_path)) - set(hidden(tmp_path))) == left
    predict(source, tmp_path / "o.tif", resume=True, **MANY)
    assert contents(tmp_path) == whole


DYING_AT_A_TILE = """
import os, signal
from marsgan_tf.inference.spool import Spool
whole = Spool.write
def dying(spool, index, arrays):
    if spool.done == 40:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(spool, index, arrays)
Spool.write = dying
"""


def test_what_was_kept_is_told_and_may_be_dropped(
    command, source, whole, tmp_path
):
    output, partial = tmp_path / "o.tif", tmp_path / ".o.tif.partial"
    status, _ = command(flags(source, output, **MANY), DYING_AT_A_TILE)
    assert status == -signal.SIGKILL
    before = contents(partial)
    status, text = command(flags(source, output, **MANY))
    assert status == 1
    assert text.splitlines()[-1] == (
        f"error: {partial}: holds 40 of {TILES} tiles of a prediction that "
        "was interrupted: --resume goes on with it, --overwrite starts again"
    )
    assert text.count("error:") == 1
    with pytest.raises(errors.SettingsError, match="tile=16, now tile=32"):
        predict(source, output, tile=32, resume=True)
    assert contents(partial) == before
    predict(source, output, overwrite=True, **MANY)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_one_line_and_a_new_run_goes_on(
    source, whole, tmp_path, number
):
    arguments = flags(source, tmp_path / "o.tif", **MANY)
    process = start_and_wait(arguments, tmp_path)
    process.send_signal(number)
    status, text = finish(process)
    assert status == 128 + number
    assert text.splitlines()[-1] == (
        f"error: {source}: stopped, {kept(tmp_path)} of {TILES} tiles are kept "
        f"in {tmp_path}/.o.tif.partial; the same command with --resume goes on"
    )
    assert text.count("error:") == 1 and "Traceback" not in text
    assert os.listdir(tmp_path) == [".o.tif.partial"]
    predict(source, tmp_path / "o.tif", resume=True, **MANY)
    assert contents(tmp_path) == whole


def stopping(monkeypatch, owner, name):
    """Has this process told to stop when a function is called first."""
    function, calls = getattr(owner, name), []

    def call(*arguments, **options):
        if not calls:
            calls.append(name)
            os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, call)


def test_a_signal_stops_the_loading_of_a_model(source, tmp_path, monkeypatch):
    stopping(monkeypatch, engines, "open_engine")
    with pytest.raises(errors.Interrupted, match="before its first tile"):
        predict(source, tmp_path / "o.tif", blur_sigma="0.5")  # Not yet loaded.


def test_a_signal_stops_the_first_look(tmp_path, monkeypatch):
    source = rasters.write_geotiff(tmp_path / "a.tif", image(1100, 20))
    stopping(monkeypatch, scene.Scene, "read")
    with pytest.raises(errors.Interrupted, match="before its first tile"):
        predict(source, tmp_path / "o.tif")
    assert os.listdir(tmp_path) == ["a.tif"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_stops_the_writing(source, whole, tmp_path, monkeypatch):
    stopping(monkeypatch, raster_tiles, "write_tiles")
    with pytest.raises(
        errors.Interrupted, match=f"{TILES} of {TILES} tiles are kept"
    ) as caught:
        predict(source, tmp_path / "o.tif", **MANY)
    assert caught.value.signal_number == signal.SIGTERM
    assert os.listdir(tmp_path) == [".o.tif.partial"]
    predict(source, tmp_path / "o.tif", resume=True, **MANY)
    assert contents(tmp_path) == whole


def test_no_second_process_writes_the_same_output(source, tmp_path):
    output = tmp_path / "o.tif"
    large = rasters.write_geotiff(tmp_path / "b.tif", image(600, 600))
    process = start_and_wait(flags(large, output, **MANY), tmp_path)
    try:
        for option in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(errors.SettingsError) as caught:
                predict(large, output, **option, **MANY)
            assert str(caught.value) == (
                f"{tmp_path}/.o.tif.partial: is being written by another "
                "process: wait for its end, or name another output"
            )
        assert process.poll() is None and not output.exists()
    finally:
        process.kill()
        process.communicate()


# Several images.


def test_one_bad_image_stops_no_other(command, tmp_path):
    folder, results = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        rasters.write_geotiff(folder / name, image(seed=ord(name[0])))
    (folder / "bad.tif").write_bytes(b"no image")
    listed = rasters.write_gdal(tmp_path / "c.png", image(), "PNG")
    (tmp_path / "list.txt").write_text(f"{listed}\n\n{folder}/a.tif\n")
    status, text = command(
        flags(
            f"{folder}/*.tif",
            "",
            output_dir=str(results),
            input_list=str(tmp_path / "list.txt"),
        )
    )
    assert status == 1
    assert sorted(os.listdir(results)) == sorted(
        f"{name}_sr.tif{suffix}" for name in "abc" for suffix in ("", ".json")
    )
    assert "Traceback" not in text
    told = [line for line in text.splitlines() if line.startswith("error: ")]
    assert told[0].startswith(f"error: {folder}/bad.tif: is no image")
    assert told[1:] == [
        f"error: 1 of 4 images failed: {folder}/bad.tif; the lines above say "
        "why"
    ]
    # Once it is mended, --resume does what is left, and that alone.
    stamps = {path: path.stat().st_mtime_ns for path in results.iterdir()}
    rasters.write_geotiff(folder / "bad.tif", image(seed=9))
    predict(f"{folder}/*.tif", "", output_dir=str(results), resume=True)
    assert (results / "bad_sr.tif").exists()
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert not hidden(results)


# Results that are there.


@pytest.fixture
def finished(tmp_path):
    """An image and its result, and all that the latter is made with."""
    source = rasters.write_geotiff(tmp_path / "a.tif", image())
    predict(source, tmp_path / "o.tif")
    return source, tmp_path / "o.tif"


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_finished_result_is_left_as_it_is(finished, tmp_path, caplog):
    before = stamps(tmp_path)
    for option in ({}, {"overwrite": True}):
        caplog.clear()
        with caplog.at_level("INFO", logger="absl"):
            predict(*finished, resume=True, **option)
        assert stamps(tmp_path) == before
        assert "o.tif: finished before, left as it is" in caplog.text


@pytest.mark.parametrize(
    "change, words",
    [
        ({"tile": 32}, "made with tile=512, now tile=32"),
        ({"stretch": "0,250"}, "made with stretch="),
        ({"format": "COG"}, 'made with format="GTiff", now format="COG"'),
        ({"overviews": True}, "made with overviews=false, now overviews=true"),
        ({"nodata": (3.0,)}, 'made with nodata=null, now nodata="3.0"'),
        ({"blur_sigma": "2.0"}, "made with degradation="),
    ],
)
def test_a_result_of_other_settings_is_told(finished, tmp_path, change, words):
    before = stamps(tmp_path)
    with pytest.raises(errors.SettingsError, match=words) as caught:
        predict(*finished, resume=True, **change)
    assert "o.tif: exists, " in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert stamps(tmp_path) == before
    predict(*finished, resume=True, overwrite=True, **change)
    assert stamps(tmp_path)["o.tif"] > before["o.tif"]
    assert not hidden(tmp_path)


def test_a_result_of_another_image_is_told(finished, tmp_path):
    before = stamps(tmp_path)
    rasters.write_geotiff(tmp_path / "a.tif", image(seed=1))
    with pytest.raises(errors.SettingsError, match="made with input_sha256="):
        predict(*finished, resume=True)
    assert stamps(tmp_path)["o.tif"] == before["o.tif"]


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "without a sidecar"),
        ("", "with a sidecar that cannot be read"),
        ("[1]", "with a sidecar that cannot be read"),
        ("{}", "made with input=null"),
    ],
)
def test_a_result_without_its_sidecar_is_told(finished, tmp_path, text, words):
    sidecar = tmp_path / "o.tif.json"
    sidecar.unlink() if text is None else sidecar.write_text(text)
    with pytest.raises(errors.SettingsError, match=f"o.tif: exists, {words}"):
        predict(*finished, resume=True)


def test_a_missing_second_result_is_made(finished, tmp_path):
    """The image is made again with it, and is the same."""
    source, output = finished
    residual = tmp_path / "r.tif"
    options = {"residual_output": str(residual)}
    predict(*finished, overwrite=True, **options)
    before = contents(tmp_path)
    residual.unlink()
    predict(*finished, resume=True, **options)
    assert contents(tmp_path) == before


def test_without_resume_a_result_is_never_touched(finished, tmp_path):
    before = stamps(tmp_path)
    with pytest.raises(errors.SettingsError, match="o.tif: exists; choose"):
        predict(*finished)
    assert stamps(tmp_path) == before
    predict(*finished, overwrite=True)
    assert stamps(tmp_path)["o.tif"] > before["o.tif"]


def test_replaced_halfway_it_has_no_sidecar_of_another(
    finished, tmp_path, monkeypatch
):
    def fail(*arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(sidecar, "write", fail)
    with pytest.raises(OSError, match="full"):
        predict(*finished, overwrite=True, tile=32)
    assert not (tmp_path / "o.tif.json").exists()
