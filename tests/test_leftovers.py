"""What a killed process left goes; what anybody may still be writing stays."""

import os
import signal
import subprocess
import sys

import pytest

from marsgan_tf import leftovers, staging

CHILD = """
import os, sys, time
from marsgan_tf import leftovers
name = leftovers.temporary_name(sys.argv[1])
if sys.argv[2] == "folder":
    os.mkdir(name)
    open(os.path.join(name, "part"), "w").close()
else:
    open(name, "w").close()
print(name, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["file", "folder"])
def writer(tmp_path, request):
    """A process amid a write of `a.tif`, and what it has begun."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "a.tif")]
    with subprocess.Popen(
        [*command, request.param], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def write(folder):
    leftovers._enter.cache_clear()  # As a new process would.
    with staging.staged(str(folder / "b.txt")) as path:
        with open(path, "w") as file:
            file.write("whole")


def test_what_a_living_process_writes_stays(writer, tmp_path):
    _, begun = writer
    write(tmp_path)
    assert os.path.exists(begun)


def test_what_a_dead_process_left_goes(writer, tmp_path):
    process, begun = writer
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.path.exists(begun)
    write(tmp_path)
    assert os.listdir(tmp_path) == ["b.txt"]


def test_names_of_others_stay(tmp_path, monkeypatch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    elsewhere = f".partial.00000000-{dead.pid}-1.01234567.a.tif"
    names = [elsewhere, ".partial.1f.a.tif", ".partial.a", "partial.tif"]
    for name in names:
        (tmp_path / name).touch()
    write(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "b.txt"])
    monkeypatch.setattr(leftovers, "_machine", lambda: "00000000")
    write(tmp_path)
    assert elsewhere not in os.listdir(tmp_path)


def test_a_number_that_another_process_has_now_is_a_dead_ones(tmp_path):
    name = leftovers.temporary_name(str(tmp_path / "a.tif"))
    machine, process, start = (
        name.split(".partial.")[1].split(".")[0].split("-")
    )
    assert int(process) == os.getpid()
    older = f".partial.{machine}-{process}-{int(start) - 1}.01234567.a.tif"
    (tmp_path / older).touch()
    (tmp_path / os.path.basename(name)).touch()
    write(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [os.path.basename(name), "b.txt"]


def test_names_keep_folder_and_extension(tmp_path):
    names = {leftovers.temporary_name(str(tmp_path / "a.tif")) for _ in "ab"}
    assert len(names) == 2
    for name in names:
        assert os.path.dirname(name) == str(tmp_path)
        assert name.endswith(".a.tif") and len(os.path.basename(name)) < 60
    assert os.path.dirname(leftovers.temporary_name("a.tif")) == ""
