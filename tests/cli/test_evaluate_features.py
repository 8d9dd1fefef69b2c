from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reid_gl.evaluation import GnnRerankSettings, RerankSettings, evaluate_features, verify_pairs
from reid_gl.evaluation.feature_files import load_features
from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols
from tests.cli.test_commands import call


@pytest.fixture
def features(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "features.npz"
    pids = {"query_pids": np.arange(6), "gallery_pids": np.arange(30) % 6}
    cameras = {"query_camids": np.zeros(6, int), "gallery_camids": rng.integers(0, 3, 30)}
    np.savez(path, query=rng.normal(size=(6, 4)), gallery=rng.normal(size=(30, 4)), **pids, **cameras)
    return path


def test_scores_and_reranked_scores(features: Path) -> None:
    answer = call(
        "evaluate_features", features, "--rerank", "--gnn-rerank", "--k1", 5, "--k2", 2, "--lambda", 0.5
    )
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    plain = evaluate_features(*load_features(features))
    reranked = evaluate_features(*load_features(features), rerank=RerankSettings(5, 2, 0.5))
    assert result["scores"]["cosine"]["mAP"] == plain.mean_ap
    assert result["scores"]["cosine, re-ranked"]["mAP"] == reranked.mean_ap != plain.mean_ap
    assert result["scores"]["cosine"]["mAP_trapezoid"] == plain.mean_ap_trapezoid
    approximate = evaluate_features(*load_features(features), rerank=GnnRerankSettings())
    assert result["scores"]["cosine, GNN (approximate)"]["mAP"] == approximate.mean_ap
    assert result["use_cameras"] is True
    assert "mAP (trapezoid)" in answer.stderr


def test_camera_pairs_are_printed_and_summed_up(features: Path) -> None:
    answer = call("evaluate_features", features, "--camera-pairs")
    assert answer.returncode == 0, answer.stderr
    pairs = json.loads(answer.stdout)["camera_pairs"]
    assert [(pair["query_camid"], pair["gallery_camid"]) for pair in pairs] == [(0, 0), (0, 1), (0, 2)]
    assert pairs[0]["scores"] is None  # the queries' own camera
    low, high = pairs[1]["scores"]["mAP_interval_95"]
    assert low <= pairs[1]["scores"]["mAP"] <= high
    cells = answer.stderr.splitlines()[-1].split()
    assert cells == ["0", "-", *(f"{100 * pair['scores']['mAP']:.1f}" for pair in pairs[1:])]


def test_verification_and_single_shot(features: Path) -> None:
    answer = call("evaluate_features", features, "--verification", "--single-shot")
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    query, gallery = load_features(features)
    expected = verify_pairs(query, gallery)
    assert result["verification"]["equal_error_rate"] == expected.equal_error_rate
    points = result["verification"]["points"]
    assert [point["false_positive_rate"] for point in points] == [1e-4, 1e-3, 1e-2]
    assert points[0]["true_positive_rate"] is None  # fewer than 10,000 pairs
    assert "false positive rate 0.0001: " in answer.stderr
    assert points[2]["true_positive_rate"] == expected.points[2].true_positive_rate
    assert 0 < result["single_shot"]["expected"]["rank1"] < result["single_shot"]["expected"]["rank5"] < 1


def test_without_cameras_there_is_no_camera_rule(features: Path, tmp_path: Path) -> None:
    arrays = {key: value for key, value in np.load(features).items() if "camids" not in key}
    np.savez(tmp_path / "bare.npz", **arrays)
    bare, ignored = (
        call("evaluate_features", tmp_path / "bare.npz"),
        call("evaluate_features", features, "--no-cameras"),
    )
    assert "not every image has a camera" in bare.stderr
    assert json.loads(bare.stdout)["scores"] == json.loads(ignored.stdout)["scores"]
    assert json.loads(bare.stdout)["use_cameras"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.npz"], "feature file none.npz does not exist"),
        (["FEATURES", "--rerank", "--k1", "0"], "re-ranking needs a whole k1 of at least 1, got 0"),
        (["FEATURES", "--rerank", "--lambda", "2"], "lambda must lie in [0, 1], got 2.0"),
    ],
)
def test_a_mistake_ends_in_one_sentence(words: list[str], message: str, features: Path) -> None:
    answer = call("evaluate_features", *(features if word == "FEATURES" else word for word in words))
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_who_is_found_again_some_frames_later(tmp_path: Path) -> None:
    path = tmp_path / "mot.npz"
    rows = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1], [1, 0.1], [0.2, 1]])
    np.savez(path, features=rows, ids=[0, 1] * 3, frames=[1, 1, 2, 2, 3, 3])
    answer = call("evaluate_features", path, "--reassociation", 1, 2)
    assert answer.returncode == 0, answer.stderr
    first, second = json.loads(answer.stdout)["reassociation"]
    assert (first["gap"], first["rank1"], first["num_scored"], first["chance"]) == (1, 1, 4, 0.5)
    assert (second["gap"], second["rank1"], second["num_scored"]) == (2, 1, 2)
    assert "2 frames later: 100.0 % are the nearest (chance 50.0 %)" in answer.stderr
    wrong = call("evaluate_features", path, "--reassociation", 9)
    assert wrong.returncode == 1
    assert "nobody is seen by the same camera 9 frames later" in wrong.stderr


def test_clothes_in_the_file_give_the_scores_of_their_protocols(features: Path, tmp_path: Path) -> None:
    clothes = {
        "query_clothes": np.arange(6),
        "gallery_clothes": np.arange(30) % 6 + 100 * (np.arange(30) > 14),
    }
    path = tmp_path / "clothes.npz"
    np.savez(path, **np.load(features), **clothes)
    answer = call("evaluate_features", path, "--rerank", "--gnn-rerank")
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    assert set(result["groups"]) == {"cosine", "cosine, re-ranked"}
    expected = evaluate_group_protocols(*load_features(path), ("same_clothes", "clothes_changing"))
    for name, scores in expected.items():
        assert scores is not None
        assert result["groups"]["cosine"][name]["mAP"] == scores.mean_ap
    assert result["groups"]["cosine, re-ranked"]["same_clothes"] is not None
    assert "cosine, clothes changing" in answer.stderr
    assert "groups" not in json.loads(call("evaluate_features", features).stdout)
    assert "groups" not in json.loads(call("evaluate_features", path, "--no-cameras").stdout)


def test_clothes_without_cameras_are_said(features: Path, tmp_path: Path) -> None:
    arrays = {name: values for name, values in np.load(features).items() if "camids" not in name}
    np.savez(tmp_path / "bare.npz", **arrays, query_clothes=np.arange(6), gallery_clothes=np.arange(30) % 6)
    answer = call("evaluate_features", tmp_path / "bare.npz")
    assert answer.returncode == 0, answer.stderr
    assert "no scores by clothes or day: 5 of 5 queries have no camera" in answer.stderr
    assert "groups" not in json.loads(answer.stdout)
