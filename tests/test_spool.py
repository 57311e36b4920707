import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.imaging.tiling import Window
from marsgan_tf.inference import spool
from marsgan_tf.inference.spool import Layer

ROOT = pathlib.Path(__file__).parent.parent
CORES = (
    Window(0, 0, 6, 8),
    Window(0, 8, 6, 5),
    Window(6, 0, 3, 8),
    Window(6, 8, 3, 5),
)
LAYERS = (
    Layer("image", "uint16", bands=3, scale=4),
    Layer("deviation", "float32", bands=1, scale=4),
    Layer("valid", "bool", bands=1, scale=1),
)
SETTINGS = {"model": "abc", "blur_sigma": 1.6, "bands": (1, 2), "seed": None}


def tile(index, variant=0):
    """All layers of a tile, of arbitrary pixels."""
    rng = np.random.default_rng((index, variant))
    core = CORES[index]
    shape = (core.height * 4, core.width * 4)
    return {
        "valid": rng.random((core.height, core.width, 1)) < 0.5,
        "image": rng.integers(0, 65536, (*shape, 3)).astype(np.uint16),
        "deviation": rng.normal(size=(*shape, 1)).astype(np.float32),
    }


def tile_bytes(index, variant=0):
    arrays = tile(index, variant)
    return b"".join(arrays[layer.name].tobytes() for layer in LAYERS)


@contextlib.contextmanager
def opened(folder, *, resume=False, discard=False, settings=SETTINGS):
    with spool.open_spool(
        str(folder), CORES, LAYERS, settings, resume=resume, discard=discard
    ) as result:
        yield result


def fill(folder, indexes=(0, 1, 2, 3)):
    with opened(folder) as begun:
        for index in indexes:
            begun.write(index, tile(index))


def done_indexes(opened_spool):
    return [index for index in range(len(CORES)) if index in opened_spool]


def assert_holds(opened_spool, index, variant=0):
    for name, expected in tile(index, variant).items():
        found = opened_spool.read(index, name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "made" / "spool"


def test_tiles_come_back_in_any_order(folder):
    with opened(folder) as begun:
        for index in (2, 0, 3, 1):
            assert index not in begun
            begun.write(index, tile(index))
            assert index in begun
            assert_holds(begun, index)
        assert begun.done == 4
        for index in range(4):
            assert_holds(begun, index)
        crcs = [zlib.crc32(tile_bytes(index)) for index in range(4)]
        assert begun.checksums() == crcs


def test_files_are_as_described(folder):
    fill(folder, (3, 1))
    sizes = [len(tile_bytes(index)) for index in range(4)]
    raw = (folder / "tiles.raw").read_bytes()
    assert raw[: sizes[0]] == bytes(sizes[0])
    assert raw[sizes[0] : sum(sizes[:2])] == tile_bytes(1)
    assert raw[sum(sizes[:3]) :] == tile_bytes(3)
    lines = (folder / "ledger.txt").read_text().splitlines()
    found = [(int(a), int(b, 16)) for a, b in map(str.split, lines)]
    assert found == [(i, zlib.crc32(tile_bytes(i))) for i in (3, 1)]
    body = json.loads((folder / "settings.json").read_text())
    assert body["settings"] == {**SETTINGS, "bands": [1, 2]}


def test_strided_arrays_and_views_are_kept_too(folder):
    arrays = {k: np.asfortranarray(v) for k, v in tile(0).items()}
    arrays["image"] = np.repeat(arrays["image"], 2, axis=1)[:, ::2]
    with opened(folder) as begun:
        begun.write(0, arrays)
        assert_holds(begun, 0)


def test_resumed_spool_has_what_was_done(folder):
    fill(folder, (0, 2))
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 2] and resumed.done == 2
        for index in (1, 3):
            resumed.write(index, tile(index))
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 4
        for index in range(4):
            assert_holds(resumed, index)


def test_last_version_of_a_tile_counts(folder):
    fill(folder)
    with opened(folder, resume=True) as resumed:
        resumed.write(1, tile(1, variant=1))
        assert resumed.done == 4
        assert_holds(resumed, 1, variant=1)
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 4
        assert_holds(resumed, 1, variant=1)
        assert resumed.checksums()[1] == zlib.crc32(tile_bytes(1, 1))


