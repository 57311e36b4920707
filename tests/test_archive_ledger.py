import dataclasses
import json

import pytest

from marsgan_tf import errors
from pipelines import archive_ledger, archive_lock

DONE = archive_ledger.Entry(
    input="/images/a.tif",
    output="a_sr.tif",
    status="done",
    error="",
    seconds=1.5,
    model="ab12",
    settings={"bands": [1]},
)
FAILED = dataclasses.replace(
    DONE, output="b_sr.tif", status="failed", error="is no image"
)


def append(folder, *entries):
    with archive_ledger.opened(str(folder)) as ledger:
        for entry in entries:
            ledger.append(entry)


def read(folder):
    with archive_ledger.opened(str(folder)) as ledger:
        return ledger.entries


def test_what_is_appended_is_read_again(tmp_path):
    append(tmp_path, DONE, FAILED)
    assert read(tmp_path) == {"a_sr.tif": DONE, "b_sr.tif": FAILED}
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {
        "input": "/images/a.tif",
        "output": "a_sr.tif",
        "status": "done",
        "error": "",
        "seconds": 1.5,
        "model": "ab12",
        "settings": {"bands": [1]},
    }


def test_the_last_line_of_an_output_counts(tmp_path):
    append(tmp_path, FAILED)
    append(tmp_path, dataclasses.replace(FAILED, status="done", error=""))
    assert read(tmp_path)["b_sr.tif"].status == "done"


@pytest.mark.parametrize("kept", [1, 30, -1])
def test_a_line_cut_short_does_not_spoil_the_next(tmp_path, kept):
    append(tmp_path, DONE, FAILED)
    path = tmp_path / "ledger.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert read(tmp_path) == {"a_sr.tif": DONE}
    append(tmp_path, FAILED)
    assert path.read_bytes() == first + second


@pytest.mark.parametrize("line", ["{}", "null", "[1]", '{"input": 1', "\xff"])
def test_a_line_of_another_kind_does_not_count(tmp_path, line):
    append(tmp_path, DONE)
    path = tmp_path / "ledger.jsonl"
    good = path.read_bytes()
    path.write_bytes(line.encode("latin-1") + b"\n" + good)
    assert read(tmp_path) == {"a_sr.tif": DONE}


def test_any_bytes_of_a_path_are_kept(tmp_path):
    entry = dataclasses.replace(DONE, input="/images/\udcff\n.tif")
    append(tmp_path, entry)
    assert read(tmp_path) == {"a_sr.tif": entry}


def test_a_second_run_is_refused_until_the_first_ends(tmp_path):
    folder = str(tmp_path)
    with archive_lock.owned(folder):
        with pytest.raises(errors.SettingsError, match="process .* on .* wait"):
            with archive_lock.owned(folder):
                pass
    with archive_lock.owned(folder):
        pass


@pytest.mark.parametrize(
    "changes",
    [
        {"output": ["a"]},
        {"output": "../a.tif"},
        {"settings": []},
        {"input": None},
        {"seconds": "1"},
    ],
)
def test_lines_of_other_types_do_not_count(tmp_path, changes):
    append(tmp_path, DONE)
    line = json.dumps({**dataclasses.asdict(FAILED), **changes})
    with open(tmp_path / "ledger.jsonl", "a", encoding="utf-8") as file:
        file.write(f"{line}\n{'[' * 100000}\n")
    assert read(tmp_path) == {"a_sr.tif": DONE}
