import csv
import io
import json
import math
import pathlib

import pytest

from marsgan_tf.assessment import enhancement, paper_tables, tables
from marsgan_tf.assessment.enhancement import EdgeRises
from marsgan_tf.assessment.paper_tables import ImageScores
from marsgan_tf.assessment.tables import Column, Table

# Tao et al. 2021, Remote Sensing 13(9):1777, Table 3: 10-90 % rise in the
# CaSSIS image and in MARSGAN's, region, enhancement factor, as printed.
TABLE_3 = """
4 1.87 14x12 2.14
6.36 1.86 16x14 3.42
6.26 2.32 19x20 2.70
4.98 1.87 18x21 2.66
5.80 2.31 21x27 2.51
6.99 2.23 26x20 3.13
5.22 1.05 21x21 4.97
5.81 1.98 25x19 2.93
5.04 1.36 20x17 3.71
4.85 1.29 23x22 3.76
4.19 1.59 17x22 2.64
5.87 2.44 22x25 2.41
6.01 1.59 24x19 3.78
4.19 1.84 26x25 2.28
6.07 2.07 16x18 2.93
6.64 2.58 17x16 2.57
4.45 1.56 20x15 2.85
6.09 1.91 23x18 3.19
3.86 1.85 23x17 2.09
6.21 2.41 17x11 2.58
"""


def paper_edges():
    edges = []
    for number, line in enumerate(TABLE_3.split("\n")[1:-1], start=1):
        lr, sr, size, _ = line.split()
        height, width = map(int, size.split("x"))
        edges.append(
            EdgeRises(str(number), float(lr), float(sr), height, width)
        )
    return edges


def summary_of(table):
    return {row["edge"]: row["enhancement_factor"] for row in table.summary}


def test_papers_table_3_from_its_rises():
    """2.9625 +- 0.695 is of factors that were rounded first; see below."""
    table = paper_tables.edge_table(paper_edges())
    printed = [float(line.split()[3]) for line in TABLE_3.split("\n")[1:-1]]
    computed = [row["enhancement_factor"] for row in table.rows]
    assert [round(factor, 2) for factor in computed] == printed
    summary = summary_of(table)
    assert summary["mean"] == pytest.approx(2.9625, abs=5e-4)
    assert summary["sample standard deviation"] == pytest.approx(
        0.695, abs=6e-4
    )
    # 20 edges: t of 19 degrees of freedom is 2.093.
    half = 2.0930241 * summary["sample standard deviation"] / math.sqrt(20)
    low = summary["mean, 95 % interval from"]
    high = summary["mean, 95 % interval to"]
    assert low == pytest.approx(summary["mean"] - half)
    assert high == pytest.approx(summary["mean"] + half)


def test_papers_table_3_from_its_factors():
    printed = [float(line.split()[3]) for line in TABLE_3.split("\n")[1:-1]]
    edges = [EdgeRises("e", factor, 1.0, 1, 1) for factor in printed]
    summary = summary_of(paper_tables.edge_table(edges))
    assert summary["mean"] == pytest.approx(2.9625, abs=1e-9)
    assert summary["sample standard deviation"] == pytest.approx(
        0.695, abs=1e-4
    )


def test_edge_table_sums_up_every_column():
    table = paper_tables.edge_table(paper_edges(), confidence=0.9)
    mean = table.summary[0]
    assert mean["lr_rise_px"] == pytest.approx(5.4445)
    assert mean["sr_rise_px"] == pytest.approx(1.899)
    assert table.rows[0]["region"] == "14 x 12"
    assert table.summary[2]["edge"] == "mean, 90 % interval from"


def scores():
    return [
        ImageScores("A", "LR", 25.0, 0.5, 60.0, 90.0),
        ImageScores("A", "SR", 28.0, 0.75, 40.0, 50.0),
        ImageScores("A", "HiRISE", math.inf, 1.0, 42.0, None),
        ImageScores("B", "LR", 27.0, 0.625, 50.0, 80.0),
        ImageScores("B", "SR", 29.5, 0.875, 45.0, math.nan),
        ImageScores("B", "HiRISE", None, 1.0, 38.0, None),
    ]


