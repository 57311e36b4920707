"""Files that are damaged, and images that are unusual."""

import numpy as np
import rasterio
import rasters
from fault_commands import INPUT
from fault_trials import Trial

_EARTH = "EPSG:32633"


# Files that are not what they were.


def cut(path):
    """Half of it."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    """Nothing of it."""
    path.write_bytes(b"")


def flip(place):
    """One bit, at a share of its length."""

    def change(path):
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 0x10
        path.write_bytes(content)

    change.__name__ = f"at {place}"
    return change


def put_folder(path):
    """A folder of its name."""
    path.unlink()
    path.mkdir()


def put_text(path):
    """What is no image, weights or list."""
    path.write_text("Dear diary,\n" * 99)


def hide(path):
    """All of it, for nobody."""
    path.chmod(0)


def of_files(*damages, prepare=None):
    """Every file that is read, damaged in each way."""

    def trials(command):
        for name in (*command.images, *command.files):
            for damage in damages:
                yield Trial(
                    f"{name}, {damage.__name__}",
                    damage=_damage_input(name, damage),
                    prepare=prepare,
                )

    return trials


def _damage_input(name, damage):
    return lambda folder: damage(folder / INPUT / name)


# Images that are unusual.


def _rewrite(change):
    """Another image in the place of one; `change` gives pixels and options."""

    def damage(path):
        with rasterio.open(path) as dataset:
            pixels = np.moveaxis(dataset.read(), 0, -1)
            options = {
                "crs": dataset.crs,
                "transform": dataset.transform,
                "nodata": dataset.nodata,
            }
        pixels, changed = change(pixels)
        rasters.write_geotiff(path, pixels, **{**options, **changed})

    return damage


def _spoil(value):
    def change(pixels):
        pixels = pixels.astype("float32")
        pixels[5:9, 7:30] = value
        return pixels, {}

    return change


CHANGES = {
    "complex pixels": lambda pixels: (pixels.astype("complex64"), {}),
    "64-bit pixels": lambda pixels: (pixels.astype("int64"), {}),
    "seven bands": lambda pixels: (np.repeat(pixels, 7, axis=2), {}),
    "another body's CRS": lambda pixels: (pixels, {"crs": _EARTH}),
    "no CRS": lambda pixels: (pixels, {"crs": None}),
    "NaN": _spoil(np.nan),
    "infinity": _spoil(np.inf),
    "no data at all": lambda pixels: (pixels * 0, {"nodata": 0}),
    "one value": lambda pixels: (pixels * 0 + 77, {}),
    "1 x 1 px": lambda pixels: (pixels[:1, :1], {}),
    "1 x 5,000 px": lambda pixels: (
        np.resize(pixels, (1, 5000, pixels.shape[2])),
        {},
    ),
}


def of_images(change):
    """Every image that is read, changed."""

    def trials(command):
        for name in command.images:
            yield Trial(name, damage=_damage_input(name, _rewrite(change)))

    return trials
