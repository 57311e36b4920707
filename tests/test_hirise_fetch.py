"""Fetching, against a server that fails as servers do."""

import email.utils
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import archives
import numpy as np
import pytest

from marsgan_tf import errors
from marsgan_tf.dataset import manifest
from pipelines import (
    build,
    download,
    find_hirise,
    hirise,
    hirise_fetch,
    jp2,
)
from pipelines.build_config import BuildConfig
from pipelines.fetch_hirise_config import FetchConfig
from pipelines.find_hirise_config import FindConfig

ROOT = pathlib.Path(__file__).parent.parent
FIRST, SECOND, THIRD = "PSP_001444_2010", "ESP_022619_1495", "TRA_000823_1720"
IMAGE = f"{FIRST}_RED.JP2"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for seed, identity in enumerate((FIRST, SECOND)):
        archives.write_product(tmp_path / "archive", identity, seed)
    with archives.served(tmp_path / "archive") as server:
        yield server


class Waits:
    """Does not wait; keeps what it should have waited."""

    def __init__(self):
        self.seconds = []

    def __call__(self, seconds):
        if seconds:
            self.seconds.append(seconds)
        return False


def fetch(server, tmp_path, *identities, **settings):
    """Fetches, and returns how long it would have waited."""
    waits = Waits()
    config = FetchConfig(
        observation_ids=identities or (FIRST,),
        output_dir=str(tmp_path / "got"),
        base_url=settings.pop("base_url", server.url),
        **settings,
    )
    hirise_fetch.run(config, waits)
    return waits.seconds


def fails(server, tmp_path, caplog, *identities, **settings):
    """What is told of a fetch that fails."""
    with pytest.raises(errors.DownloadError):
        fetch(server, tmp_path, *identities, **settings)
    return caplog.text


def source(server, name=IMAGE):
    return next(server.folder.rglob(name))


def got(tmp_path, name=IMAGE):
    return next((tmp_path / "got").rglob(name), None)


def is_right(server, tmp_path, name=IMAGE):
    return got(tmp_path, name).read_bytes() == source(server, name).read_bytes()


def leftovers(tmp_path):
    return [path.name for path in (tmp_path / "got").rglob(".*")]


def test_image_and_label_come_once(server, tmp_path):
    assert fetch(server, tmp_path, FIRST, SECOND.lower(), FIRST) == []
    paths = [
        path.relative_to(tmp_path / "got") for path in server_files(server)
    ]
    assert all((tmp_path / "got" / path).is_file() for path in paths)
    assert is_right(server, tmp_path) and not leftovers(tmp_path)
    assert len(server.requests) == 4
    assert fetch(server, tmp_path, FIRST, SECOND) == []
    assert len(server.requests) == 4
    assert server.agents == {"marsgan-tf (dataset builder)"}


def server_files(server):
    folder = server.folder.parent / "got"
    for path in server.folder.rglob("*_RED.*"):
        yield folder / path.relative_to(server.folder)


def test_what_is_not_there_is_told_and_others_go_on(server, tmp_path, caplog):
    text = fails(server, tmp_path, caplog, THIRD, FIRST, THIRD.lower())
    lines = [line for line in text.splitlines() if "ERROR" in line]
    assert len(lines) == 1 and "404" in lines[0]
    url = hirise.product_url(THIRD, server.url)
    assert url.replace(".JP2", ".LBL") in lines[0]
    assert is_right(server, tmp_path)


def test_server_that_fails_twice_is_asked_again_more_slowly(server, tmp_path):
    server.script[IMAGE] = [(500, {}), (503, {})]
    first, second = fetch(server, tmp_path)
    assert 2 <= first <= 4 and 4 <= second <= 8
    assert is_right(server, tmp_path)


def test_server_that_goes_on_failing_is_left(server, tmp_path, caplog):
    server.script[IMAGE] = [(500, {})] * 9
    text = fails(server, tmp_path, caplog, attempts=3)
    assert f"{IMAGE}: 500 Internal Server Error, 3 times" in text
    assert len(server.sent(IMAGE)) == 3