def test_nothing_begun_is_begun_by_resume(folder):
    with opened(folder, resume=True) as begun:
        assert begun.done == 0
        begun.write(0, tile(0))
        assert_holds(begun, 0)


def test_what_is_there_is_not_touched_unasked(folder):
    fill(folder, (0, 2))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    message = f"{re.escape(str(folder))}.* 2 of 4 tiles.*--resume.*--overwrite"
    with pytest.raises(errors.SettingsError, match=message):
        fill(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_discarding_starts_again(folder):
    fill(folder)
    settings = {"model": "another"}
    with opened(folder, discard=True, settings=settings) as begun:
        assert begun.done == 0
        begun.write(3, tile(3, variant=1))
    with opened(folder, resume=True, settings=settings) as resumed:
        assert done_indexes(resumed) == [3]
        assert_holds(resumed, 3, variant=1)


def test_resume_goes_before_discard(folder):
    fill(folder, (1,))
    with opened(folder, resume=True, discard=True) as resumed:
        assert done_indexes(resumed) == [1]


@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_flipped_bit_undoes_its_tile_alone(folder, position):
    fill(folder)
    sizes = [len(tile_bytes(index)) for index in range(4)]
    start, stop = sum(sizes[:2]), sum(sizes[:3])
    place = {"first": start, "middle": start + 700, "last": stop - 1}[position]
    raw = bytearray((folder / "tiles.raw").read_bytes())
    raw[place] ^= 0x10
    (folder / "tiles.raw").write_bytes(raw)
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1, 3]
        with pytest.raises(ValueError, match="`index` must be of a finished"):
            resumed.read(2, "image")
        with pytest.raises(ValueError, match="All tiles must .* 3 of 4"):
            resumed.checksums()
        resumed.write(2, tile(2))
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 4
        assert_holds(resumed, 2)


def test_cut_off_pixels_undo_their_tile(folder):
    fill(folder)
    os.truncate(folder / "tiles.raw", sum(map(len, map(tile_bytes, (0, 1)))))
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1]


@pytest.mark.parametrize("cut", [1, 5, 12, 19])
def test_broken_last_line_is_ignored_and_overwritten(folder, cut):
    fill(folder, (0, 1, 2))
    ledger = folder / "ledger.txt"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-cut])
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1]
        resumed.write(3, tile(3))
    lines = ledger.read_text().splitlines()
    assert [int(line.split()[0]) for line in lines] == [0, 1, 3]
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1, 3]


def test_foreign_lines_are_ignored(folder):
    fill(folder, (0, 1))
    ledger = folder / "ledger.txt"
    ledger.write_bytes(
        b"\xff\x00 zz\n0000000099 00000000\n" + ledger.read_bytes()
    )
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"model": "xyz"}, 'model="abc", now model="xyz"'),
        ({"blur_sigma": 0.8}, "blur_sigma=1.6, now blur_sigma=0.8"),
        ({"bands": (1, 3)}, r"bands=\[1, 2\], now bands=\[1, 3\]"),
        ({"samples": 8}, "samples=null, now samples=8"),
        ({"model": "xyz", "seed": 3}, "now model="),  # The first of two.
    ],
)
def test_other_settings_are_refused(folder, change, words):
    fill(folder, (0,))
    with (
        pytest.raises(errors.SettingsError, match=words) as caught,
        opened(folder, resume=True, settings={**SETTINGS, **change}),
    ):
        pass
    assert str(folder) in str(caught.value)
    assert "--overwrite" in str(caught.value)
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 1


def test_missing_setting_is_refused(folder):
    fill(folder, (0,))
    fewer = {k: v for k, v in SETTINGS.items() if k != "model"}
    with (
        pytest.raises(errors.SettingsError, match='model="abc".*model=null'),
        opened(folder, resume=True, settings=fewer),
    ):
        pass


def test_nan_is_the_same_setting(folder):
    settings = {"nodata": float("nan")}
    with opened(folder, settings=settings) as begun:
        begun.write(0, tile(0))
    with opened(folder, resume=True, settings=settings) as resumed:
        assert resumed.done == 1


