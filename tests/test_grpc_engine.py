"""Prediction by a server that speaks TensorFlow Serving's own protocol."""

import json
import os
import signal
import sys
import threading

import models
import numpy as np
import pytest
import rasters
import serving_stand_in
from predictions import image
from tiny_generators import images

from marsgan_tf import errors
from marsgan_tf.config import PredictConfig, endpoint
from marsgan_tf.deployment import description as descriptions
from marsgan_tf.deployment.description import Degradation
from marsgan_tf.inference import engines, predicting
from marsgan_tf.inference.spool import Spool

KINDS = ("plain", "conditioned")
MANY = {"tile": 16, "halo": 16}
TILES = 6 * 6
TOLD = {"blur_sigma": "2.0", "noise_sigma": "0.03"}


@pytest.fixture(scope="module")
def server():
    folders = {kind: models.exported(kind) for kind in KINDS}
    with serving_stand_in.served(**folders) as running:
        yield running


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "a.tif"
    return str(rasters.write_geotiff(path, image(96, 96)))


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """A prediction in this process, without a server."""
    output = tmp_path_factory.mktemp("whole") / "o.tif"
    return predict(
        source, output, engine="saved_model", model=models.exported("plain")
    )


def url(server, path="plain"):
    return f"grpc://127.0.0.1:{server.port}/{path}"


def predict(source, output, **options):
    """The pixels that a prediction makes."""
    settings = {"precision": "float32", **MANY, **options}
    predicting.predict(
        PredictConfig(input=(source,), output=str(output), **settings)
    )
    with rasters.open_gdal(output) as dataset:
        return dataset.read()


def connect(server, path="plain", *, model="", concurrency=0, **options):
    given = None
    if model:
        given = descriptions.load(descriptions.find(models.exported(model)))
    settings = {"precision": "float32", "patience_s": 60.0, "received": []}
    return engines.open_served(
        endpoint.parse(url(server, path)),
        given,
        concurrency=concurrency,
        **{**settings, **options},
    )


def local(kind, told):
    folder = descriptions.find(models.exported(kind))
    return engines.open_engine(
        "saved_model",
        folder,
        descriptions.load(folder),
        precision="float32",
        degradation=told,
        threads=0,
        samples=0,
    )


@pytest.fixture
def at_tile(monkeypatch):
    """Does something when the sixth tile is kept."""
    write = Spool.write

    def arrange(action):
        def watched(spool, index, arrays):
            write(spool, index, arrays)
            if spool.done == 6:
                action()

        monkeypatch.setattr(Spool, "write", watched)
        return lambda: monkeypatch.setattr(Spool, "write", write)

    return arrange


def kept(folder):
    return len((folder / ".o.tif.partial/ledger.txt").read_bytes().splitlines())


# The same answers.


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_in_process(server, kind):
    told = Degradation(blur_sigma=2.0, noise_sigma=0.03)
    mine, served = local(kind, told), connect(server, kind).told(told)
    if kind == "plain":
        served = connect(server, kind)
    lr = images(2, 24, 31)
    expected = mine.restore(lr)
    found = served.restore(lr)
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    atol = 2e-6 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    place = {"row": -8, "col": 5, "seed": 3}
    np.testing.assert_allclose(
        served.sample(lr, **place), mine.sample(lr, **place), rtol=0, atol=atol
    )


def test_another_degradation_leaves_the_first_as_it_was(server):
    first = connect(server, "conditioned")
    lr = images(1, 24, 26)
    before = first.restore(lr)
    other = first.told(Degradation(blur_sigma=2.6, noise_sigma=0.05))
    assert np.abs(other.restore(lr) - before).max() > 1e-2 * before.std()
    np.testing.assert_array_equal(first.restore(lr), before)


def test_several_tiles_are_under_way_and_no_more_than_allowed(
    server, source, whole, tmp_path
):
    server.order(delay_s=0.05)
    try:
        found = predict(
            source, tmp_path / "o.tif", engine=url(server), threads=3
        )
    finally:
        counted = server.order(delay_s=0.0)
    np.testing.assert_array_equal(found, whole)
    assert counted["answered"] == TILES
    assert 1 < counted["most"] <= 3


def test_a_conditioned_model_is_told_what_the_user_says(
    server, source, tmp_path
):
    model = models.exported("conditioned")
    expected = predict(
        source, tmp_path / "a.tif", engine="saved_model", model=model, **TOLD
    )
    served = url(server, "conditioned")
    found = predict(source, tmp_path / "b.tif", engine=served, **TOLD)
    np.testing.assert_array_equal(found, expected)
    mild = predict(
        source,
        tmp_path / "c.tif",
        engine=served,
        blur_sigma="0.5",
        noise_sigma="0",
    )
    assert (mild != expected).mean() > 0.1


# What is recorded.


def told_beside(output):
    with open(f"{output}.json", encoding="utf-8") as file:
        return json.load(file)


def test_the_sidecar_names_server_model_and_version(server, source, tmp_path):
    output = tmp_path / "o.tif"
    predict(source, output, engine=url(server))
    told = told_beside(output)
    assert (told["engine"], told["model"]) == ("grpc", "plain/1")
    assert told["server"] == f"127.0.0.1:{server.port}"
    assert told["weights_sha256"] is None
    model = models.exported("plain")
    predict(source, output, engine=url(server), model=model, overwrite=True)
    description = descriptions.load(descriptions.find(model))
    assert told_beside(output)["weights_sha256"] == description.weights_sha256


