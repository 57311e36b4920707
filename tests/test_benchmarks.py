"""The benchmarks at their smallest."""

import pathlib
import subprocess
import sys

import models
import numpy as np
import pytest
import rasters

from benchmarks import (
    bench_build,
    bench_growth,
    bench_halo,
    bench_predict,
    bench_startup,
    build_scenes,
    contenders,
    growth_figure,
    predict_stages,
)
from benchmarks import prediction_inputs as inputs

ROOT = pathlib.Path(__file__).parent.parent


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def table(text):
    """Cells of the rows that begin with a label or a number."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_halo_of_the_whole_reach_leaves_nothing(capsys, monkeypatch):
    pytest.importorskip("marsgan_tf.inference.openvino_core")
    model = models.exported("plain")
    arguments = ["--side=48", "--tile=24", f"--halos=4,{models.REACH_PX}"]
    monkeypatch.setattr(sys, "argv", ["", f"--models={model}", *arguments])
    bench_halo.main()
    _, short, whole, _, eight, sixteen = table(capsys.readouterr().out)
    assert float(short[1]) > 0.1
    assert float(whole[1]) < 1e-3
    ratio = (2**16 - 1) / (2**8 - 1)
    assert float(sixteen[1]) == pytest.approx(ratio * float(eight[1]), rel=0.05)


def test_predict_times_whole_commands_and_bare_networks():
    pytest.importorskip("marsgan_tf.inference.openvino_core")
    done = call(
        "benchmarks.bench_predict",
        f"--models={models.exported('plain')}",
        *("--side=32", "--small_side=32", "--tile=32", "--repeats=1"),
        *("--engines=openvino", "--precisions=float32", "--no-peaks"),
    )
    assert done.returncode == 0, done.stderr
    _, whole, bare = table(done.stdout)
    assert (whole[0], bare[0]) == ("whole: ours, OpenVINO", "bare: OpenVINO")
    assert (
        0 < float(whole[2].replace(",", "")) < float(bare[2].replace(",", ""))
    )
    assert "PyTorch skipped" in done.stdout


def test_other_answers_are_told():
    def row(precision, rms, largest, command=("marsgan_tf.predict",)):
        program = contenders.Program(precision, precision, True, "npy", command)
        return bench_predict.Row(program, 1.0, None, 1.0, rms, largest)

    rows = [
        row("float32", 0.1, 1.0),
        row("float32", 0.1, 3.0),
        row("bfloat16", 4.0, 900.0),
        row("bfloat16", 60.0, 900.0),
        row("bfloat16", 60.0, 900.0, ("torch_marsgan.py",)),
    ]
    assert bench_predict.disagreeing(rows, 1000.0) == [
        "float32 in float32",
        "bfloat16 in bfloat16",
    ]


def test_difference_is_in_dn(tmp_path):
    first = np.full((8, 8), 200, np.uint16)
    second = first.copy()
    second[3, 3] = 206
    second[0, 0] = 999  # In the rim, which does not count.
    unit = np.full((8, 8), 0.5, np.float32)
    for name, image in (("a", first), ("b", second), ("unit", unit)):
        np.save(tmp_path / f"{name}.npy", image)
    a, b, unit = (str(tmp_path / f"{n}.npy") for n in ("a", "b", "unit"))
    assert inputs.difference(a, b, 1.0) == pytest.approx((1.0, 6.0))
    assert inputs.difference(a, unit, 420.0) == pytest.approx((10.0, 10.0))


def test_builder_is_measured_on_the_same_pixels(tmp_path):
    paths = bench_build.write_scenes(
        str(tmp_path / "scenes"), list(build_scenes.LABELS), 256, 2
    )
    images = []
    for path in (path for scenes in paths.values() for path in scenes):
        with rasters.open_gdal(path) as dataset:
            images.append(dataset.read(1))
    assert len(images) == 6
    for image in images:
        np.testing.assert_array_equal(image, images[0])
    # Of four windows, those at the left touch the margin without data.
    _, pairs = bench_build.build(paths["tif"], 1, "--exclude_ids=")
    assert pairs == 2 * 2


@pytest.mark.slow
def test_build_tells_a_row_a_format(capsys, monkeypatch):
    flags = ["--formats=jp2,tif", "--side=512", "--scenes=1", "--repeats=1"]
    monkeypatch.setattr(sys, "argv", ["", *flags, "--workers=1"])
    bench_build.main()
    _, jp2, tif = table(capsys.readouterr().out)
    assert [jp2[0], tif[0]] == ["JPEG 2000 in one tile", "GeoTIFF in tiles"]
    assert jp2[1] == tif[1] == "1"


def test_startup_tells_what_each_second_is(capsys, monkeypatch):
    pytest.importorskip("marsgan_tf.inference.openvino_core")
    flags = [f"--model={models.exported('plain')}", "--engines=openvino"]
    flags += ["--side=32", "--repeats=1", "--commands=marsgan_tf.predict"]
    monkeypatch.setattr(sys, "argv", ["", *flags])
    bench_startup.main()
    text = capsys.readouterr().out
    (help_of, _), *rows, whole, _ = table(text)[1:]
    assert help_of == "marsgan_tf.predict"
    assert [stage for stage, _ in rows[1:]] == list(predict_stages.STAGES)
    seconds = [float(cell.removesuffix(" s")) for _, cell in rows[1:]]
    total = float(whole[1].removesuffix(" s"))
    assert sum(seconds) == pytest.approx(total, abs=0.01 * len(rows))
    assert "Imports with OpenVINO: " in text


def test_imports_are_summed_by_package():
    lines = [
        "import time: self [us] | cumulative | imported package",
        "import time:       300 |        300 |   numpy.core",
        "another line",
        "import time:      1700 |       2000 | numpy",
        "import time:   5000000 |    5002000 | scipy.ndimage",
        "import time:      -900 |       5000 | scipy",
    ]
    assert bench_startup.import_seconds("\n".join(lines)) == {
        "scipy": 5.0,
        "numpy": 0.002,
    }


def test_stages_within_each_other_count_once(monkeypatch):
    times = iter([0.0, 1.0, 3.0, 7.0, 15.0])
    monkeypatch.setattr(predict_stages.time, "monotonic", lambda: next(times))
    watch = predict_stages.Stopwatch()
    inner = watch.wrap(predict_stages.READ, lambda: None)
    watch.wrap(predict_stages.REST, inner)()
    assert watch.seconds[predict_stages.REST] == 2.0 + 8.0
    assert watch.seconds[predict_stages.READ] == 4.0


def points(*seconds):
    return [
        bench_growth.Point(4.0**index, value, 100.0)
        for index, value in enumerate(seconds)
    ]


def test_growth_is_told_by_a_line():
    line = bench_growth.fit(points(1.5, 3.0, 9.0, 33.0))  # 1 + x / 2.
    assert (line.start, line.slope) == pytest.approx((1.0, 0.5))
    assert line.worst == pytest.approx(0.0, abs=1e-9)
    bent = bench_growth.fit(points(1.0, 4.0, 16.0, 128.0))
    assert bent.worst > 0.3


@pytest.mark.slow
def test_growth_measures_what_it_says(tmp_path):
    bench = bench_growth.Bench(str(tmp_path), repeats=2, model="")
    series = bench.along("a", bench_growth.MPX, (0.0625,), bench.cheap)
    (point,) = series.points
    assert point.x == 0.0625 and point.seconds > 0
    assert 20 < point.peak_mib < 2000
    seconds, peak = bench.build(0.0625)
    assert seconds > 0 and peak > 20
    assert not (tmp_path / "output.tif").exists()


def test_growth_is_drawn_small(tmp_path):
    series = [
        bench_growth.Series("a", axis, tuple(points(1.5, 3.0, 9.0)))
        for axis in (bench_growth.MPX, "tile, px") * 3
    ]
    path = tmp_path / "growth.png"
    growth_figure.draw(series, str(path))
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("name", ["bench_halo", "bench_predict"])
def test_help(name):
    done = call(f"benchmarks.{name}", "--help")
    assert done.returncode == 0, done.stderr
    assert "--models" in done.stdout
