"""Memory does not grow with the image, nor does the output end at 4 GiB."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio.windows
import rasters
from predictions import ROOT, enlarged

BLOCK = 512


def block(row, col):
    """A square of texture, unlike its neighbours: uint8."""
    slope = np.add.outer(np.arange(BLOCK), 3 * np.arange(BLOCK)) // 16
    noise = np.random.default_rng(0).integers(0, 8, (BLOCK, BLOCK))
    return (slope + noise + row // 64 + col // 32).astype(np.uint8)


def write_blocks(path, side):
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "uint8",
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "crs": rasters.MARS_WKT,
        "transform": rasters.MARS_TRANSFORM,
    }
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side, BLOCK):
            for col in range(0, side, BLOCK):
                window = rasterio.windows.Window(col, row, BLOCK, BLOCK)
                dataset.write(block(row, col), 1, window=window)
    return path


def peak_of(source, output):
    """Largest memory of a prediction, MiB."""
    command = [sys.executable, "-m", "benchmarks.cheap_prediction"]
    done = subprocess.run(
        [*command, f"--input={source}", f"--output={output}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["peak_mib"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts memory")
def test_memory_does_not_grow_with_the_image(tmp_path):
    try:
        small = write_blocks(tmp_path / "small.tif", 4096)
        expected = peak_of(small, tmp_path / "o.tif")
        source = write_blocks(tmp_path / "large.tif", 16384)
        output = tmp_path / "large_sr.tif"
        found = peak_of(source, output)
        sys.stdout.write(f"{expected:.0f} and {found:.0f} MiB\n")
        assert found < 1.1 * expected
        # A BigTIFF, whose pixels pass 4 GiB.
        assert output.read_bytes()[:4] == b"II\x2b\0"
        with rasters.open_gdal(output) as dataset:
            assert dataset.shape == (65536, 65536)
            for row in (0, 32000, 65536 - 4 * BLOCK):
                col = 65536 - 4 * BLOCK
                window = rasterio.windows.Window(col, row, 64, 64)
                expected = block(row // 4 // BLOCK * BLOCK, col // 4)
                expected = np.roll(expected, -(row // 4 % BLOCK), axis=0)
                np.testing.assert_array_equal(
                    dataset.read(1, window=window), enlarged(expected[:16, :16])
                )
        told = json.loads((tmp_path / "large_sr.tif.json").read_text())
        assert len(told["tiles"]) == 64 * 64
    finally:
        shutil.rmtree(tmp_path)  # Gigabytes, which pytest would keep.
