from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from reid_gl.gallery.browse.labels import Label, Labels

FIRST = Label("row 1", "a.jpg", 2, "b, c.jpg", -1, 3, (1.0, 2.0, 3.5, 4.0), "same")
SECOND = Label("sha256:00", "lost.png", 2, "film.mp4", 7, -1, None, "different")


def test_labels_survive_and_the_last_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "people.labels.jsonl"
    labels = Labels(path, "anna")
    assert not path.exists()
    labels.add(FIRST)
    labels.add(SECOND)
    labels.add(replace(FIRST, value="different"))
    for one in (labels, Labels(path, "bo")):
        assert one.of_query("row 1") == {2: "different"}
        assert one.of_query("sha256:00") == {2: "different"}
        assert one.of_query("row 2") == {}
    labels.add(replace(SECOND, value="removed"))
    assert Labels(path, "bo").of_query("sha256:00") == {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["value"] for line in lines] == ["same", "different", "different", "removed"]
    assert {line["user"] for line in lines} == {"anna"}
    assert path.stat().st_mode & 0o077 == 0  # nobody else may read who was seen where


def test_half_a_line_spoils_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    Labels(path, "anna").add(FIRST)
    with path.open("a") as file:
        file.write('{"query": "row 9", "ro')  # killed while writing
    labels = Labels(path, "anna")
    assert f"{path}: lines [2] are damaged and left out" in caplog.messages
    labels.add(SECOND)
    again = Labels(path, "anna")
    assert again.of_query("row 1") == {2: "same"}
    assert again.of_query("sha256:00") == {2: "different"}


def test_a_pipe_is_no_file_of_labels(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match=r"the file of labels .*a\.jsonl is not a file but a pipe"):
        Labels(tmp_path / "a.jsonl", "anna")


def test_the_table(tmp_path: Path) -> None:
    labels = Labels(tmp_path / "a.jsonl", "anna")
    labels.add(FIRST)
    labels.add(SECOND)
    first, second = csv.DictReader(io.StringIO(labels.to_csv()))
    assert first == {
        "query": "row 1",
        "query_name": "a.jpg",
        "row": "2",
        "path": "b, c.jpg",
        "frame": "-1",
        "camera": "3",
        "x1": "1.0",
        "y1": "2.0",
        "x2": "3.5",
        "y2": "4.0",
        "label": "same",
    }
    assert (second["x1"], second["label"]) == ("", "different")


def test_an_unknown_label(tmp_path: Path) -> None:
    labels = Labels(tmp_path / "a.jsonl", "anna")
    with pytest.raises(ValueError, match="a label is one of same, different, removed, got 'maybe'"):
        labels.add(replace(FIRST, value="maybe"))
    assert not labels.path.exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    labels = Labels(tmp_path / "missing" / "a.jsonl", "anna")
    with pytest.raises(OSError, match="missing"):
        labels.add(FIRST)
    assert labels.of_query("row 1") == {}
