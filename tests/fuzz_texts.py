"""Damaged texts: tables, ledgers, sidecars and flagfiles."""

import archives
import fuzz_mutations
import numpy as np
import stand_ins

from marsgan_tf import errors
from marsgan_tf.assessment import comparison, regions
from marsgan_tf.config import PredictConfig
from pipelines import archive_ledger, hirise, hirise_search
from pipelines.find_hirise_config import FindConfig

_FLAGS = b"""--input=a.tif
--output=b.tif
--model=saved_models/a
--tile=64
--halo=8
--nodata=0.5
--stretch=0,1
--blur_sigma=1.5
--samples=2
--engine=auto
# a comment
--nooverwrite
"""


def damaged(text, random):
    """A JSON text, changed as a tree or as a text, as bytes."""
    if random.integers(3):
        return fuzz_mutations.damage_json(text, random).encode()
    return fuzz_mutations.damage_text(text.encode(), random)


def prepare_ledger(folder):
    entries = [
        archive_ledger.Entry(
            input=f"/a/{name}.tif",
            output=f"{name}_sr.tif",
            status=archive_ledger.DONE,
            error="",
            seconds=1.5,
            model="m/1",
            settings={"tile": 64},
        )
        for name in "abc"
    ]
    return [entry.to_line() for entry in entries]


def read_ledger(state, work, random):
    lines = list(state)
    number = random.integers(len(lines))
    lines[number] = damaged(lines[number].decode(), random) + b"\n"
    (work / archive_ledger.FILE_NAME).write_bytes(b"".join(lines))
    with archive_ledger.opened(str(work)) as ledger:
        for name, entry in ledger.entries.items():
            assert isinstance(name, str) and isinstance(entry.input, str)
            assert isinstance(entry.settings, dict)
            assert name == name.rpartition("/")[2]


def prepare_csv(folder):
    return b"name,row,col,height,width\nA,1,2,30,40\nB,5,60,20,10\n"


def read_csv(state, work, random):
    path = work / "crops.csv"
    path.write_bytes(fuzz_mutations.damage_text(state, random))
    for region in regions.read_regions(str(path), (100, 100)):
        region.crop(np.zeros((100, 100)))


def read_sidecar(state, work, random):
    text = '{"degradation": {"blur_sigma": 1.2, "noise_sigma": [0.01]}}'
    path = work / "a.tif"
    (work / "a.tif.json").write_bytes(damaged(text, random))
    reader = stand_ins.MemoryReader(
        np.zeros((1, 1, 1)), np.ones((1, 1, 1), bool), path=str(path)
    )
    image = type("Image", (), {"reader": reader})
    found = comparison.blur_sigma(image, -1.0)
    assert 0 <= found < 1000


def prepare_index(folder):
    values = {"EMISSION_ANGLE": 4.5, "MAP_SCALE": 0.25}
    row = archives.index_row("PSP_001444_2010", **values)
    label = archives.write_index(folder, [row, row])
    table = next(p for p in folder.iterdir() if p.suffix.upper() == ".TAB")
    return label.name, label.read_bytes(), table.name, table.read_bytes()


def read_index(state, work, random):
    label_name, label, table_name, table = state
    if random.integers(2):
        label = fuzz_mutations.damage_text(label, random)
    else:
        table = fuzz_mutations.damage_text(table, random)
    (work / label_name).write_bytes(label)
    (work / table_name).write_bytes(table)
    output = work / "list.txt"
    config = FindConfig(
        index=str(work / label_name), output=str(output), emission=(0, 10)
    )
    try:
        hirise_search.run(config)
    except errors.MarsganError:
        assert not output.exists()
        raise
    assert all(map(hirise.is_observation_id, output.read_text().split()))


def prepare_flags(folder):
    from marsgan_tf import config_flags

    config_flags.app.define_help_flags()
    return config_flags.define(PredictConfig)


def read_flags(state, work, random):
    from absl import flags

    path = work / "a.flags"
    path.write_bytes(fuzz_mutations.damage_text(_FLAGS, random))
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    try:
        flags.FLAGS(["predict", f"--flagfile={path}"])
        state()
    except (flags.Error, ValueError, TypeError) as error:
        # `config_flags` tells these with exit status 2.
        raise errors.SettingsError(" ".join(str(error).split())) from None
