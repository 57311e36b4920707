"""Images of slanted edges in closed form, for the tests of the assessment."""

import math

import numpy as np
import scipy.optimize
import scipy.special

RISE_PER_SIGMA = 2.5631031310892007  # 2 * inverse normal CDF of 0.9.
_POINTS_PER_PX = 9


def through_pixels(function, side, angle_deg, *, shift_px=0.0):
    """A function of the distance from a line, averaged over square pixels.

    Args:
        function: Of distances in px along the normal, of any shape.
        side: Of the image, px.
        angle_deg: Of the line, against the columns; the normal turns from
            right to down.
        shift_px: Of the line, along its normal, from the image's middle.
    """
    count = side * _POINTS_PER_PX
    middles = (np.arange(count) + 0.5) / _POINTS_PER_PX - side / 2
    angle = math.radians(angle_deg)
    distance = middles * math.cos(angle) + middles[:, None] * math.sin(angle)
    fine = function(distance - shift_px)
    blocks = fine.reshape(side, _POINTS_PER_PX, side, _POINTS_PER_PX)
    return blocks.mean(axis=(1, 3))


def blurred_step(sigma_px):
    """A step from 0 to 1 under a Gaussian blur."""
    return lambda distance: scipy.special.ndtr(distance / sigma_px)


def gaussian_edge(side, angle_deg, sigma_px, **kwargs):
    return through_pixels(blurred_step(sigma_px), side, angle_deg, **kwargs)


def rise_px(sigma_px):
    """10 to 90 % of a Gaussian edge seen by square pixels."""
    return RISE_PER_SIGMA * math.sqrt(sigma_px**2 + 1 / 12)


def mtf50(sigma_px, angle_deg):
    """Where Gaussian times the square pixel's response is one half."""
    angle = math.radians(angle_deg)

    def excess(f):
        pixel = np.sinc(f * math.cos(angle)) * np.sinc(f * math.sin(angle))
        return math.exp(-2 * (math.pi * sigma_px * f) ** 2) * pixel - 0.5

    return scipy.optimize.brentq(excess, 1e-3, 1.0)


def blocks(side, gsd, sigma_px, *, seed=0):
    """A ground with nine bright and dark oblong blocks, blurred, by pixels.

    A Gaussian blur of a rectangle is a product of two differences of normal
    distribution functions, whatever the rectangle's turn: no grid is involved
    but that of the 4 x 4 points that a pixel is the mean of.

    Args:
        side: Of the image, px.
        gsd: Size of a pixel; the ground is 640 units a side, a block 120
            to 160.
        sigma_px: Of the blur, px of this image.
        seed: Decides the blocks; `side`, `gsd` and `sigma_px` do not.

    Returns:
        float64 `(side, side)`, levels of 40 to 160.
    """
    rng = np.random.default_rng(seed)
    points = (np.arange(side * 4) + 0.5) / 4 * gsd
    image = 100.0 + 3.0 * np.outer(np.sin(points / 90), np.cos(points / 70))
    for number in range(9):
        middle = [
            place * 213.3 + 106.7 + rng.uniform(-8, 8)
            for place in divmod(number, 3)
        ]
        angle, halves = rng.uniform(0, 2 * math.pi), rng.uniform(60, 80, 2)
        level = rng.choice([-1, 1]) * rng.uniform(30, 60)
        # Beyond the corners and six sigmas there is nothing to add.
        reach = math.hypot(*halves) + 6 * sigma_px * gsd
        row, col = (
            slice(*np.searchsorted(points, (place - reach, place + reach)))
            for place in middle
        )
        rows = points[row, None] - middle[0]
        cols = points[col] - middle[1]
        turned = (
            cols * math.cos(angle) + rows * math.sin(angle),
            rows * math.cos(angle) - cols * math.sin(angle),
        )
        for distance, half in zip(turned, halves, strict=True):
            blur = sigma_px * gsd
            level = level * (
                scipy.special.ndtr((distance + half) / blur)
                - scipy.special.ndtr((distance - half) / blur)
            )
        image[row, col] += level
    return image.reshape(side, 4, side, 4).mean(axis=(1, 3))