@pytest.mark.parametrize(
    "cores, layers, words",
    [
        (CORES[:3], LAYERS, "tiles=4, now tiles=3"),
        (CORES[::-1], LAYERS, "tile_sizes_crc32="),
        (CORES, LAYERS[::-1], "layers="),
    ],
)
def test_other_layout_is_refused(folder, cores, layers, words):
    fill(folder, (0,))
    with (
        pytest.raises(errors.SettingsError, match=words),
        spool.open_spool(
            str(folder), cores, layers, SETTINGS, resume=True, discard=False
        ),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": 1}'])
@pytest.mark.parametrize("resume", [True, False])
def test_damaged_settings_are_told(folder, text, resume):
    fill(folder, (0,))
    (folder / "settings.json").write_text(text)
    with (
        pytest.raises(errors.SettingsError, match="settings.json: not read"),
        opened(folder, resume=resume),
    ):
        pass
    with opened(folder, discard=True) as begun:
        assert begun.done == 0


def test_folder_without_settings_counts_for_nothing(folder):
    fill(folder)
    (folder / "settings.json").unlink()
    with opened(folder, resume=True) as begun:
        assert begun.done == 0
    assert (folder / "tiles.raw").stat().st_size == 0


def test_error_in_the_block_keeps_what_was_done(folder):
    with pytest.raises(KeyError, match="boom"), opened(folder) as begun:
        begun.write(2, tile(2))
        raise KeyError("boom")
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [2]


def test_removed_spool_leaves_nothing(folder):
    with opened(folder) as begun:
        begun.write(0, tile(0))
        (folder / ".partial.1f.settings.json").touch()  # Of a killed process.
        begun.remove()
    assert not folder.exists()
    fill(folder)
    (folder / "notes.txt").write_text("of the user")
    with opened(folder, resume=True) as resumed:
        resumed.remove()
    assert os.listdir(folder) == ["notes.txt"]


def run_script(body, folder):
    """Runs lines in a process of their own, with this module's names."""
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        f"from test_spool import *\nfolder = {str(folder)!r}\n{body}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# Writes half of what a call is given, then dies without a word.
KILLED = """
whole_write, calls = os.pwrite, []
def write(descriptor, data, offset):
    calls.append(offset)
    if len(calls) == {call}:
        whole_write(descriptor, data[: len(data) // 2], offset)
        os.kill(os.getpid(), signal.SIGKILL)
    return whole_write(descriptor, data, offset)
os.pwrite = write
fill(folder)
"""


# Of a tile's calls, three are its layers' and the fourth is the ledger's.
@pytest.mark.parametrize("call", [9, 11, 12])
def test_killed_while_writing(folder, call):
    with run_script(KILLED.format(call=call), folder) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1]
        for index in (2, 3):
            resumed.write(index, tile(index))
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 4
        for index in range(4):
            assert_holds(resumed, index)


