from __future__ import annotations

import numpy as np

from reid_gl.report.run_figures import draw_figures, list_name
from tests.report.made_up_report import report_data


def test_every_part_of_a_report_is_a_figure() -> None:
    names = {"cmc", "precision_recall", "average_precision", "comparison_1"}
    parts = ("cameras", "distances", "training", "ablation")
    assert set(draw_figures(report_data(1))) == names | set(parts)
    assert set(draw_figures(report_data(2))) == names | {f"{part}_{n}" for part in parts for n in (1, 2)}


def test_parts_that_a_run_lacks_are_left_out() -> None:
    data = report_data(1)
    data["runs"][0].update(training=None, ablation=None, camera_pairs=None)
    data["comparisons"] = []
    assert set(draw_figures(data)) == {"cmc", "precision_recall", "average_precision", "distances"}


def test_the_lines_are_the_numbers() -> None:
    figures = draw_figures(report_data(1))
    line = figures["cmc"].axes[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [(1, 50), (2, 100), (3, 100)])
    labels = [text.get_text() for text in figures["precision_recall"].axes[0].get_legend().get_texts()]
    assert labels == ["not re-ranked: mAP 75.0 %", "re-ranked: mAP 75.0 %"]
    cells = [text.get_text() for text in figures["cameras"].axes[0].texts]
    assert cells == ["–", "75.0"]
    threshold = figures["distances"].axes[0].lines[0]
    assert threshold.get_label() == "FAR 0.01: 0.400"
    assert figures["comparison_1"].axes[1].get_title() == "mAP +1.0 points (95 %: -10.0 to +10.0)"


def test_a_list_is_named_by_its_run_where_there_are_several() -> None:
    one, two = report_data(1), report_data(2)
    assert [list_name(one, ranking) for ranking in one["lists"]] == ["not re-ranked", "re-ranked"]
    assert list_name(two, two["lists"][3]) == "run 1, re-ranked"
