import numpy as np
import pytest

from marsgan_tf import errors
from pipelines import hirise

# As a HiRISE RDR label has it, cut down.
LABEL = """PDS_VERSION_ID = PDS3
/* Identification */
OBSERVATION_ID = "ESP_068294_1985"
OBJECT = COMPRESSED_FILE
  REQUIRED_STORAGE_BYTES = 68624340 <BYTES>
END_OBJECT = COMPRESSED_FILE
OBJECT = UNCOMPRESSED_FILE
  FILE_NAME = "ESP_068294_1985_RED.IMG"
  OBJECT = IMAGE
    SAMPLE_TYPE = MSB_UNSIGNED_INTEGER
    SAMPLE_BIT_MASK = 2#0000001111111111#
    SCALING_FACTOR = 8.25e-05
    OFFSET = 0.03125
    CORE_NULL = 0
    CORE_LOW_REPR_SATURATION = 1
    CORE_LOW_INSTR_SATURATION = 2
    CORE_HIGH_REPR_SATURATION = 1023
    CORE_HIGH_INSTR_SATURATION = 1022
  END_OBJECT = IMAGE
END_OBJECT = UNCOMPRESSED_FILE
END
"""


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("a/ESP_068294_1985_RED.JP2", "ESP_068294_1985"),
        ("psp_002081_1055_red.lbl", "PSP_002081_1055"),
        ("ESP_014277_1650_RED_r17408_c9216.jpg", "ESP_014277_1650"),
        ("PSP_002081_1055/terrain_3.tif", "terrain_3"),
    ],
)
def test_observation_id_is_read_from_the_name(path, identity):
    assert hirise.observation_id(path) == identity


def test_product_lies_where_the_archive_has_it():
    path = hirise.product_path("ESP_068294_1985", "/pds")
    assert path == (
        "/pds/RDR/ESP/ORB_068200_068299/ESP_068294_1985/ESP_068294_1985_RED.JP2"
    )
    path = hirise.product_path("PSP_002081_1055", "/pds")
    assert "/RDR/PSP/ORB_002000_002099/PSP_002081_1055/" in path


@pytest.mark.parametrize(
    ("identity", "folder"),
    [
        ("PSP_001444_2010", "PSP/ORB_001400_001499"),
        ("ESP_085077_2365", "ESP/ORB_085000_085099"),
        ("esp_020395_1260", "ESP/ORB_020300_020399"),
        ("AEB_000001_0150", "AEB/ORB_000000_000099"),
        ("TRA_000823_1720", "TRA/ORB_000800_000899"),
    ],
)
def test_product_has_its_address(identity, folder):
    name = identity.upper()
    for base in ("https://host/PDS", "https://host/PDS/"):
        assert hirise.product_url(identity, base) == (
            f"https://host/PDS/RDR/{folder}/{name}/{name}_RED.JP2"
        )


def test_label_beside_the_image_is_found_and_read(tmp_path):
    (tmp_path / "ESP_068294_1985_RED.LBL").write_text(LABEL)
    image = tmp_path / "ESP_068294_1985_RED.jp2"
    path = hirise.find_label(str(image))
    assert path == str(tmp_path / "ESP_068294_1985_RED.LBL")
    label = hirise.read_label(path)
    assert label.scaling_factor == 8.25e-05
    assert label.offset == 0.03125
    assert label.storage_bytes == 68624340
    assert sorted(label.special_dns) == [0, 1, 2, 1022, 1023]
    assert hirise.find_label(str(tmp_path / "other.jp2")) is None


@pytest.mark.parametrize(
    "content", [b"\x00\xffJP2", b"OBJECT = IMAGE\n A = 1\n", b"OBJECT = "]
)
def test_unreadable_label_is_named(tmp_path, content):
    path = tmp_path / "a.lbl"
    path.write_bytes(content)
    with pytest.raises(errors.RasterError, match="a.lbl: is no PDS label"):
        hirise.read_label(str(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("A = 1\n" * 22000, "more than 131072 bytes"),
        (f"A = {'a' * 4097}\nEND\n", "a word of more than 4096 bytes"),
    ],
)
def test_label_that_takes_minutes_to_parse_is_refused(
    tmp_path, content, reason
):
    path = tmp_path / "a.lbl"
    path.write_text(content)
    with pytest.raises(errors.RasterError, match=reason):
        hirise.read_label(str(path))


@pytest.mark.parametrize(
    ("name", "dtype", "specials", "expected"),
    [
        ("ESP_068294_1985_RED.JP2", "uint16", (), (0, 1, 2, 1022, 1023)),
        ("ESP_068294_1985_RED.JP2", "uint16", (0, 1023), (0, 1023)),
        ("ESP_068294_1985_RED.browse.jpg", "uint8", (), ()),
        ("ESP_068294_1985_RED_if.tif", "float32", (), ()),
        ("terrain.tif", "uint16", (), ()),
    ],
)
def test_special_dns(name, dtype, specials, expected):
    label = hirise.Label(special_dns=specials)
    assert hirise.special_dns(name, np.dtype(dtype), label) == expected


def test_test_sites_of_the_paper():
    """Eight rows of Table 1, and two images of Jezero."""
    assert len(set(hirise.PAPER_VALIDATION_IDS)) == 10
    assert all(map(hirise.is_observation_id, hirise.PAPER_VALIDATION_IDS))


def test_a_label_that_pvl_reads_for_ever_is_refused(tmp_path):
    path = tmp_path / "a.LBL"
    path.write_text(
        "OBJECT = A\n  F = 1\nEND_OBJECT = A\n"
        "OBJECT = B =C\n  F = 1\n  OBJECT = I\n    L = 1\n  END_OBJECT = I\n"
        "END_OBJECT = D\nEND\n"
    )
    with pytest.raises(errors.RasterError, match="does not end"):
        hirise.read_label(str(path))


def test_a_file_of_another_kind_is_not_read_as_a_label(tmp_path):
    path = tmp_path / "a.LBL"
    path.write_bytes(b"A = 1\n" * 200_000)
    with pytest.raises(errors.RasterError, match="no PDS label"):
        hirise.read_label(str(path))


@pytest.mark.parametrize("value", ["1e999", "-1e999", '"x"', "9" * 400])
def test_numbers_that_are_none_are_not_told(tmp_path, value):
    path = tmp_path / "a.LBL"
    path.write_text(f"SCALING_FACTOR = {value}\nOFFSET = 0.5\nEND\n")
    found = hirise.read_label(str(path))
    assert (found.scaling_factor, found.offset) == (None, 0.5)