HOLDER = """
with opened(folder) as begun:
    begun.write(0, tile(0))
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["resume", "discard"])
def test_other_process_is_kept_out(folder, how):
    with run_script(HOLDER, folder) as process:
        assert process.stdout.readline() == "open\n"
        with (
            pytest.raises(errors.SettingsError, match="by another process"),
            opened(folder, **{how: True}),
        ):
            pass
        process.communicate("")
    assert process.returncode == 0
    with opened(folder, resume=True) as resumed:
        assert_holds(resumed, 0)


def test_lock_of_a_removed_spool_is_worth_nothing(folder, monkeypatch):
    """Its owner removes the files after they were opened here."""
    fill(folder)
    flock = spool.spool_files.fcntl.flock

    def removed_before(descriptor, operation):
        (folder / "ledger.txt").unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(spool.spool_files.fcntl, "flock", removed_before)
    with (
        pytest.raises(errors.SettingsError, match="by another process"),
        opened(folder, resume=True),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EIO])
def test_only_missing_locks_are_done_without(folder, code, monkeypatch):
    def fail(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(spool.spool_files.fcntl, "flock", fail)
    if code == errno.ENOLCK:
        fill(folder)
        return
    with pytest.raises(OSError, match=r"ledger\.txt"):
        fill(folder)


FULL_DISK = """
import resource
with opened(folder) as begun:
    begun.write(0, tile(0))
    begun.write(1, tile(1))
    size = sum(len(tile_bytes(i)) for i in range(2)) + 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        begun.write(2, tile(2))
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename, done_indexes(begun))
"""


def test_full_disk_is_told_and_loses_nothing(folder):
    pytest.importorskip("resource")
    with run_script(FULL_DISK, folder) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    assert output == f"EFBIG {folder / 'tiles.raw'} [0, 1]\n"
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 1]
        assert_holds(resumed, 1)
        resumed.write(2, tile(2))
        assert_holds(resumed, 2)


def test_line_that_a_full_disk_cuts_off_is_covered(folder, monkeypatch):
    whole_write = os.pwrite
    with opened(folder) as begun:
        begun.write(0, tile(0))

        def full(descriptor, data, offset):
            if len(data) > 20:
                return whole_write(descriptor, data, offset)
            if len(data) < 20:
                raise OSError(errno.ENOSPC, "full")
            return whole_write(descriptor, data[:13], offset)

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match=r"full.*ledger\.txt"):
            begun.write(1, tile(1))
        assert done_indexes(begun) == [0]
        monkeypatch.setattr(os, "pwrite", whole_write)
        begun.write(2, tile(2))
    with opened(folder, resume=True) as resumed:
        assert done_indexes(resumed) == [0, 2]


def test_tile_half_replaced_is_not_done(folder, monkeypatch):
    fill(folder)

    def full(descriptor, data, offset):
        raise OSError(errno.ENOSPC, "full")

    with opened(folder, resume=True) as resumed:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match=r"full.*tiles\.raw"):
            resumed.write(1, tile(1, variant=1))
        assert done_indexes(resumed) == [0, 2, 3]


def test_partial_writes_and_reads_go_on(folder, monkeypatch):
    """The system may take or give less than it is asked for."""
    whole_write, whole_read = os.pwrite, os.preadv
    monkeypatch.setattr(
        os, "pwrite", lambda fd, data, at: whole_write(fd, data[:777], at)
    )
    monkeypatch.setattr(
        os, "preadv", lambda fd, into, at: whole_read(fd, [into[0][:555]], at)
    )
    fill(folder)
    with opened(folder, resume=True) as resumed:
        assert resumed.done == 4
        assert_holds(resumed, 3)


def test_file_that_shrinks_meanwhile_is_told(folder):
    fill(folder)
    with opened(folder, resume=True) as resumed:
        os.truncate(folder / "tiles.raw", 100)
        with pytest.raises(OSError, match=r"cut off.*tiles\.raw"):
            resumed.read(0, "image")


@pytest.mark.parametrize(
    "change",
    [
        {"image": np.zeros((24, 32, 1), np.uint16)},
        {"image": np.zeros((24, 32, 3), np.int16)},
        {"more": np.zeros(3)},
    ],
)
def test_other_arrays_are_refused(folder, change):
    with opened(folder) as begun:
        with pytest.raises(ValueError, match="`arrays` must be .* tile 0"):
            begun.write(0, {**tile(0), **change})
        with pytest.raises(ValueError, match="`arrays` must be"):
            begun.write(0, {"image": tile(0)["image"]})
        assert begun.done == 0


@pytest.mark.parametrize("index", [-1, 4])
def test_index_must_be_of_a_tile(folder, index):
    with opened(folder) as begun:
        with pytest.raises(ValueError, match=f"`index`.*index={index}"):
            begun.write(index, tile(0))
        with pytest.raises(ValueError, match=f"`index`.*index={index}"):
            begun.read(index, "image")


def test_layer_must_be_known(folder):
    fill(folder)
    with (
        opened(folder, resume=True) as resumed,
        pytest.raises(ValueError, match="name='detail'"),
    ):
        resumed.read(0, "detail")


def test_layers_must_have_names_of_their_own(folder):
    with (
        pytest.raises(ValueError, match="`layers`.*'image', 'image'"),
        spool.open_spool(
            str(folder), CORES, LAYERS[:1] * 2, {}, resume=False, discard=False
        ),
    ):
        pass