def test_no_server_is_told(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with archives.served(tmp_path) as server:
        pass
    text = fails(server, tmp_path, caplog, attempts=2)
    assert "Connection refused, 2 times" in text


@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_is_honoured(server, tmp_path, is_date):
    told = "90"
    if is_date:
        told = email.utils.formatdate(time.time() + 300, usegmt=True)
    server.script[IMAGE] = [(429, {"Retry-After": told})]
    (seconds,) = fetch(server, tmp_path)
    low = 200 if is_date else 92
    assert low <= seconds <= 305
    assert is_right(server, tmp_path)


def test_server_that_wants_hours_is_left(server, tmp_path, caplog):
    server.script[IMAGE] = [(503, {"Retry-After": "86400"})]
    assert "left alone for 86400 s" in fails(server, tmp_path, caplog)


def test_cut_connection_goes_on_where_it_was_cut(server, tmp_path):
    size = source(server).stat().st_size
    server.script[IMAGE] = [("cut", 1000), ("cut", 500)]
    fetch(server, tmp_path, attempts=1)
    assert server.sent(IMAGE) == [
        (None, 1000),
        ("bytes=1000-", 500),
        ("bytes=1500-", size - 1500),
    ]
    assert is_right(server, tmp_path)


def test_another_run_goes_on_where_one_was_cut(server, tmp_path, caplog):
    size = source(server).stat().st_size
    server.script[IMAGE] = [("cut", 1000), (500, {}), (500, {})]
    fails(server, tmp_path, caplog, attempts=2)
    assert got(tmp_path) is None
    fetch(server, tmp_path)
    assert server.sent(IMAGE)[-1] == ("bytes=1000-", size - 1000)
    assert is_right(server, tmp_path) and not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("date", "range"),
    [("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", "bytes=1000-")],
)
def test_weak_tag_is_not_relied_on(server, tmp_path, date, range):
    server.weak, server.date = True, date
    server.script[IMAGE] = [("cut", 1000)]
    fetch(server, tmp_path)
    assert [asked for asked, _ in server.sent(IMAGE)] == [None, range]
    assert is_right(server, tmp_path) and not leftovers(tmp_path)


def test_file_that_changed_meanwhile_starts_over(server, tmp_path):
    server.replacement = source(server, f"{SECOND}_RED.JP2").read_bytes()
    server.script[IMAGE] = [("cut", 1000), "replace"]
    fetch(server, tmp_path)
    assert server.sent(IMAGE) == [
        (None, 1000),
        ("bytes=1000-", len(server.replacement)),
    ]
    assert got(tmp_path).read_bytes() == server.replacement


def test_length_that_is_never_reached_is_told(server, tmp_path, caplog):
    size = source(server).stat().st_size
    server.script[IMAGE] = [("length", 5)] + [("cut", 0)] * 9
    text = fails(server, tmp_path, caplog, attempts=2)
    assert "cut off" in text
    # The server has the same file still, shorter than it had promised.
    assert server.sent(IMAGE)[1][0] == f"bytes={size}-"
    assert got(tmp_path) is None


def test_body_that_is_longer_than_promised_is_refused(server, tmp_path, caplog):
    server.script[IMAGE] = [("length", -5)]
    text = fails(server, tmp_path, caplog)
    assert "damaged JPEG 2000" in text
    assert got(tmp_path) is None and not leftovers(tmp_path)


def test_length_that_is_not_told_is_refused(server, tmp_path, caplog):
    server.script[IMAGE] = ["no length"]
    assert "tells no length" in fails(server, tmp_path, caplog)
    assert got(tmp_path) is None


def test_image_larger_than_its_label_tells_is_not_fetched(
    server, tmp_path, caplog
):
    path = source(server)
    path.write_bytes(path.read_bytes() + bytes(2 << 20))
    text = fails(server, tmp_path, caplog)
    allowed = 96 * 80 * 2 + (1 << 20)
    assert f"has {path.stat().st_size} bytes, more than the {allowed}" in text
    assert got(tmp_path) is None


def test_limit_of_the_user_holds(server, tmp_path, caplog):
    text = fails(server, tmp_path, caplog, most_gigabytes=1e-6)
    assert "more than the 1000 that it may" in text


def test_redirect_is_followed_in_parts_too(server, tmp_path):
    server.script[IMAGE] = ["moved", ("cut", 1000), "moved"]
    fetch(server, tmp_path)
    assert [range for range, _ in server.sent(IMAGE)][-1] == "bytes=1000-"
    assert is_right(server, tmp_path)


def test_redirect_to_a_file_is_not_followed(server, tmp_path, caplog):
    server.script[IMAGE] = [(302, {"Location": "file:///etc/hostname"})]
    assert "302" in fails(server, tmp_path, caplog)


def test_page_instead_of_a_file_is_refused(server, tmp_path, caplog):
    source(server, f"{FIRST}_RED.LBL").write_text("<html>Sign in</html>")
    assert "is no PDS label" in fails(server, tmp_path, caplog)
    source(server, f"{SECOND}_RED.JP2").write_text("<html>Sign in</html>")
    text = fails(server, tmp_path, caplog, SECOND)
    assert "no JPEG 2000 image" in text
    assert not got(tmp_path) and not leftovers(tmp_path)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", f"{FIRST}/../x", "ESP_0226١9_1495", ""]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="observation_ids"):
        FetchConfig(observation_ids=(name,), output_dir=str(tmp_path))
    listed = tmp_path / "list.txt"
    listed.write_text(f"{FIRST}\n\n{name or '..'}\n")
    with pytest.raises(errors.DatasetError, match="line 3 is no observation"):
        hirise.read_ids(str(listed))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"base_url": "file:///etc"}, "`base_url`"),
        ({"connections": 9}, "from 1 to 8"),
        ({"attempts": 0}, "`attempts`"),
        ({"timeout_s": 0.0}, "`timeout_s`"),
        ({"output_dir": ""}, "`output_dir`"),
        ({"observation_ids": ()}, "must be given"),
    ],
)
def test_wrong_settings_are_named(flags, message):
    with pytest.raises(ValueError, match=message):
        FetchConfig(**{"observation_ids": (FIRST,), "output_dir": "x", **flags})


