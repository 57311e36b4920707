import logging
import re

from marsgan_tf.assessment import watching


def test_short_stages_say_nothing(caplog):
    caplog.set_level(logging.INFO, logger="absl")
    items = [*range(5)]
    assert [*watching.watched(items, "x", unit="strips")] == items
    assert caplog.text == ""


def test_long_stages_tell_how_far_they_are(caplog, monkeypatch):
    """A second each: silent for three, then a line each half minute."""
    caplog.set_level(logging.INFO, logger="absl")
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    items = [*range(200)]
    assert [*watching.watched(items, "x", unit="strips")] == items
    lines = [record.getMessage() for record in caplog.records]
    done = [
        int(re.fullmatch(r"x: (\d+)/200 strips, .* ETA \S+ *", line)[1])
        for line in lines
    ]
    assert len(done) > 3 and done == sorted(done) and done[-1] == 200


def test_a_stage_that_is_left_leaves_no_last_line(caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="absl")
    monkeypatch.setattr(watching, "_SILENT_SECONDS", -1.0)
    for item in watching.watched([1, 2, 3], "x", unit="strips"):
        if item == 2:
            break
    assert caplog.text == ""
