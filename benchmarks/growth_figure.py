"""The picture of `bench_growth`."""

from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")
from matplotlib import axes, pyplot

from benchmarks import bench_growth

_COLUMNS = 3


def draw(series: Sequence[bench_growth.Series], path: str) -> None:
    """Writes a panel for each series: times with their line, and memory.

    Args:
        series: What was measured.
        path: The PNG.
    """
    rows = -(-len(series) // _COLUMNS)
    figure, grid = pyplot.subplots(
        rows, _COLUMNS, figsize=(4 * _COLUMNS, 3 * rows), squeeze=False
    )
    for panel, each in zip(grid.flat, series, strict=False):
        _draw_one(panel, each)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _draw_one(panel: axes.Axes, series: bench_growth.Series) -> None:
    x = [point.x for point in series.points]
    panel.plot(x, [point.seconds for point in series.points], "o", color="C0")
    if series.axis == bench_growth.MPX and len(x) > 2:
        line = bench_growth.fit(series.points)
        ends = [0.0, x[-1]]
        panel.plot(
            ends,
            [line.start + line.slope * end for end in ends],
            "C0-",
            linewidth=1,
            label=f"{line.slope:.3g} s/Mpx, off by {line.worst:.0%} at most",
        )
        panel.legend(fontsize=8, loc="upper left")
    else:
        panel.set_xscale("log", base=2)
        panel.set_xticks(x, [f"{value:g}" for value in x])
    panel.set_ylim(0, 1.15 * max(point.seconds for point in series.points))
    panel.set_ylabel("s", color="C0")
    panel.set_xlabel(series.axis)
    panel.set_title(series.label, fontsize=9)
    memory = panel.twinx()
    memory.plot(x, [point.peak_mib for point in series.points], "C1s--")
    memory.set_ylim(0, 1.3 * max(point.peak_mib for point in series.points))
    memory.set_ylabel("MiB", color="C1")