def test_boxes_tell_a_whole_image(server, tmp_path):
    data = source(server).read_bytes()
    path = tmp_path / "a.jp2"
    path.write_bytes(data)
    jp2.check(str(path))
    for damaged in (data[:-1], data + b"\n", data[:12], b"", data[:30]):
        path.write_bytes(damaged)
        with pytest.raises(errors.RasterError, match="JPEG 2000"):
            jp2.check(str(path))


def test_interrupted_fetch_goes_on(server, tmp_path):
    server.script[IMAGE] = ["dribble"]
    command = [sys.executable, "-m", "pipelines.fetch_hirise"]
    command += [f"--observation_ids={FIRST}", f"--base_url={server.url}"]
    command += [f"--output_dir={tmp_path / 'got'}"]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert server.dribbling.wait(300)
    while not sum(
        path.stat().st_size for path in (tmp_path / "got").rglob("*.part")
    ):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=300)[1]
    assert process.returncode == 143
    assert text.splitlines()[-1].endswith("the same command continues")
    assert got(tmp_path) is None
    fetch(server, tmp_path)
    (wanted, sent) = server.sent(IMAGE)[-1]
    assert (
        wanted.startswith("bytes=") and 0 < sent < source(server).stat().st_size
    )
    assert is_right(server, tmp_path)


def test_found_fetched_and_built(server, tmp_path):
    """From an index to the same dataset as from the archive's own files."""
    season = {"SOLAR_LONGITUDE": 45.0, "MAP_SCALE": 0.25}
    label = archives.write_index(
        tmp_path / "index",
        [
            archives.index_row(FIRST, **season),
            archives.index_row(SECOND, **season),
            archives.index_row(THIRD, **season | {"SOLAR_LONGITUDE": 180.0}),
        ],
    )
    listed = str(tmp_path / "list.txt")
    find_hirise.run(
        FindConfig(index=str(label), output=listed, solar_longitude=(0.0, 90.0))
    )
    config = FetchConfig(
        observation_list=listed,
        output_dir=str(tmp_path / "got"),
        base_url=server.url,
    )
    hirise_fetch.run(config, Waits())
    for name, root in (("built", "got"), ("expected", "archive")):
        build.run(
            BuildConfig(
                observation_list=listed,
                archive_root=str(tmp_path / root),
                output_dir=str(tmp_path / name),
                hr_size=32,
                workers=1,
                validation_fraction=0.0,
                exclude_ids=(),
            )
        )
    built = manifest.load(str(tmp_path / "built"))
    expected = manifest.load(str(tmp_path / "expected"))
    assert [s.observation_id for s in built.sources] == [SECOND, FIRST]
    assert np.sum([s.kept for s in built.sources]) == 2 * 3 * 2
    hashes = [[s.sha256 for s in m.train] for m in (built, expected)]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    "module, config",
    [("hirise_fetch", FetchConfig), ("hirise_search", FindConfig)],
)
def test_every_setting_is_used(module, config):
    text = (ROOT / "pipelines" / f"{module}.py").read_text()
    for name in config.__dataclass_fields__:
        assert f"config.{name}" in text, name


@pytest.mark.parametrize(
    "place", ["http://[::1", f"http://{'a' * 70}.example/", "http://a..b/"]
)
def test_redirect_to_no_address_is_one_line(server, tmp_path, caplog, place):
    server.script[IMAGE] = [(302, {"Location": place})]
    assert "\n" not in fails(server, tmp_path, caplog).strip()


def test_redirect_to_a_plainer_protocol_is_not_followed():
    request = urllib.request.Request("https://archive.example/a.JP2")
    for place in ("http://archive.example/a.JP2", "file:///etc/hostname"):
        with pytest.raises(errors.DownloadError, match="leads to"):
            download._Redirects().redirect_request(
                request, None, 302, "moved", {}, place
            )


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_what_a_redirect_brings_along_is_not_read(server, tmp_path, code):
    place = f"/PDS/moved/{source(server).relative_to(server.folder)}"
    endless = {"Location": place, "Content-Length": str(10**12)}
    server.script[IMAGE] = [(code, endless)]
    assert fetch(server, tmp_path) == []
    assert got(tmp_path).read_bytes() == source(server).read_bytes()


def test_lengths_are_no_longer_than_numbers(server, tmp_path, caplog):
    server.script[IMAGE] = [(200, {"Content-Length": "9" * 5000})]
    assert "tells no length" in fails(server, tmp_path, caplog)
