"""Tiles are large, but leave no thread idle."""

import itertools

import pytest

from marsgan_tf.imaging.tiling import Grid
from marsgan_tf.inference.grid_choice import choose_grid, makespan_px

HALO = 16


@pytest.mark.parametrize(
    ("sides", "concurrency", "tile"),
    [
        ((4096, 4096), 2, 512),
        # Two tiles of 256 each, and not one of 512 beside an idle thread.
        ((512, 512), 2, 448),
        # Nine tiles of 512 are five rounds; sixteen of 384 are eight.
        ((1536, 1536), 2, 448),
        ((100, 90), 2, 512),
        ((256, 256), 1, 512),
    ],
)
def test_choice(sides, concurrency, tile):
    grid = choose_grid(*sides, HALO, tile=0, concurrency=concurrency)
    assert (grid.tile, grid.halo) == (tile, HALO)


def test_a_tile_that_is_given_is_taken():
    grid = choose_grid(5000, 40, HALO, tile=96, concurrency=4)
    assert (grid.tile, grid.height, grid.width) == (96, 5000, 40)


@pytest.mark.parametrize("concurrency", [1, 2, 8])
@pytest.mark.parametrize("side", [90, 200, 512, 640, 1100, 1536])
def test_no_other_tile_ends_sooner(side, concurrency):
    chosen = choose_grid(side, side, HALO, tile=0, concurrency=concurrency)
    ends = [
        makespan_px(Grid(side, side, tile, HALO), concurrency)
        for tile in range(128, 513, 64)
    ]
    assert makespan_px(chosen, concurrency) == min(ends)


def test_makespan_of_one_thread_is_all_pixels():
    grid = Grid(100, 70, 30, 8)
    areas = [(core.height + 16) * (core.width + 16) for core in grid]
    assert makespan_px(grid, 1) == sum(areas)


def test_makespan_is_that_of_threads_that_take_turns():
    grid = Grid(256, 768, 256, 16)  # Three equal tiles.
    assert makespan_px(grid, 2) == 2 * 288**2
    assert makespan_px(grid, 3) == 288**2
    assert makespan_px(grid, 9) == 288**2


def test_makespan_is_between_its_bounds():
    for sides, concurrency in itertools.product(
        ((300, 700), (130, 40), (1000, 1000)), (2, 3, 5)
    ):
        grid = Grid(*sides, 128, 8)
        areas = [(core.height + 16) * (core.width + 16) for core in grid]
        found = makespan_px(grid, concurrency)
        assert sum(areas) / concurrency <= found
        # Graham's bound on lists of any order.
        assert found <= sum(areas) / concurrency + max(areas)
