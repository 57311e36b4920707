"""Damaged images: what is read of one, and what prediction makes of it."""

import functools

import archives
import fuzz_models
import fuzz_mutations
import numpy as np
import rasters
import stand_ins

from marsgan_tf.imaging import raster
from marsgan_tf.inference.settings import Targets
from marsgan_tf.inference.super_resolve import super_resolve
from pipelines import hirise, jp2

_MOST_PX = 1 << 18
_PNG = ("grey.png", "rgb.png")


def _pixels(bands, dtype):
    random = np.random.default_rng(bands)
    shape = (60, 70, bands)
    return random.integers(1, 200, shape).astype(dtype)


def preparation(kinds):
    """Writes a file of each kind: `[(name, bytes, pixels)]`."""

    def prepare(folder):
        made = []
        for name, (write, pixels) in kinds.items():
            write(folder / name, pixels)
            with raster.open_raster(str(folder / name)) as reader:
                whole = reader.read()
            made.append((name, (folder / name).read_bytes(), whole))
        return made

    return prepare


def _geotiff(**options):
    return functools.partial(rasters.write_geotiff, **options)


def _gdal(driver, **options):
    return lambda path, pixels: rasters.write_gdal(
        path, pixels, driver, **options
    )


GEOTIFFS = {
    "plain.tif": (_geotiff(), _pixels(1, "uint8")),
    "deflate.tif": (
        _geotiff(compress="deflate", predictor=2),
        _pixels(3, "uint16"),
    ),
    "tiles.tif": (
        _geotiff(
            compress="lzw", tiled=True, blockxsize=16, blockysize=32, nodata=7
        ),
        _pixels(2, "int16"),
    ),
    "big.tif": (
        _geotiff(compress="deflate", predictor=3, BIGTIFF="YES"),
        _pixels(1, "float32"),
    ),
}
JP2 = {
    "tiles.jp2": (
        lambda path, pixels: rasters.write_jp2(path, pixels, 32),
        _pixels(1, "uint16"),
    ),
    "one.jp2": (
        lambda path, pixels: rasters.write_jp2(path, pixels, 1024),
        _pixels(3, "uint8"),
    ),
}
PNGS = {
    "grey.png": (_gdal("PNG"), _pixels(1, "uint16")),
    "rgb.png": (_gdal("PNG"), _pixels(3, "uint8")),
}
JPEGS = {"grey.jpg": (_gdal("JPEG", QUALITY=90), _pixels(1, "uint8"))}
RAW = {
    "image.img": (rasters.write_pds3, _pixels(1, "int16")),
    "cube.cub": (rasters.write_isis3, _pixels(2, "float32")),
}


def read(state, work, random):
    name, data, pixels = state[random.integers(len(state))]
    is_cut = random.integers(6) == 0
    if is_cut:
        data = fuzz_mutations.cut(data, random)
    elif name in _PNG and random.integers(2):
        data = fuzz_mutations.swap_png_chunks(data, random)
        name = f"new_{name}"
    elif name == "image.img" and random.integers(2):
        data = fuzz_mutations.damage_text(data, random)
    else:
        other = state[random.integers(len(state))][1]
        data = fuzz_mutations.damage(data, random, other)
    path = work / name
    path.write_bytes(data)
    found = _read_twice(str(path), random)
    # The first bytes of a file hold no other image, and PNG checks its own.
    if (is_cut or name in _PNG) and found is not None:
        np.testing.assert_array_equal(found, pixels)


def _read_twice(path, random):
    """The whole image, if it is small; any window reads the same again."""
    with raster.open_raster(path) as reader:
        height, width = reader.height, reader.width
        is_small = height * width * reader.band_count <= _MOST_PX
        if reader.decodes_whole and not is_small:
            return None
        place = (0, 0, height, width)
        if not is_small:
            high, wide = min(height, 64), min(width, 64)
            row = int(random.integers(height - high + 1))
            col = int(random.integers(width - wide + 1))
            place = (row, col, high, wide)
        bands = None if reader.band_count < 9 else (1, reader.band_count)
        first = reader.read(*place, bands=bands)
        valid = reader.read_valid(*place, bands=bands)
        reader.footprint()
    with raster.open_raster(path) as reader:
        row, col, height, width = place
        side = int(random.integers(20, 80))
        for top in range(0, height, side):
            high = min(side, height - top)
            for left in range(0, width, side):
                wide = min(side, width - left)
                part = (row + top, col + left, high, wide)
                inside = np.s_[top : top + high, left : left + wide]
                again = reader.read(*part, bands=bands)
                assert again.tobytes() == first[inside].tobytes()
                again = reader.read_valid(*part, bands=bands)
                assert (again == valid[inside]).all()
    return first if is_small and bands is None else None


def predict(state, work, random):
    """A damaged GeoTIFF from file to file: the result is whole, or none."""
    _, data, _ = state[random.integers(len(state))]
    source, target = work / "in.tif", work / "out.tif"
    source.write_bytes(fuzz_mutations.damage(data, random))
    with raster.open_raster(str(source)) as reader:
        size = reader.height, reader.width
        if reader.height * reader.width * reader.band_count > 1 << 14:
            return
    targets, model = Targets(str(target)), fuzz_models.stand_in()
    try:
        super_resolve(str(source), targets, model, stand_ins.OPTIONS, [])
    except Exception:
        assert not target.exists()
        raise
    with raster.open_raster(str(target)) as reader:
        assert (reader.height, reader.width) == (4 * size[0], 4 * size[1])
        reader.read()


def prepare_label(folder):
    body = folder / "ESP_012345_1800_RED.JP2"
    rasters.write_jp2(body, _pixels(1, "uint16"), 32)
    label = body.with_suffix(".LBL")
    rasters.write_hirise_label(label, body, height=60, width=70)
    image = archives.write_product(folder, "ESP_012345_1800", 0, (60, 70))
    texts = [label.read_bytes(), image.with_suffix(".LBL").read_bytes()]
    return texts, body.read_bytes()


def read_label(state, work, random):
    texts, body = state
    label = work / "ESP_012345_1800_RED.LBL"
    text = texts[random.integers(len(texts))]
    label.write_bytes(fuzz_mutations.damage_text(text, random))
    label.with_suffix(".JP2").write_bytes(body)
    found = hirise.read_label(str(label))
    for value in (found.scaling_factor, found.offset):
        assert value is None or np.isfinite(value)
    with raster.open_raster(str(label)) as reader:
        assert all(file.startswith(str(work)) for file in reader.files)
        reader.read(0, 0, 1, 1)


def check_jp2(state, work, random):
    _, data, _ = state[random.integers(len(state))]
    path = work / "a.jp2"
    changed = fuzz_mutations.damage(data, random)
    path.write_bytes(changed)
    jp2.check(str(path))
