"""Patches of a scene's planes, taken on the way through it."""

import math

import numpy as np

from marsgan_tf.imaging.tiling import Window


class PatchSampler:
    """Collects patches that are spread evenly over a scene.

    Args:
        side: Of the patches, px.
        planes: Of the scene.
        windows: Into which the scene is divided.
        count: Patches of a plane, about.
    """

    def __init__(
        self, side: int, planes: int, windows: int, *, count: int = 512
    ) -> None:
        self.side = side
        self._every = max(1, windows // count)
        self._per_window = math.ceil(count / windows)
        self._seen = 0
        self._patches: list[list[np.ndarray]] = [[] for _ in range(planes)]

    def add(self, planes: np.ndarray, valid: np.ndarray) -> None:
        """Takes patches from the next window.

        Args:
            planes: `(height, width, planes)`.
            valid: Where they have data; a patch has nothing but data.
        """
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        height, width = planes.shape[:2]
        for row, col in places(height, width, self.side, self._per_window):
            inside = Window(row, col, self.side, self.side).slices
            whole = valid[inside].all(axis=(0, 1))
            for index in np.flatnonzero(whole):
                patch = planes[inside][..., index].astype(np.float32)
                self._patches[index].append(patch)

    def taken(self) -> tuple[np.ndarray, ...]:
        """Of each plane, float32 `(patches, side, side)`."""
        empty = np.empty((0, self.side, self.side), np.float32)
        return tuple(
            np.stack(patches) if patches else empty for patches in self._patches
        )


def places(
    height: int, width: int, side: int, count: int
) -> list[tuple[int, int]]:
    """First rows and columns of squares that are spread over an area.

    Args:
        height: Of the area.
        width: Of the area.
        side: Of the squares.
        count: About so many; fewer where they would overlap by more than
            half, and none where the area is too small for one.
    """
    step = max(side // 2, round((height * width / count) ** 0.5))
    return [
        (row, col)
        for row in range(0, height - side + 1, step)
        for col in range(0, width - side + 1, step)
    ]
