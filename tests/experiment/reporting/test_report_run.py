from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from reid_gl.config import load_run_config, read_experiment
from reid_gl.experiment.reporting import report_run
from reid_gl.experiment.reporting.report_run import choose_queries, describe_run, rank_run
from reid_gl.experiment.score import ScoredFeatures, compute_features, load_candidate
from tests.finished_run import write_run
from tests.inference.extractor.test_stored_thresholds import CALIBRATION


def features_of(run: Path, *overrides: str) -> ScoredFeatures:
    words = ["MODEL.WEIGHTS", str(run / "model.ckpt"), *overrides]
    experiment = read_experiment(load_run_config(run / "config.yml", words))
    return compute_features(experiment, load_candidate(experiment))


@pytest.fixture
def run(people: Path, tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", people, calibration=asdict(CALIBRATION))


def test_thresholds_are_shown_for_the_features_that_they_were_measured_on(run: Path) -> None:
    shown = describe_run(features_of(run), "run")["distances"]
    assert shown["points"] == [asdict(point) for point in CALIBRATION.points]
    assert shown["note"] == f"Thresholds measured on {CALIBRATION.source}."
    hidden = describe_run(features_of(run, "TEST.FLIP", "True"), "run")["distances"]
    assert hidden["points"] == []
    assert "hold for the features that it stores" in hidden["note"]


def test_without_cameras_there_are_no_pairs_of_them_and_all_pairs_count(run: Path) -> None:
    found = describe_run(features_of(run, "TEST.CAMERA_FILTER", "off"), "run")
    assert found["camera_pairs"] is None
    assert sum(found["distances"]["same"]) == 8 * 6


def test_side_files_that_are_something_else_are_left_out(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run / "environment.json").write_text("[1]")
    (run / "ablation_market1501_before_neck.json").write_text(json.dumps({"rows": [{"on": []}]}))
    (run / "log.jsonl").unlink()
    with caplog.at_level(logging.WARNING, "reid_gl"):
        found = describe_run(features_of(run), "run")
    assert (found["environment"], found["ablation"], found["training"]) == (None, None, None)
    assert "environment.json is not a JSON object and is left out" in caplog.text
    assert "is no result of test --ablate and is left out" in caplog.text


@pytest.mark.parametrize("number", ["1e999", "NaN", '"nan"', "1" + "0" * 400])
def test_numbers_that_a_page_cannot_hold_are_left_out(
    number: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ablation.json"
    path.write_text(
        f'{{"switches": [], "caution": "", "rows": [{{"on": [], "rank1": {number}, "mAP": 0, "gain": 0}}]}}'
    )
    assert report_run._read_ablation(path) is None
    assert "ablation.json is no" in caplog.text


def test_re_ranking_is_left_out_of_sets_that_are_too_large_for_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = features_of(run)
    assert [ranking.is_reranked for ranking in rank_run(tested, 0)] == [False, True]
    monkeypatch.setattr("reid_gl.experiment.reporting.report_run.MAX_RERANKED", 10)
    assert [ranking.is_reranked for ranking in rank_run(tested, 0)] == [False]


def test_of_many_queries_the_worst_the_best_and_random_ones_are_chosen() -> None:
    precision = np.linspace(1, 0, 100)
    precision[50] = np.nan
    chosen = choose_queries(precision.tolist(), 30)
    assert len(set(chosen.tolist())) == 30
    assert chosen.tolist() == sorted(chosen.tolist())
    assert {50, *range(91, 100), *range(10)} <= set(chosen.tolist())
    assert choose_queries(precision.tolist(), 100).tolist() == list(range(100))
