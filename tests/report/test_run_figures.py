from __future__ import annotations

import io

import numpy as np
import pytest

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
    two["runs"][1]["name"] = "one folder/whose name is long/train"
    assert list_name(two, two["lists"][3]) == "one folder/w…s long/train, re-ranked"


@pytest.mark.parametrize("name", ["run", "a_very_long_folder/of_a_run_with/" * 3 + "train"])
def test_a_figure_fits_a_column_and_nothing_lies_outside_it(name: str) -> None:
    data = report_data(2)
    data["runs"][1]["name"] = name
    for title, figure in draw_figures(data).items():
        figure.savefig(io.BytesIO(), format="png")
        assert figure.get_figwidth() == (7.0 if title.startswith("comparison") else 3.4)
        for panel in figure.axes:
            texts = [panel.xaxis.label, panel.yaxis.label, *panel.get_xticklabels(), *panel.get_yticklabels()]
            assert all(text.get_fontsize() >= 7 for text in texts)
            for text in filter(lambda text: text.get_text(), texts[:2]):
                box = text.get_window_extent()
                assert 0 <= box.x0 <= box.x1 <= figure.bbox.width, (title, text)
                assert 0 <= box.y0 <= box.y1 <= figure.bbox.height, (title, text)


def test_the_legend_hides_no_line_and_thresholds_look_different() -> None:
    data = report_data(2)
    data["runs"][0]["distances"]["points"] *= 3
    figures = draw_figures(data)
    for name in ("cmc", "distances_1", "training_1"):
        figures[name].savefig(io.BytesIO(), format="png")
        (panel,) = figures[name].axes
        legend = panel.get_legend()
        assert legend is not None
        assert legend.get_window_extent().y0 >= panel.get_window_extent().y1 - 1
    assert len({str(line.get_linestyle()) for line in figures["distances_1"].axes[0].lines}) == 3
