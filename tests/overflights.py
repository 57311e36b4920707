"""Pairs of images of one generated ground, whose registration is known."""

import dataclasses
import functools

import affine
import numpy as np
import scipy.ndimage

from marsgan_tf.imaging import degrade, terrain

A = affine.Affine


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two overflights of one ground.

    Attributes:
        reference: `(height, width)`, sharp.
        image: Another, under another sun, turned, shifted, blurred, coarser.
        truth: From the image's pixels to the reference's, both counted from
            the corner of the first.
        scale: Reference pixels along a pixel of the image.
        shift_px: Of the image from where `scale` alone would put it, px of
            the image.
        lit: What `image` shows, on the reference's pixels, sharp.
    """

    reference: np.ndarray
    image: np.ndarray
    truth: affine.Affine
    scale: int
    shift_px: tuple[float, float]
    lit: np.ndarray

    def corner_error_px(self, found: affine.Affine) -> float:
        """Of a map like `truth`, at the worst corner, px of the image."""
        height, width = self.image.shape
        corners = np.array([[0, width, 0, width], [0, 0, height, height]])
        off = np.array(found @ corners) - np.array(self.truth @ corners)
        return float(np.hypot(*off).max()) / self.scale


@functools.lru_cache(maxsize=2)
def _ground(size: int, seed: int) -> terrain.Ground:
    return terrain.ground(size, gsd_m=1.0, seed=seed)


def pair(
    seed: int,
    *,
    size: int = 512,
    scale: int = 4,
    blur_sigma: float = 2.0,
    sun_turn_deg: float = 90.0,
) -> Pair:
    """Makes a pair, shifted by up to 20 px of the image, turned by up to 1°.

    Args:
        seed: Decides the ground, the shift and the turn.
        size: Side of the reference, px.
        scale: Reference pixels along a pixel of the image.
        blur_sigma: Of the image's Gaussian, px of the reference.
        sun_turn_deg: Azimuth of the image's sun, against the reference's.
    """
    rng = np.random.default_rng([seed, 7])
    margin = 24 * scale
    ground = _ground(size + 2 * margin, seed)
    sun = 290.0
    one = terrain.render(ground, sun_azimuth_deg=sun, sun_incidence_deg=55.0)
    other = terrain.render(
        ground,
        sun_azimuth_deg=(sun + sun_turn_deg) % 360.0,
        sun_incidence_deg=48.0,
    )
    shift = rng.uniform(-20.0, 20.0, 2)
    middle = A.translation(size / 2.0, size / 2.0)
    turned = middle @ A.rotation(rng.uniform(-1.0, 1.0)) @ ~middle
    to_reference = A.translation(*(scale * shift)) @ turned
    rows, columns = np.mgrid[:size, :size] + 0.5
    x, y = to_reference @ (columns, rows)
    moved = scipy.ndimage.map_coordinates(
        other.astype(np.float64), [y + margin - 0.5, x + margin - 0.5]
    )
    inner = np.s_[margin : margin + size, margin : margin + size]
    return Pair(
        one[inner],
        degrade.degrade(moved, blur_sigma, scale=scale),
        to_reference @ A.scale(scale),
        scale,
        (float(shift[0]), float(shift[1])),
        other[inner],
    )
