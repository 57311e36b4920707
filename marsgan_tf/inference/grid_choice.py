"""Which tiles a scene is divided into, where the user does not say."""

import heapq

from marsgan_tf.imaging.tiling import Grid

# Larger tiles waste less on their halos; each one in work takes about 2.3 GiB
# of a network of full size, and 0.4 GiB of one of 8 blocks and 32 maps.
_LARGEST_TILE_PX, _SMALLEST_TILE_PX = 512, 128
_STEP_PX = 64  # Borders between tiles then lie on those of GeoTIFF's blocks.
# Of more tiles, those that the last ones keep waiting are few.
_TILES_COUNTED = 16


def choose_grid(
    height: int, width: int, halo: int, *, tile: int, concurrency: int
) -> Grid:
    """The tiles that an engine ends first with.

    Large ones waste less on halos, but the last of a few large ones leaves
    other threads idle.

    Args:
        height: Rows of the image.
        width: Columns.
        halo: Around a tile.
        tile: Its largest side; 0 to choose one.
        concurrency: Tiles that the engine takes at once.
    """
    if tile:
        return Grid(height, width, tile, halo)
    sides = range(_LARGEST_TILE_PX, _SMALLEST_TILE_PX - 1, -_STEP_PX)
    grids = [Grid(height, width, side, halo) for side in sides]
    if len(grids[0]) > _TILES_COUNTED * concurrency:
        return grids[0]
    return min(grids, key=lambda grid: makespan_px(grid, concurrency))


def makespan_px(grid: Grid, concurrency: int) -> int:
    """Pixels, halos included, that pass the busiest of an engine's threads.

    Args:
        grid: The tiles, taken in order by whichever thread is free.
        concurrency: How many threads there are.
    """
    loads = [0] * concurrency
    margin = 2 * grid.halo
    for core in grid:
        area = (core.height + margin) * (core.width + margin)
        heapq.heapreplace(loads, loads[0] + area)
    return max(loads)
