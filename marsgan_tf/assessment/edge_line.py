"""Where the one straight edge of a small image lies, to a part of a pixel.

Positions are `(row, column)` in px; the centre of the first pixel is (0, 0).
"""

import dataclasses
import math

import numpy as np
import scipy.ndimage

_SMOOTHING_SIGMA = 1.0  # Px; of the gradient that gives the first guess.
_SMOOTHING_REACH = 4  # Px that the gradient looks around itself.
_LEAST_SCANS = 6
# Rows with less of the edge than this, against the median row, do not vote.
_LEAST_SHARE = 0.25
# Tukey's biweight: 95 % as efficient as least squares on normal errors.
_TUKEY = 4.685
_REWEIGHTINGS = 6


class EdgeError(ValueError):
    """A region has no edge whose sharpness could be trusted; says why."""


@dataclasses.dataclass(frozen=True)
class EdgeLine:
    """A straight line through an image, with its bright side.

    Attributes:
        row: Of the point of the line nearest the image's middle, px.
        col: Of the same point, px.
        normal_row: Component of the unit normal, which points at the bright
            side.
        normal_col: The other component.
    """

    row: float
    col: float
    normal_row: float
    normal_col: float

    @property
    def slant_deg(self) -> float:
        """Angle between the edge and the nearer image axis, in [0, 45]."""
        components = abs(self.normal_row), abs(self.normal_col)
        return math.degrees(math.atan2(min(components), max(components)))

    @property
    def is_upright(self) -> bool:
        """Whether rows cross the edge more squarely than columns do."""
        return abs(self.normal_col) >= abs(self.normal_row)

    def distance(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Signed distance of points from the line, px, positive if bright."""
        along_rows = (rows - self.row) * self.normal_row
        return along_rows + (cols - self.col) * self.normal_col

    def transposed(self) -> "EdgeLine":
        """The same line in the transposed image."""
        return EdgeLine(self.col, self.row, self.normal_col, self.normal_row)


@dataclasses.dataclass(frozen=True)
class LineFit:
    """A line through the places where rows, or columns, cross an edge.

    Attributes:
        line: The line.
        residual_px: Root mean square of the crossings' distances from the
            line, without those that the robust fit leaves out.
        scans: Rows, or columns, that the line rests on.
    """

    line: EdgeLine
    residual_px: float
    scans: int


def first_guess(image: np.ndarray, valid: np.ndarray) -> EdgeLine:
    """The line along the mean structure tensor's weaker axis.

    Args:
        image: Float `(height, width)`, finite where valid.
        valid: Boolean, of the same shape.

    Raises:
        EdgeError: If the image is constant, or bright on both sides alike.
    """
    slope_rows, slope_cols = _gradients(image, valid)
    tensor = [
        [np.sum(slope_rows**2), np.sum(slope_rows * slope_cols)],
        [np.sum(slope_rows * slope_cols), np.sum(slope_cols**2)],
    ]
    normal = np.linalg.eigh(tensor)[1][:, 1]
    rise = slope_rows * normal[0] + slope_cols * normal[1]
    if not rise.any():
        raise EdgeError("the region is constant, or too little of it is valid")
    if rise.sum() < 0.0:
        normal, rise = -normal, -rise
    weights = np.maximum(rise, 0.0) ** 2
    rows, cols = np.indices(image.shape)
    row = float(np.sum(weights * rows) / weights.sum())
    col = float(np.sum(weights * cols) / weights.sum())
    line = EdgeLine(row, col, float(normal[0]), float(normal[1]))
    return _centred(line, image.shape)


def refine(
    image: np.ndarray,
    valid: np.ndarray,
    line: EdgeLine,
    *,
    half_width_px: float,
) -> LineFit:
    """Fits the line through the centroids of the derivative once more.

    Rows (columns, for an edge that lies) are differenced under a Hann window
    about the given line, so the centroids move only a part of the way:
    repeat until the line stands still.

    Args:
        image: Float `(height, width)`, finite where valid.
        valid: Boolean, of the same shape.
        line: The best line so far.
        half_width_px: Of the window, measured along the normal; about three
            times the edge's sigma.

    Raises:
        EdgeError: If too few rows or columns cross the edge.
    """
    if not line.is_upright:
        turned = refine(
            image.T, valid.T, line.transposed(), half_width_px=half_width_px
        )
        return dataclasses.replace(turned, line=turned.line.transposed())
    rows, shifts = _centroid_shifts(image, valid, line, half_width_px)
    if rows.size < _LEAST_SCANS:
        raise EdgeError(
            f"only {rows.size} rows or columns cross the edge, at least "
            f"{_LEAST_SCANS} must"
        )
    offset, slope, weights = _robust_line(rows - line.row, shifts)
    errors = shifts - offset - slope * (rows - line.row)
    moved = _moved(line, offset, slope)
    is_inlier = weights > 0.0
    rms = float(np.sqrt(np.mean(errors[is_inlier] ** 2)))
    return LineFit(
        line=_centred(moved, image.shape),
        residual_px=rms * abs(moved.normal_col),
        scans=int(is_inlier.sum()),
    )


def _gradients(
    image: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Along rows' and columns' numbers; 0 near pixels without data."""
    filled = np.where(valid, image, image[valid].mean())
    reach = 2 * _SMOOTHING_REACH + 1
    inside = scipy.ndimage.minimum_filter(valid, reach, mode="nearest")
    along_rows, along_cols = (
        scipy.ndimage.gaussian_filter(
            filled, _SMOOTHING_SIGMA, order=order, mode="nearest"
        )
        for order in ((1, 0), (0, 1))
    )
    return along_rows * inside, along_cols * inside


def _centroid_shifts(
    image: np.ndarray, valid: np.ndarray, line: EdgeLine, half_width_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that cross an upright edge, and how far right of the line, px."""
    rows = np.arange(image.shape[0], dtype=np.float64)
    crossing = line.col - (rows - line.row) * line.normal_row / line.normal_col
    # As much to the left as to the right: a window cut off at the image's
    # side would pull the centroid away from that side.
    room = np.minimum(crossing, image.shape[1] - 1 - crossing)
    wanted = half_width_px / abs(line.normal_col)
    half_width = np.minimum(wanted, room)
    is_usable = half_width > max(0.5 * wanted, 1.0)
    offsets = np.arange(image.shape[1] - 1) + 0.5 - crossing[:, np.newaxis]
    share = offsets / np.maximum(half_width, 1.0)[:, np.newaxis]
    window = np.where(abs(share) < 1.0, 1.0 + np.cos(np.pi * share), 0.0)
    filled = np.where(valid, image, 0.0)
    rises = window * np.diff(filled, axis=1) * np.sign(line.normal_col)
    gap = ~(valid[:, 1:] & valid[:, :-1])
    is_usable &= ~(gap & (window > 0.0)).any(axis=1)
    totals = rises.sum(axis=1)
    if is_usable.any():
        is_usable &= totals > _LEAST_SHARE * np.median(totals[is_usable])
    is_usable &= totals > 0.0
    moments = (rises * offsets).sum(axis=1)
    return rows[is_usable], moments[is_usable] / totals[is_usable]


def _robust_line(
    x: np.ndarray, y: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """`(offset, slope, weights)` of y over x by Tukey's biweight."""
    # Theil and Sen's line to begin with: least squares would let an outlier
    # decide what lies out.
    upper = np.triu_indices(x.size, 1)
    rises, runs = np.subtract.outer(y, y), np.subtract.outer(x, x)
    slope = float(np.median(rises[upper] / runs[upper]))
    offset = float(np.median(y - slope * x))
    weights = np.ones_like(x)
    for _ in range(_REWEIGHTINGS):
        errors = y - offset - slope * x
        scale = max(1.4826 * float(np.median(abs(errors))), 1e-6)
        share = np.minimum(abs(errors) / (_TUKEY * scale), 1.0)
        weights = (1.0 - share**2) ** 2
        middle = np.average(x, weights=weights)
        gaps = weights * (x - middle)
        slope = float(gaps @ y / (gaps @ (x - middle)))
        offset = float(np.average(y, weights=weights) - slope * middle)
    return offset, slope, weights


def _moved(line: EdgeLine, offset: float, slope: float) -> EdgeLine:
    """An upright line, moved right by `offset + slope * (row - line.row)`."""
    tangent = slope - line.normal_row / line.normal_col
    length = math.hypot(1.0, tangent)
    sign = math.copysign(1.0, line.normal_col)
    return EdgeLine(
        line.row,
        line.col + offset,
        -sign * tangent / length,
        sign / length,
    )


def _centred(line: EdgeLine, shape: tuple[int, ...]) -> EdgeLine:
    row, col = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    gap = float(line.distance(np.asarray(row), np.asarray(col)))
    return dataclasses.replace(
        line,
        row=row - gap * line.normal_row,
        col=col - gap * line.normal_col,
    )
