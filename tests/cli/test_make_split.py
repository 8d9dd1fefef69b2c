from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from reid_gl.data.datasets.own.table import load_table
from tests.made_up_people import write_people

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for number in range(20):
        folder = tmp_path / f"person {number}"
        folder.mkdir()
        for place in range(3):
            (folder / f"{place}.jpg").touch()
    return tmp_path


def test_folders_of_identities(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folders / "split.csv"
    assert main(["make-split", str(folders), "--out", str(out), "--train-share", "0.6"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "file": str(out),
        "training_images": 36,
        "training_identities": 12,
        "query_images": 8,
        "query_identities": 8,
        "gallery_images": 16,
        "gallery_distractors": 0,
    }
    assert "identities are numbered from 1" in captured.err
    dataset = load_table(out)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (36, 8, 16)
    assert main(["make-split", str(folders), "--out", str(out)]) == 1
    assert "split.csv exists: choose another name or remove it" in capsys.readouterr().err


def test_the_tool_writes_the_same_bytes_under_every_hash_seed(folders: Path) -> None:
    here, there = folders / "here.csv", folders / "there.csv"
    assert main(["make-split", str(folders), "--out", str(here)]) == 0
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_split.py"), str(folders), "--out", str(there)],
        env={**os.environ, "PYTHONHASHSEED": "12345"},  # the seed of this process is random
        check=True,
        capture_output=True,
    )
    assert here.read_bytes() == there.read_bytes()
    assert here.read_bytes().count(b"\n") == 61


def test_a_tree_with_a_pattern(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = write_people(tmp_path / "people", num_people=4, images=2) / "bounding_box_train"
    words = ["make-split", str(people), "--pattern", r"^(?P<pid>\d+)_c(?P<camera>\d+)", "--seed", "3"]
    words += ["--queries-per-camera", "2", "--out", str(tmp_path / "split.csv")]
    assert main(words) == 0
    counts = json.loads(capsys.readouterr().out)
    dataset = load_table(tmp_path / "split.csv")
    assert counts["training_identities"] == len({sample.pid for sample in dataset.train}) == 2
    assert {sample.camid for sample in dataset.query} == {1, 2}


def test_a_table_is_divided_by_identity_or_as_it_says(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"person {pid}/{n}.jpg,{pid},{'train' if pid < 15 else 'val'}" for pid in range(20) for n in range(3)
    ]
    (folders / "labels.csv").write_text("\n".join(["Image,Id,split", *rows]))
    words = ["make-split", str(folders / "labels.csv"), "--out"]
    assert main([*words, str(folders / "given.csv")]) == 0
    assert json.loads(capsys.readouterr().out)["training_identities"] == 15
    renamed = ["--columns", "path=Image,pid=Id", "--leave-out", "0,1", "--ignore-split"]
    assert main([*words, str(folders / "anew.csv"), *renamed]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["training_identities"], counts["query_identities"]) == (9, 9)
    assert main([*words, str(folders / "x.csv"), "--columns", "path"]) == 1
    assert "--columns 'path': expected name=title pairs" in capsys.readouterr().err
    assert main([*words, str(folders / "x.csv"), "--pattern", "(?P<pid>.)"]) == 1
    assert "labels.csv is a table: --pattern is for folders of images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["labels.csv", "--out", "a.csv"],
            "labels.csv does not exist: give a folder of images, or a table of",
        ),
        ([".", "--out", "a.csv", "--pattern", "("], "ValueError: pattern '(' is not a regular expression"),
        (["FOLDERS", "--out", "a.csv", "--train-share", "2"], "must lie between 0 and 1, got 2.0"),
        (["FOLDERS", "--out", "FOLDERS/person 1/a.csv"], "does not lie below"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    folders: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make-split", *(word.replace("FOLDERS", str(folders)) for word in words)]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