def test_precision_is_that_of_the_export_where_nothing_is_said(server):
    lr = images(1, 24, 26)
    names = {
        (model, precision): connect(server, model=model, precision=precision)
        for model in ("", "plain")
        for precision in ("auto", "bfloat16")
    }
    assert names["", "auto"].precision == "as exported"
    assert names["plain", "auto"].precision == "float32"
    assert names["", "bfloat16"].precision == "bfloat16"
    exact = connect(server).restore(lr)
    np.testing.assert_array_equal(names["", "auto"].restore(lr), exact)
    rounded = names["", "bfloat16"].restore(lr)
    assert 0 < np.abs(rounded - exact).max() < 0.05 * exact.std()


# The server goes away.


@pytest.mark.parametrize(
    "away_s", [1.0, pytest.param(10.0, marks=pytest.mark.slow)]
)
def test_a_server_that_comes_back_is_waited_for(
    server, source, whole, tmp_path, at_tile, caplog, away_s
):
    timers = []

    def restart():
        server.order(is_open=False)
        timers.append(
            threading.Timer(away_s, server.order, kwargs={"is_open": True})
        )
        timers[0].start()

    at_tile(restart)
    with caplog.at_level("INFO", logger="absl"):
        found = predict(source, tmp_path / "o.tif", engine=url(server))
    timers[0].join()
    np.testing.assert_array_equal(found, whole)
    away = [m for m in caplog.messages if "asking again, for 120 s" in m]
    back = [m for m in caplog.messages if m.endswith("answers again")]
    assert len(away) == len(back) >= 1


def test_a_server_that_stays_away_ends_the_run_which_goes_on_later(
    server, source, whole, tmp_path, at_tile
):
    undo = at_tile(lambda: server.order(is_open=False))
    settings = {"engine": url(server), "patience_s": 1.0}
    try:
        with pytest.raises(errors.PredictionError) as caught:
            predict(source, tmp_path / "o.tif", **settings)
    finally:
        undo()
        server.order(is_open=True)
    message = str(caught.value)
    assert "\n" not in message and "the tile of rows" in message
    assert f"{url(server)}: UNAVAILABLE" in message
    assert message.endswith("run the same command with --resume")
    assert not (tmp_path / "o.tif").exists()
    before = kept(tmp_path)
    assert 6 <= before < TILES
    server.order()
    found = predict(source, tmp_path / "o.tif", resume=True, **settings)
    np.testing.assert_array_equal(found, whole)
    assert server.order()["answered"] == TILES - before


def test_a_signal_ends_the_waiting_at_once(server, source, tmp_path, at_tile):
    timers = []

    def stop():
        server.order(is_open=False)
        kill = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
        timers.append(kill)
        kill.start()

    at_tile(stop)
    try:
        with pytest.raises(errors.Interrupted) as caught:
            predict(
                source,
                tmp_path / "o.tif",
                engine=url(server),
                patience_s=60.0,
            )
    finally:
        timers[0].join()
        server.order(is_open=True)
    assert caught.value.signal_number == signal.SIGTERM
    assert str(caught.value) == (
        f"{source}: stopped, {kept(tmp_path)} of {TILES} tiles are kept in "
        f"{tmp_path}/.o.tif.partial; the same command with --resume goes on"
    )


# What is wrong is told at once, in one line.


@pytest.mark.parametrize(
    "path, options, words",
    [
        ("mars", {}, "no such model .*NOT_FOUND.*name and the version"),
        ("plain/7", {}, "no such model .*NOT_FOUND"),
        ("plain", {"model": "conditioned"}, "its name is plain, that of --mod"),
    ],
)
def test_another_model_is_told(server, path, options, words):
    with pytest.raises(errors.ModelError, match=words) as caught:
        connect(server, path, **options)
    assert str(caught.value).startswith(f"{url(server, path)}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no.such.host.invalid:80"])
def test_a_wrong_address_is_told(address):
    text = f"grpc://{address}/plain"
    with pytest.raises(errors.SettingsError, match="UNAVAILABLE") as caught:
        engines.open_served(
            endpoint.parse(text),
            None,
            precision="auto",
            concurrency=0,
            patience_s=3600.0,
            received=[],
        )
    assert str(caught.value).startswith(f"{text}: no TensorFlow Serving")
    assert "\n" not in str(caught.value)


def test_a_tile_beyond_the_servers_limit_is_not_sent_again(server):
    served = connect(server, patience_s=20.0)
    server.order()
    side = int(np.sqrt(serving_stand_in.LARGEST_REQUEST / 4)) + 1
    with pytest.raises(errors.OutOfMemoryError, match="larger.*smaller --tile"):
        served.restore(images(1, side, side))
    # And one whose answer no message can hold, which is never made.
    vast = np.broadcast_to(np.float32(0), (1, 6000, 6000, 1))
    with pytest.raises(errors.OutOfMemoryError, match="2 GiB.*smaller --tile"):
        served.restore(vast)
    assert server.order()["answered"] == 0


def test_what_the_server_refuses_is_not_sent_again(server):
    served = connect(server, patience_s=20.0)
    server.order()
    served._signature = "none"
    with pytest.raises(errors.PredictionError, match="INVALID_ARGUMENT") as e:
        served.restore(images(1, 8, 8))
    assert "\n" not in str(e.value)
    assert server.order()["answered"] == 1


@pytest.mark.parametrize("package", ["grpc", "tensorflow_serving.apis"])
def test_missing_packages_are_told(monkeypatch, package):
    module = "marsgan_tf.inference.grpc_engine"
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delitem(
        sys.modules, "marsgan_tf.inference.grpc_patience", raising=False
    )
    monkeypatch.delattr(module, raising=False)
    with pytest.raises(errors.SettingsError, match="requirements-serving.txt"):
        engines.open_served(endpoint.parse("grpc://a:1/b"), None)
