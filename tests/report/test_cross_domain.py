from __future__ import annotations

import io

from reid_gl.report.cross_domain import draw_matrix, format_matrix

ROWS = {
    "a": {"a": {"rank1": 0.9, "mAP": 0.75}, "b": {"rank1": 0.3, "mAP": 0.125}},
    "a,b": {"a": {"rank1": 0.8, "mAP": 0.7}, "b": {"rank1": 1.0, "mAP": 0.66}},
}


def test_by_hand_table() -> None:
    assert format_matrix(ROWS).splitlines() == [
        "| trained on | a | b |",
        "|---|---|---|",
        "| a | 90.0 / 75.0 | 30.0 / 12.5 |",
        "| a,b | 80.0 / 70.0 | 100.0 / 66.0 |",
    ]


def test_the_image_has_every_number_and_name() -> None:
    figure = draw_matrix(ROWS)
    (panel,) = figure.axes
    assert [text.get_text() for text in panel.texts] == ["75.0", "12.5", "70.0", "66.0"]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["a", "a,b"]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["a", "b"]
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
