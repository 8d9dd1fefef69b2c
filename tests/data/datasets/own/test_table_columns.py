from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.table_columns import choose_columns

TABLE = Path("mine.csv")


def test_known_columns_are_chosen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert choose_columns(["split", "pid", "path"], TABLE) == ["path", "pid", "split"]
    every = ["path", "pid", "camid", "split", "x1", "y1", "x2", "y2", "tracklet"]
    assert choose_columns(every[::-1], TABLE) == every
    assert caplog.records == []


def test_others_are_named_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    titles = ["path", "pid", "split", "weather", "Camera ID", "label", "camids"]
    assert choose_columns(titles, TABLE) == ["path", "pid", "split"]
    assert caplog.messages == [
        "mine.csv: columns that are not read: 'weather', 'Camera ID' (should it be 'camid'?), 'label', "
        "'camids' (should it be 'camid'?)"
    ]


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        (
            "path,person_id,split",
            r"of mine\.csv has no column 'pid': .*; rename 'person_id' to 'pid'$",
        ),
        ("file,pid,split", r"has no column 'path': .*; rename 'file' to 'path'$"),
        (
            "path,pid",
            r"has no column 'split': expected path, pid, split and, .*, found path, pid; add 'split', give "
            r"each split a file of its own \(train, query, gallery\), or let reid-gl make-split divide",
        ),
        ("path,Pid,Split", r"has no column 'pid', 'split': .*; rename 'Pid' to 'pid', 'Split' to 'split'$"),
        ("file,pid", r"has no column 'path', 'split': .*; rename 'file' to 'path' and add 'split', give"),
        ("path,pid,split,x1,y1,x2", r"has no column 'y2': "),
        ("[" * 10_000, r"has no column 'path', 'pid', 'split': .* found \[{200}\.\.\.; add"),
        ("a.jpg,7,0,train", r"has no column 'path', 'pid', 'split': .* found a\.jpg, 7, 0, train"),
    ],
)
def test_missing_columns(titles: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_columns(titles.split(","), TABLE)


def test_json_has_no_lines() -> None:
    with pytest.raises(ValueError, match=r"^people\.json has no column 'split': "):
        choose_columns(["path", "pid"], Path("people.json"))


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_another_separator(separator: str) -> None:
    with pytest.raises(
        ValueError, match=r"it is separated by '.{1,2}': use commas in \.csv and tabs in \.tsv"
    ):
        choose_columns([separator.join(("path", "pid", "split"))], TABLE)
