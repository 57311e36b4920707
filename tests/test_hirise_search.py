import re
import tracemalloc

import archives
import pytest

from marsgan_tf import errors
from pipelines import find_hirise, hirise, hirise_index, hirise_search
from pipelines.find_hirise_config import FindConfig

SPRING = {
    "EMISSION_ANGLE": 4.5,
    "INCIDENCE_ANGLE": 55.25,
    "SOLAR_LONGITUDE": 29.396,
    "MINIMUM_LATITUDE": -3.5,
    "MAXIMUM_LATITUDE": -3.25,
    "MAP_SCALE": 0.25,
}
ROWS = [
    archives.index_row("PSP_001444_2010", **SPRING),
    archives.index_row("PSP_001444_2010", "COLOR", **SPRING),
    archives.index_row("ESP_022619_1495", **SPRING | {"EMISSION_ANGLE": 20}),
    archives.index_row("ESP_012383_1905", **SPRING | {"MAP_SCALE": 0.5}),
    archives.index_row("TRA_000823_1720", **SPRING | {"SOLAR_LONGITUDE": 350}),
    archives.index_row(
        "AEB_000001_0150", **SPRING | {"INCIDENCE_ANGLE": 87.0475}
    ),
]


def find(tmp_path, rows=ROWS, **flags):
    label = archives.write_index(tmp_path, rows)
    output = tmp_path / "found" / "list.txt"
    find_hirise.run(FindConfig(index=str(label), output=str(output), **flags))
    return [identity[:10] for identity in hirise.read_ids(str(output))]


def test_index_is_laid_out_as_the_archives():
    """START_BYTE of RDRINDEX.LBL, as the archive publishes it."""
    starts = list(archives.index_label(1)[1].values())
    assert starts[:10] == [2, 15, 85, 91, 100, 118, 142, 148, 182, 190]


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ({}, ""),
        ({"emission": (0, 19.9)}, "ESP_022619"),
        ({"emission": (4.5, 20)}, ""),
        ({"incidence": (0, 87)}, "AEB_000001"),
        ({"map_scale": (0.25, 0.25)}, "ESP_012383"),
        ({"solar_longitude": (0, 90)}, "TRA_000823"),
        ({"solar_longitude": (340, 30)}, ""),
        ({"latitude": (-3.5, 0)}, ""),
        ({"phases": ("ESP", "AEB", "PSP")}, "TRA_000823"),
    ],
)
def test_each_range_leaves_out_what_is_outside(tmp_path, flags, missing):
    expected = ["PSP_001444", "ESP_022619", "ESP_012383"]
    expected += ["TRA_000823", "AEB_000001"]
    assert find(tmp_path, **flags) == [e for e in expected if e != missing]


def test_ranges_hold_together_and_a_number_ends_the_search(tmp_path):
    found = find(tmp_path, emission=(0, 10), map_scale=(0.2, 0.3), most=2)
    assert found == ["PSP_001444", "TRA_000823"]


@pytest.mark.parametrize(
    "flags", [{"latitude": (-3.4, 0)}, {"solar_longitude": (30, 340)}]
)
def test_nothing_found_is_told_and_writes_no_list(tmp_path, flags):
    with pytest.raises(errors.DatasetError, match="no observation is left"):
        find(tmp_path, **flags)
    assert not list((tmp_path / "found").iterdir())


def test_rows_that_are_damaged_or_no_number_are_left_out(tmp_path, caplog):
    shifted = archives.index_row(
        "ESP_000001_1000", **SPRING | {"RATIONALE_DESC": "x" * 80}
    )
    rows = [
        ROWS[0][:300] + "\r\n",
        archives.index_row("ESP_000002_1000", **SPRING | {"MAP_SCALE": "N/A"}),
        archives.index_row("../../etc/pass", **SPRING),
        shifted,
        "\r\n",
    ]
    assert find(tmp_path, rows, map_scale=(0, 1)) == ["ESP_000001"]
    assert "1 rows are not as the label says" in caplog.text


def test_label_that_describes_no_such_index_is_named(tmp_path):
    label = archives.write_index(tmp_path, ROWS)
    with pytest.raises(errors.DatasetError, match="no column BINNING"):
        hirise_index.read_table(str(label), ["BINNING"])
    (tmp_path / "RDRCUMINDEX.TAB").rename(tmp_path / "rdrcumindex.tab")
    table = hirise_index.read_table(str(label), ["MAP_SCALE"])
    assert table.path.endswith("rdrcumindex.tab")
    (tmp_path / "rdrcumindex.tab").unlink()
    with pytest.raises(errors.DatasetError, match="RDRCUMINDEX.TAB is not bes"):
        hirise_index.read_table(str(label), ["MAP_SCALE"])
    label.write_text("PDS_VERSION_ID = PDS3\nEND\n")
    with pytest.raises(errors.DatasetError, match="describes no index"):
        hirise_index.read_table(str(label), [])


def test_memory_is_that_of_a_row(tmp_path):
    label = archives.write_index(tmp_path, ROWS * 2000)
    config = FindConfig(index=str(label), output="x", emission=(0, 10))
    names = hirise_search.columns(config)
    table = hirise_index.read_table(str(label), names)
    tracemalloc.start()
    found = list(hirise_search.select(hirise_index.rows(table, names), config))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 4
    assert (tmp_path / "RDRCUMINDEX.TAB").stat().st_size > 4_000_000
    assert peak < 200_000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"emission": (10, 0)}, "`emission` must be LOW,HIGH"),
        ({"emission": (10,)}, "`emission`"),
        ({"incidence": (0, 181)}, r"\[0, 180\]"),
        ({"solar_longitude": (0, 361)}, "`solar_longitude`"),
        ({"phases": ("XXX",)}, "AEB, TRA, PSP, ESP"),
        ({"most": -1}, "`most`"),
        ({"index": "a.TAB"}, "`index` must be the index's .LBL"),
        ({"output": ""}, "`output` must be given"),
    ],
)
def test_wrong_settings_are_named(flags, message):
    with pytest.raises(ValueError, match=message):
        FindConfig(**{"index": "a.LBL", "output": "b", **flags})


@pytest.mark.parametrize(
    "old, new",
    [
        ("START_BYTE", "START"),
        ("ROW_BYTES", "ROW"),
        ("START_BYTE = 2", 'START_BYTE = "two"'),
        ("START_BYTE = 2", "START_BYTE = -2"),
    ],
)
def test_damaged_descriptions_are_told(tmp_path, old, new):
    label = archives.write_index(tmp_path, ROWS)
    text = label.read_text()
    changed = re.sub(r"\s+".join(map(re.escape, old.split(" "))), new, text)
    assert changed != text
    label.write_text(changed)
    with pytest.raises(errors.DatasetError, match="damaged"):
        hirise_index.read_table(str(label), ["OBSERVATION_ID"])
