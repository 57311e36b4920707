import numpy as np
import pytest
import rasters

from marsgan_tf import errors
from pipelines import sources


def scene(name, bounds=None, radius=3396190.0, side=100):
    return sources.Scene(
        path=f"/data/{name}.tif",
        bytes=10,
        modified_ns=0,
        observation_id=name,
        height=side,
        width=side,
        bounds=bounds,
        body_radius_m=radius,
    )


def find(patterns=(), list_file="", observation_ids=(), archive_root=""):
    return sources.find_paths(
        patterns=[str(pattern) for pattern in patterns],
        list_file=str(list_file),
        observation_ids=observation_ids,
        archive_root=str(archive_root),
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((10, 0, 12, 2), (11, 1, 13, 3), True),
        ((10, 0, 12, 2), (12, 0, 13, 2), False),
        ((10, 0, 12, 2), (10, 2, 12, 3), False),
        ((179, 0, 181, 2), (-180, 0, -179, 2), True),
        ((-180, 0, -179, 2), (179, 0, 181, 2), True),
        ((350, 0, 352, 2), (-10, 0, -9, 2), True),
        ((-180, 80, 180, 90), (100, 85, 101, 86), True),
        ((170, 0, 172, 2), (-172, 0, -170, 2), False),
    ],
)
def test_overlap_knows_that_longitudes_close(first, second, expected):
    assert sources.overlap(first, second) is expected
    assert sources.overlap(second, first) is expected


def test_scenes_of_the_same_ground_are_one_group():
    scenes = [
        scene("A", (10, 0, 12, 2)),
        scene("B", (40, 0, 42, 2)),
        scene("C", (11, 1, 14, 3)),  # On A.
        scene("D", (13, 2, 15, 4)),  # On C, not on A.
        scene("E"),
        scene("B"),  # Of B's observation, place unknown.
        scene("F", (10, 0, 12, 2), radius=1737400.0),  # On the Moon.
        scene("G", (10, 0, 12, 2), radius=3388546.9),  # Of another latitude.
    ]
    groups = sorted(map(sorted, sources.group(scenes)))
    assert groups == [[0, 2, 3, 7], [1, 5], [4], [6]]


def test_groups_match_comparing_each_with_each():
    rng = np.random.default_rng(0)
    scenes = []
    for index in range(60):
        west, south = rng.uniform(-180, 180), rng.uniform(-90, 80)
        bounds = (west, south, west + 15, south + 8)
        scenes.append(scene(f"S{index}", bounds))
    label = list(range(60))
    for _ in range(60):
        for i, first in enumerate(scenes):
            for j, second in enumerate(scenes):
                if sources.overlap(first.bounds, second.bounds):
                    label[i] = label[j] = min(label[i], label[j])
    expected = {}
    for index, name in enumerate(label):
        expected.setdefault(name, []).append(index)
    assert sorted(sources.group(scenes)) == sorted(expected.values())


def split(scenes, fraction=0.2, validation_ids=(), seed=0):
    return sources.split(
        scenes, fraction=fraction, validation_ids=validation_ids, seed=seed
    )


def test_split_keeps_to_the_fraction():
    scenes = [scene(f"S{index}") for index in range(40)]
    assert split(scenes).count("validation") == 8
    assert split(scenes, fraction=0).count("validation") == 0
    assert split(scenes) == split(scenes)
    assert split(scenes) != split(scenes, seed=1)


@pytest.mark.parametrize("seed", range(8))
def test_split_never_parts_a_group(seed):
    scenes = [scene(f"S{index // 2}", side=50 + index) for index in range(20)]
    found = split(scenes, seed=seed)
    assert found[::2] == found[1::2]
    assert 0 < found.count("validation") < 8


def test_split_of_few_scenes():
    assert split([scene("A")]) == ["train"]
    assert split([scene("A"), scene("A")]) == ["train", "train"]
    two = [scene("A", side=100), scene("B", side=90)]
    assert split(two, fraction=0.01) == ["train", "validation"]


def test_named_observations_are_validation():
    scenes = [scene(f"S{index}") for index in range(10)]
    found = split(scenes, fraction=0, validation_ids=["S3", "s7"])
    assert [i for i, name in enumerate(found) if name == "validation"] == [3, 7]
    assert split(scenes, 0.2, ["S3"]).count("validation") == 2


def test_exclusion_is_by_observation():
    paths = ["a/ESP_068294_1985_RED.JP2", "ESP_068294_1985.tif", "b/other.tif"]
    assert sources.exclude(paths, ["esp_068294_1985"]) == ["b/other.tif"]


def test_inputs_from_globs_lists_and_observations(tmp_path):
    names = ["b.tif", "a.tif", "sub/c.tif", "d.JP2", "d.LBL", "e.LBL"]
    names += ["d.JP2.aux.xml"]
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).touch()
    product = tmp_path / (
        "RDR/ESP/ORB_068200_068299/ESP_068294_1985/ESP_068294_1985_RED.JP2"
    )
    product.parent.mkdir(parents=True)
    product.touch()
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a.tif\n\n{tmp_path}/b.tif")
    found = find(
        [tmp_path / "**/*.tif", tmp_path / "a.tif", tmp_path / "*.[JL]*"],
        tmp_path / "list.txt",
        ["ESP_068294_1985"],
        tmp_path,
    )
    assert [path.rpartition("/")[2] for path in found] == [
        "ESP_068294_1985_RED.JP2",
        "a.tif",
        "b.tif",
        "c.tif",
        "d.JP2",
        "e.LBL",
    ]


def test_missing_inputs_are_named(tmp_path):
    with pytest.raises(errors.DatasetError, match="x.*.tif': no file matches"):
        find([tmp_path / "x*.tif"])
    with pytest.raises(
        errors.DatasetError, match="ESP_068294_1985_RED.JP2: no"
    ):
        find(observation_ids=["ESP_068294_1985"], archive_root=tmp_path)
    with pytest.raises(errors.DatasetError, match="list.txt: cannot be read"):
        find(list_file=tmp_path / "list.txt")


def test_scene_is_described_by_its_header(tmp_path):
    path = rasters.write_gdal(
        tmp_path / "ESP_068294_1985_RED.tif",
        np.zeros((40, 60), np.uint16),
        "GTiff",
        crs=rasters.MARS_WKT,
        transform=rasters.MARS_TRANSFORM,
    )
    found = sources.inspect(path, hr_size=32, band=0)
    assert (found.height, found.width) == (40, 60)
    assert found.observation_id == "ESP_068294_1985"
    assert found.body_radius_m == rasters.MARS_RADIUS_M
    west, south, east, north = found.bounds
    assert east - west == pytest.approx(60 * 6 / 3396190 * 180 / np.pi)
    assert north - south == pytest.approx(40 * 6 / 3396190 * 180 / np.pi)


@pytest.mark.parametrize(
    ("shape", "dtype", "band", "message"),
    [
        ((31, 60), "uint16", 0, "60 x 31 px is smaller than a patch of 32"),
        ((40, 60), "uint16", 2, "has no band 2, --band goes up to 1"),
        ((40, 60, 5), "uint16", 0, "has 5 bands: choose one with --band"),
        ((40, 60), "int32", 0, "pixels of type int32"),
    ],
)
def test_unusable_image_is_named(tmp_path, shape, dtype, band, message):
    path = rasters.write_gdal(
        tmp_path / "a.tif", np.zeros(shape, dtype), "GTiff"
    )
    with pytest.raises(errors.MarsganError, match=f"a.tif: .*{message}"):
        sources.inspect(path, hr_size=32, band=band)
