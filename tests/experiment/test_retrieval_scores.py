"""Training and tests on classes without cameras or gallery, with the commands for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reid_gl.config import load_config, load_experiment
from reid_gl.experiment import run_test, run_training
from reid_gl.experiment.comparing.ablate import run_ablation
from reid_gl.experiment.comparing.tune_inference import run_tuning
from reid_gl.experiment.load_data import load_data
from reid_gl.experiment.retrieval_scores import score_retrieval
from reid_gl.experiment.score import run_tests
from reid_gl.records import Features
from reid_gl.report.scores import format_scores
from tests.experiment.conftest import RESNET, SMALL


@pytest.fixture(scope="module")
def classes(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders train/{class} and test/{class} of links to images of people."""
    root = tmp_path_factory.mktemp("classes")
    for part, split in (("bounding_box_train", "train"), ("bounding_box_test", "test")):
        for path in sorted((people / part).glob("[0-9]*.jpg")):
            if int(path.name[:4]):
                folder = root / split / path.name[:4]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / path.name).symlink_to(path)
    return root


@pytest.fixture(scope="module")
def words(classes: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that test a network which was trained on most of the classes."""
    folder = tmp_path_factory.mktemp("retrieval") / "run"
    words = [*SMALL, *RESNET, "DATA.NAMES", "folders", "DATA.ROOT", str(classes), "OUTPUT_DIR", str(folder)]
    words += ["MODEL.EMBEDDING_DIM", "16", "INPUT.SIZE", "[32,32]", "INPUT.SHORTER_SIDE", "36"]
    words += ["INPUT.PAD", "0", "INPUT.CROP_AREA", "[0.5,1.0]"]
    words += ["SOLVER.NUM_EPOCHS", "1", "DATA.HOLDOUT", "0.3"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, _ = run_training(load_config(None, words))
    return [*words, "MODEL.WEIGHTS", str(weights)]


def test_scores_of_retrieval_stand_beside_those_of_people(words: list[str]) -> None:
    scores = run_test(load_config(None, words))
    assert scores["counts"] == {"queries": 48, "queries_scored": 48, "gallery": 48, "distractors": 0}
    recalls = [scores[f"recall@{k}"] for k in (1, 2, 4, 8)]
    assert recalls == sorted(recalls)
    assert scores["recall@1"] == scores["rank1"] > 0.5
    assert 0 < scores["MAP@R"] <= scores["R-precision"] <= 1
    assert {"NMI", "AMI", "F1"} <= scores.keys()
    title, row = format_scores({"a": scores}).splitlines()
    assert title.split()[:5] == ["R@1", "R@2", "R@4", "R@8", "mAP"]
    assert len(row.split()) == len(title.split())
    without = run_test(load_config(None, [*words, "TEST.CLUSTERING", "False"]))
    assert "NMI" not in without
    assert without["MAP@R"] == scores["MAP@R"]


def test_the_authors_inference_needs_no_more_than_its_name(words: list[str]) -> None:
    preset = run_test(load_config(None, [*words, "TEST.PRESET", "cub"]))
    assert (preset["rerank"]["doubled_pool"], preset["rerank"]["k1"]) == (True, 50)
    assert (preset["inference"]["mixing"], preset["distance"]) == (0.5, "euclidean")
    assert preset["recall@1"] == preset["rank1"] > 0.5
    assert preset["NMI"] > 0


def test_ablation_and_tuning_work_unchanged(words: list[str]) -> None:
    rerank = ["TEST.RERANK.K1", "4", "TEST.RERANK.K2", "2", "TEST.RERANK.DOUBLED_POOL", "True"]
    summary = run_ablation(load_config(None, [*words, *rerank, "TEST.RERANK.ENABLED", "True"]))
    assert len(summary["rows"]) == 32
    tuned = run_tuning(load_config(None, words))
    assert tuned["after"]["mAP"] >= tuned["before"]["mAP"]


def test_a_gallery_of_its_own_is_searched() -> None:
    rng = np.random.default_rng(0)
    pids = np.arange(6).repeat(4)
    rows = (np.eye(6)[pids] + 0.1 * rng.normal(size=(24, 6))).astype(np.float32)
    sides = [Features(rows[part::2], pids[part::2], np.full(12, -1)) for part in (0, 1)]
    settings: dict[str, Any] = {"metric": "cosine", "rerank": None, "max_memory_gb": None}
    scores = score_retrieval(sides[0], sides[1], ks=(1, 10, 1000), clustering=True, **settings)
    assert scores["recall@1"] == 1
    assert scores["NMI"] > 0.8
    assert [name for name in scores if name.startswith("recall")] == ["recall@1", "recall@10"]


def test_several_test_sets_by_their_names(words: list[str], people: Path) -> None:
    names = f"folders,market1501={people}"
    scores = run_tests(load_config(None, [*words, "DATA.TEST_NAMES", names]))
    first, second = scores.values()
    assert "recall@1" in first
    assert "recall@1" not in second
    assert second["protocol"]["name"] == "market1501"
    with pytest.raises(ValueError, match="a data set is named twice"):
        run_tests(load_config(None, [*words, "DATA.TEST_NAMES", "folders,folders"]))


def test_a_set_without_training_images_is_refused_by_training(people: Path, tmp_path: Path) -> None:
    words = [*SMALL, "DATA.ROOT", str(tmp_path), "OUTPUT_DIR", str(tmp_path / "run"), "DATA.NAMES", "table"]
    lines = [f"{path.name},7,{camera},{split}" for camera, split, path in _two_images(people, tmp_path)]
    (tmp_path / "mine.csv").write_text("\n".join(["path,pid,camid,split", *lines]))
    assert load_data(load_experiment(None, words).data).train == ()
    with pytest.raises(ValueError, match="has no training set: it can only be used for testing"):
        run_training(load_config(None, words))


def _two_images(people: Path, folder: Path) -> list[tuple[int, str, Path]]:
    found = []
    for camera, split in ((0, "query"), (1, "gallery")):
        path = folder / f"{split}.jpg"
        path.write_bytes(next((people / "query").iterdir()).read_bytes() + split.encode())  # two images
        found.append((camera, split, path))
    return found