def test_score_table_gives_each_image_its_means():
    table = paper_tables.score_table(scores())
    means = {row["image"]: row for row in table.summary}
    assert list(means) == ["LR", "SR", "HiRISE"]
    assert means["LR"] == {
        "crop": "mean",
        "image": "LR",
        "psnr_db": 26.0,
        "mssim": 0.5625,
        "brisque": 55.0,
        "piqe": 85.0,
    }
    assert means["SR"]["piqe"] == 50.0  # Of the crop that has one.
    assert means["HiRISE"]["piqe"] is None
    assert means["HiRISE"]["psnr_db"] == math.inf


def test_csv_keeps_every_digit():
    edges = [EdgeRises('dune, "west"', 10 / 3, 1 / 7, 14, 12)]
    rows = list(
        csv.DictReader(
            io.StringIO(tables.to_csv(paper_tables.edge_table(edges)))
        )
    )
    assert rows[0]["edge"] == 'dune, "west"'
    assert float(rows[0]["lr_rise_px"]) == 10 / 3
    assert float(rows[0]["enhancement_factor"]) == edges[0].factor
    assert [row["edge"] for row in rows[1:]][:2] == [
        "mean",
        "sample standard deviation",
    ]
    assert rows[2]["enhancement_factor"] == ""  # Of one edge there is none.


def test_overshoots_stand_where_all_are_known():
    known = EdgeRises("a", 8.0, 4.0, 20, 20, 0.01, 0.05)
    table = paper_tables.edge_table([known])
    assert table.rows[0]["lr_overshoot_percent"] == 1.0
    assert table.rows[0]["sr_overshoot_percent"] == 5.0
    assert [column.key for column in table.columns][-1:] == [
        "sr_overshoot_percent"
    ]
    mixed = paper_tables.edge_table([known, EdgeRises("b", 8.0, 4.0, 20, 20)])
    assert len(mixed.columns) == len(table.columns) - 2


def test_json_is_strict():
    def refuse(constant):
        raise AssertionError(constant)

    text = tables.to_json(paper_tables.score_table(scores(), "Crops A, B"))
    read = json.loads(text, parse_constant=refuse)
    assert read["title"] == "Crops A, B"
    assert read["rows"][1]["psnr_db"] == 28.0
    assert read["rows"][2]["psnr_db"] == "Infinity"
    assert read["rows"][4]["piqe"] is None
    assert read["columns"] == ["crop", "image", "psnr_db", "mssim"] + [
        "brisque",
        "piqe",
    ]
    assert list(read["rows"][0]) == read["columns"]


def test_markdown_rounds_and_lines_up():
    table = Table(
        title="A | B\nC",
        columns=(Column("name", "Name"), Column("psnr_db", "PSNR", 2)),
        rows=({"name": "x|y", "psnr_db": 1.005}, {"name": "z"}),
        summary=({"name": "mean", "psnr_db": math.inf},),
    )
    assert tables.to_markdown(table).splitlines() == [
        r"**A \| B C**",
        "",
        "| Name | PSNR |",
        "| --- | ---: |",
        r"| x\|y | 1.00 |",
        "| z | - |",
        "| **mean** | **inf** |",
    ]


def test_papers_table_3_in_markdown():
    lines = tables.to_markdown(
        paper_tables.edge_table(paper_edges())
    ).splitlines()
    assert "| 7 | 5.22 | 1.05 | 21 x 21 | 4.971 |" in lines
    assert lines[-4] == "| **mean** | **5.44** | **1.90** | - | **2.962** |"


def test_tables_without_rows():
    for table in (paper_tables.edge_table([]), paper_tables.score_table([])):
        assert tables.to_csv(table).count("\n") == 1 + len(table.summary)
        assert json.loads(tables.to_json(table))["rows"] == []
        assert tables.to_markdown(table).startswith(f"**{table.title}**")


def test_three_files_are_written(tmp_path):
    table = paper_tables.score_table(scores())
    paths = tables.write(table, str(tmp_path / "quality"))
    texts = [pathlib.Path(path).read_text("utf-8") for path in paths]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "quality.csv",
        "quality.json",
        "quality.md",
    ]
    assert texts == [
        tables.to_csv(table),
        tables.to_json(table),
        tables.to_markdown(table),
    ]


def test_table_and_summary_agree():
    factors = [edge.factor for edge in paper_edges()]
    summary = enhancement.summarise(factors)
    assert (
        summary_of(paper_tables.edge_table(paper_edges()))["mean"]
        == summary.mean
    )
