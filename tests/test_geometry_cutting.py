"""Which patches are cut, and which scenes part, for whatever is drawn."""

import collections
import itertools
import tempfile
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from properties import holds

from marsgan_tf.imaging import degrade, stretch
from pipelines import cutting, decoding, hirise, sources, spool


@holds(
    20,
    500,
    height=st.integers(1, 110),
    width=st.integers(1, 110),
    size=st.sampled_from([8, 16, 32]),
    stride=st.integers(1, 12).map(lambda steps: 4 * steps),
    share=st.sampled_from([0.0, 1e-3, 0.01]),
    strip_px=st.sampled_from([1, 3000, 10**6]),
    seed=st.integers(0, 2**32 - 1),
)
def test_patches_are_cut_from_within(
    height, width, size, stride, share, strip_px, seed
):
    random = np.random.default_rng(seed)
    image = random.integers(100, 900, (height, width)).astype(np.uint16)
    valid = random.random((height, width)) >= share
    recipe = cutting.Recipe(
        hr_size=size,
        stride=stride,
        min_contrast=0.0,
        blur_sigma=(0.8, 0.8),
        noise_sigma=(0.0, 0.0),
        variants=1,
        seed=0,
    )
    with mock.patch.object(cutting, "_STRIP_PX", strip_px):
        pairs = _cut(image, valid, recipe)
    ends = height // 4 * 4 - size, width // 4 * 4 - size
    places = {(pair.row, pair.col) for pair in pairs}
    assert len(places) == len(pairs)
    possible = set(
        itertools.product(*(range(0, end + 1, stride) for end in ends))
    )
    assert places <= possible
    if valid.all():
        assert places == possible
    covered = np.zeros(image.shape, int)
    low = pairs and np.rint(degrade.degrade(image, float(np.float32(0.8))))
    for pair in pairs:
        part = np.s_[pair.row : pair.row + size, pair.col : pair.col + size]
        covered[part] += 1
        assert valid[part].all()
        np.testing.assert_array_equal(pair.hr[..., 0], image[part])
        row, col, side = pair.row // 4, pair.col // 4, size // 4
        expected = low[row : row + side, col : col + side]
        np.testing.assert_array_equal(pair.lr[..., 0], expected)
    if stride >= size:
        assert covered.max() <= 1


def _cut(image, valid, recipe):
    with tempfile.TemporaryFile() as scratch:
        stored = spool.Spool(scratch, *image.shape, image.dtype)
        stored.write(0, image, valid)
        scene = decoding.DecodedScene(
            *image.shape, stored, stretch.Stretch(100.0, 900.0), hirise.Label()
        )
        found = cutting.windows(scene, "ESP_068294_1985", recipe)
        return [pair for _, pairs in found for pair in pairs]


@st.composite
def observations(draw):
    """Scenes of few observations on little ground of two bodies."""
    found = []
    for index in range(draw(st.integers(1, 9))):
        west, south = draw(st.integers(-180, 179)), draw(st.integers(-90, 80))
        bounds = (
            float(west),
            float(south),
            float(west + draw(st.integers(1, 90))),
            float(south + draw(st.integers(1, 10))),
        )
        found.append(
            sources.Scene(
                path=f"{index}.tif",
                bytes=1,
                modified_ns=0,
                observation_id=f"OBS{draw(st.integers(0, 9))}",
                height=draw(st.integers(1, 50)),
                width=10,
                bounds=draw(st.sampled_from([None, bounds])),
                body_radius_m=draw(st.sampled_from([3396190.0, 1737400.0])),
            )
        )
    return found


@holds(
    40,
    1000,
    scenes=observations(),
    fraction=st.floats(0, 0.9),
    wanted=st.sets(st.sampled_from(["OBS1", "obs2"])),
    order=st.randoms(use_true_random=False),
)
def test_splits_share_no_observation_and_no_ground(
    scenes, fraction, wanted, order
):
    options = {"fraction": fraction, "validation_ids": wanted, "seed": 3}
    splits = sources.split(scenes, **options)
    for one, other in itertools.combinations(range(len(scenes)), 2):
        if _are_related(scenes[one], scenes[other]):
            assert splits[one] == splits[other]
    area = collections.Counter()
    for scene, split in zip(scenes, splits, strict=True):
        area[split] += scene.area_px
        if scene.observation_id.lower() in {name.lower() for name in wanted}:
            assert split == "validation"
    if not wanted and fraction == 0:
        assert area["validation"] == 0
    shuffled = order.sample(range(len(scenes)), len(scenes))
    again = sources.split([scenes[index] for index in shuffled], **options)
    assert again == [splits[index] for index in shuffled]


def _are_related(one, other):
    """By the squares of a degree that they cover."""
    if one.observation_id == other.observation_id:
        return True
    if one.body_radius_m != other.body_radius_m:
        return False
    if one.bounds is None or other.bounds is None:
        return False
    return not _squares(one.bounds).isdisjoint(_squares(other.bounds))


def _squares(bounds):
    west, south, east, north = map(int, bounds)
    return {
        (longitude % 360, latitude)
        for longitude in range(west, east)
        for latitude in range(south, north)
    }
