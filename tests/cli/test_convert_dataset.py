from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from reid_gl.data.datasets.market1501 import load_market1501
from reid_gl.data.datasets.own.table import load_table
from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.records import ReidDataset
from tests.made_up_people import write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "market1501", num_people=2, images=2)


def labels(dataset: ReidDataset) -> list[list[tuple[int, int]]]:
    parts = (dataset.train, dataset.query, dataset.gallery)
    return [[(sample.pid, sample.camid) for sample in part] for part in parts]


def test_to_csv_and_from_there_to_folders(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = people / "dataset.csv"
    assert main(["convert-dataset", "market1501", str(people), "--to", "csv", "--out", str(table)]) == 0
    counts = json.loads(capsys.readouterr().out)
    expected = load_market1501(people)
    assert counts["written"] == str(table)
    assert counts["training_images"] == len(expected.train)
    assert labels(load_table(table)) == labels(expected)
    out = tmp_path / "out"
    words = ["convert-dataset", "market1501", str(people), "--to", "market", "--out", str(out)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {**counts, "written": str(out)}
    assert [sorted(part) for part in labels(load_market_layout(out))] == [
        sorted(part) for part in labels(expected)
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["marekt1501", "PEOPLE", "--to", "csv", "--out", "a.csv"], "nearest: 'market1501'"),
        (["market1501", "nowhere", "--to", "csv", "--out", "a.csv"], "Market-1501 is not in nowhere"),
        (["market1501", "PEOPLE", "--to", "market", "--out", "PEOPLE"], "exists: choose another folder"),
        (["market1501", "PEOPLE", "--to", "csv", "--out", "a.csv"], "write the table into a folder"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    people: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert-dataset", *(word.replace("PEOPLE", str(people)) for word in words)]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
