from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reid_gl.config import load_experiment
from reid_gl.experiment import series
from reid_gl.experiment.cross_domain import run_cross_domain
from reid_gl.experiment.load_data import load_data, load_test_sets
from reid_gl.training.fit import Interrupted
from tests.made_up_people import write_people


@pytest.fixture
def words(words: list[str], tmp_path: Path) -> list[str]:
    """One epoch; beside Market-1501's folder one of people in its layout under another name."""
    write_people(tmp_path / "data" / "synthetic")
    market = words[words.index("DATA.ROOT") + 1]
    (tmp_path / "data" / "market1501").symlink_to(market)
    return [*words, "DATA.ROOT", str(tmp_path / "data"), "SOLVER.NUM_EPOCHS", "1"]


def run(words: list[str], folder: Path, **more: Any) -> dict[str, Any]:
    names = {"train": ["synthetic", "market1501,synthetic"], "test": ["market1501", "synthetic"], **more}
    return run_cross_domain(None, words, folder=folder, **names)


def test_every_row_is_scored_on_every_set(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "matrix"
    summary = run(words, folder)
    assert list(summary["rows"]) == ["synthetic", "market1501,synthetic"]
    for row in summary["rows"].values():
        assert list(row) == ["market1501", "synthetic"]
        assert all(0 < scores["mAP"] <= 1 for scores in row.values())
    assert json.loads((folder / "cross_domain.json").read_text()) == summary
    assert (folder / "cross_domain.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "market1501,synthetic" / "model.ckpt").is_file()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.ckpt")}
    assert run(words, folder) == summary
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/model.ckpt")} == before


def test_it_goes_on_where_it_was_stopped(words: list[str], tmp_path: Path) -> None:
    steps = count(1)
    with pytest.raises(Interrupted):
        run(words, tmp_path / "a", stop_signal=lambda: 15 if next(steps) == 4 else 0)
    assert not (tmp_path / "a" / "synthetic" / "result.json").exists()
    gone_on = run(words, tmp_path / "a")
    straight = run(words, tmp_path / "b")
    for names, row in straight["rows"].items():
        for tested, scores in row.items():
            assert gone_on["rows"][names][tested]["mAP"] == scores["mAP"]


def test_training_sets_are_put_together_and_the_first_test_set_watches(words: list[str]) -> None:
    both = [*words, "DATA.NAMES", "market1501, synthetic", "DATA.TEST_NAMES", "synthetic"]
    data = load_experiment(None, both).data
    dataset = load_data(data)
    tested = load_experiment(None, [*words, "DATA.NAMES", "market1501,synthetic"])
    market, synthetic = load_test_sets(tested.data)
    assert len(dataset.train) == len(market.train) + len(synthetic.train)
    assert {sample.source for sample in dataset.train} == {0, 1}
    assert (dataset.query, dataset.gallery, dataset.name) == (synthetic.query, synthetic.gallery, "synthetic")
    assert [one.name for one in load_test_sets(data)] == ["synthetic"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"train": []}, "expected different training sets, at least one, got none"),
        ({"test": ["synthetic", "synthetic"]}, "expected different test sets, .* got synthetic synthetic"),
        ({"train": ["synthetic", "marked"]}, "unknown data set 'marked'"),
    ],
)
def test_mistakes_come_to_light_first(
    words: list[str], tmp_path: Path, names: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(words, tmp_path / "matrix", **names)
    assert not (tmp_path / "matrix").exists()


GOOD = {"rank1": 0.5, "mAP": 0.25}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({}, r"result\.json has no scores: delete it"),
        ({"market1501": GOOD, "synthetic": 3}, r"result\.json has no rank1 and mAP in \[0, 1\] of synthetic"),
        (
            {"market1501": {**GOOD, "mAP": "x"}},
            r"result\.json has no rank1 and mAP in \[0, 1\] of market1501",
        ),
        ({"market1501": GOOD}, "is of the test sets market1501, others are of market1501, synthetic"),
    ],
)
def test_a_result_with_other_values_is_named(
    words: list[str], tmp_path: Path, result: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "matrix"
    common = load_experiment(None, [*words, "DATA.TEST_NAMES", "market1501,synthetic"])
    series.open_series(folder, common, kind="matrix")
    for names, found in (
        ("synthetic", {"market1501": GOOD, "synthetic": GOOD}),
        ("market1501,synthetic", result),
    ):
        (folder / names).mkdir()
        (folder / names / "result.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=message):
        run(words, folder)
