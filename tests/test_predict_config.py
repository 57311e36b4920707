import dataclasses
import pathlib
import re

import pytest

from marsgan_tf.config import PredictConfig, endpoint

ROOT = pathlib.Path(__file__).parent.parent
LEAST = {"input": ("a.tif",), "output": "b.tif"}
NAN, INFINITY = float("nan"), float("inf")


def config(**options):
    return PredictConfig(**{**LEAST, **options})


def test_every_flag_is_read():
    source = (ROOT / "marsgan_tf/inference/predicting.py").read_text()
    for field in dataclasses.fields(PredictConfig):
        pattern = rf"config\.{field.name}\b"
        assert re.search(pattern, source), f"{field.name} is read nowhere"


def test_defaults_ask_for_nothing_special():
    found = config()
    assert (found.engine, found.precision, found.threads) == ("auto", "auto", 0)
    assert (found.model, found.patience_s) == ("", 120.0)
    assert (found.color, found.stretch) == ("auto", "auto")
    assert (found.bands, found.nodata) == ((), ())
    assert (found.samples, found.consistency) == (0, "none")
    assert (found.format, found.overviews) == ("GTiff", False)
    assert not (found.overwrite or found.resume)


@pytest.mark.parametrize(
    "options",
    [
        {"input": (), "input_list": "list.txt"},
        {"output": "", "output_dir": "out"},
        {"tile": 16, "halo": 4, "threads": 2, "pan_band": 1},
        {"samples": 2, "uncertainty_output": "c.tif"},
        {"samples": 4096, "seed": 2**31 - 4097},
        {"residual_output": "c.tif"},
        {"stretch": "-1e-3,0.5"},
        {"stretch": "none"},
        {"bands": (3, 1, 2)},
        {"nodata": (NAN,)},
        {"nodata": (-9999.0,)},
        {"blur_sigma": "0", "noise_sigma": "0.01"},
        {"engine": "grpc://[::1]:8500/mars/3", "patience_s": 0.5},
    ],
)
def test_extremes_are_allowed(options):
    found = config(**options)
    for name, value in options.items():
        assert getattr(found, name) is value


@pytest.mark.parametrize(
    "text, expected",
    [
        ("grpc://gpu1:8500/mars", ("gpu1:8500", "mars", None)),
        ("grpc://gpu1:8500/mars/", ("gpu1:8500", "mars", None)),
        ("grpc://[::1]:1/mars-psnr/12", ("[::1]:1", "mars-psnr", 12)),
    ],
)
def test_endpoints_are_read(text, expected):
    found = endpoint.parse(text)
    assert dataclasses.astuple(found) == expected
    assert str(found) == text.rstrip("/")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"input": ()}, "`input` must be given, or input_list"),
        ({"output": ""}, "`output` must be given, or output_dir"),
        ({"output_dir": "out"}, r"`output`.*not both \(output_dir=out\)"),
        ({"engine": "onnx"}, "`engine` must be one of auto, openvino, saved"),
        ({"engine": "grpc://host/mars"}, r"`engine`.*grpc://HOST:PORT/MODEL"),
        ({"engine": "grpc://h:85"}, r"`engine` must be one of"),
        ({"engine": "grpc://h:85/a/0"}, r"`engine` must be one of"),
        ({"engine": "http://h:85/a"}, r"`engine` must be one of"),
        (
            {"engine": "grpc://h:85/a", "interpolate": 0.5},
            "`interpolate` must be 1 with a server",
        ),
        ({"patience_s": 0.0}, "`patience_s` must be above 0"),
        ({"patience_s": INFINITY}, "`patience_s` must be above 0, and finite"),
        ({"patience_s": NAN}, "`patience_s` must be above 0, and finite"),
        ({"precision": "float16"}, "`precision` must be one of auto, float32"),
        ({"color": "rgb"}, "`color` must be one of auto, hsv, bands, pan"),
        ({"consistency": "yes"}, "`consistency` must be one of none, project"),
        ({"format": "PNG"}, "`format` must be one of GTiff, COG"),
        ({"threads": -1}, "`threads` must be at least 0"),
        ({"pan_band": 0}, "`pan_band` must be at least 1"),
        ({"tile": 15}, "`tile` must be 0 or at least 16.*tile=15"),
        ({"halo": 3}, "`halo` must be at least 4.*halo=3"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"seed": 2**31 - 4096}, r"`seed` must be below 2\*\*31"),
        ({"samples": -1}, "`samples` must be 0, or from 2"),
        ({"samples": 1}, "`samples` must be 0, or from 2"),
        ({"samples": 4097}, "`samples`.*to 4096.*samples=4097"),
        ({"bands": (0, 1)}, "`bands` must be different numbers from 1 on"),
        ({"bands": (2, 2)}, "`bands` must be different"),
        ({"nodata": (0.0, 255.0)}, "`nodata` must be one value"),
        ({"stretch": "minmax"}, "`stretch` must be auto, none or LO,HI"),
        ({"stretch": "5"}, "`stretch`.*stretch=5"),
        ({"stretch": "1,2,3"}, "`stretch`"),
        ({"stretch": "5,5"}, "`stretch`.*LO below HI"),
        ({"stretch": "6,5"}, "`stretch`"),
        ({"stretch": "0,inf"}, "`stretch`"),
        ({"stretch": "nan,1"}, "`stretch`"),
        ({"stretch": ""}, "`stretch`"),
        ({"blur_sigma": "nan"}, "`blur_sigma` must be auto, or"),
        ({"blur_sigma": "soft"}, "`blur_sigma` must be auto, or"),
        ({"noise_sigma": "-1"}, "`noise_sigma` must be auto, or"),
        (
            {"uncertainty_output": "c.tif"},
            "`uncertainty_output` must be empty, or samples at least 2",
        ),
        (
            {
                "output": "",
                "output_dir": "out",
                "samples": 2,
                "uncertainty_output": "c.tif",
            },
            "`uncertainty_output` must be empty with output_dir",
        ),
        (
            {"output": "", "output_dir": "out", "residual_output": "c.tif"},
            "`residual_output` must be empty with output_dir",
        ),
    ],
)
def test_wrong_values_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        config(**options)
