from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from reid_gl.config import load_config
from reid_gl.experiment.reporting.report import write_report
from reid_gl.experiment.score import ScoredFeatures, keep_strategies, load_candidate, run_tests, write_result
from reid_gl.experiment.train import run_training
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.inference.strategies.apply import Strategies
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import load_net, read_checkpoint
from tests.experiment.conftest import RESNET
from tests.tiny_checkpoint import COLOURS, write_checkpoint


def test_other_strategies_replace_those_of_the_checkpoint_and_its_thresholds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt", calibration={"any": 1})
    before = load_net(weights).net.state_dict()
    words = ["MODEL.WEIGHTS", str(weights)]
    with caplog.at_level(logging.WARNING, "reid_gl"):
        keep_strategies(load_config(None, words))
        assert "calibration" in read_checkpoint(weights)  # the same features
        keep_strategies(load_config(None, [*words, "TEST.FLIP", "True"]))
    assert "had thresholds for other features, which are removed" in caplog.text
    checkpoint = read_checkpoint(weights)
    assert "calibration" not in checkpoint
    assert stored_strategies(checkpoint) == Strategies("after_neck", InferenceSettings(flip=True))
    after = load_net(weights).net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_training_keeps_the_strategies_of_the_configuration(words: list[str]) -> None:
    words = [*words, "SOLVER.NUM_EPOCHS", "1", "TEST.MIXING", "0.3", "TEST.NUM_CROPS", "5"]
    weights, _ = run_training(load_config(None, words))
    expected = Strategies("before_neck", InferenceSettings(mixing=0.3, num_crops=5))
    assert stored_strategies(read_checkpoint(weights)) == expected


def test_a_strategy_that_cannot_act_is_refused_before_training(words: list[str], tmp_path: Path) -> None:
    words = [*words, *RESNET, "MODEL.POOLING", "gem", "TEST.SLOPE", "0.5"]
    with pytest.raises(ValueError, match=r"set TEST.MIXING too, or TEST.SLOPE 0 \(the test after this"):
        run_training(load_config(None, words))
    assert not (tmp_path / "run").exists()


def test_a_result_stands_beside_its_weights_under_a_name_of_its_words(tmp_path: Path) -> None:
    words = ["test", "market1501", "", "mixing 0.3, flip"]
    path = write_result({"mAP": 0.5}, tmp_path / "model.ckpt", words)
    assert path == tmp_path / "test_market1501_mixing_0.3_flip.json"
    assert json.loads(path.read_text()) == {"mAP": 0.5}


def test_a_candidate_says_where_its_scores_come_from(words: list[str], tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt")
    words = [*words, "MODEL.WEIGHTS", str(weights), "TEST.PRECISION", "float32"]
    candidate = load_candidate(load_config(None, words))
    assert candidate.describe() == {
        "dataset": "market1501",
        "feature": "before_neck",
        "dtype": "float32",
        "device": "cpu",
        "weights": str(weights),
        "epoch": 1,
    }
    assert candidate.preprocessing == COLOURS
    with pytest.raises(
        ValueError, match="market1501 has a gallery, and a doubled pool is for sets that search"
    ):
        load_candidate(
            load_config(None, [*words, "TEST.RERANK.ENABLED", "True", "TEST.RERANK.DOUBLED_POOL", "True"])
        )


PERSON = [7.0, 10, 10, 20, 40]
RED, BLUE = (200, 20, 20), (20, 20, 200)


def _write_prw(root: Path) -> None:
    """The query and a red stranger in a frame; the person, red, in the same camera and, blue, in another."""
    (root / "annotations").mkdir(parents=True)
    (root / "frames").mkdir()
    scenes = {
        "c1s1_000001": [(PERSON, RED), ([-2.0, 50, 10, 20, 40], RED)],
        "c1s1_000002": [(PERSON, RED)],
        "c2s1_000003": [(PERSON, BLUE)],
    }
    for frame, people in scenes.items():
        image = np.full((60, 90, 3), 90, np.uint8)
        for (_, x, y, width, height), colour in people:
            image[int(y) : int(y + height), int(x) : int(x + width)] = colour
        Image.fromarray(image).save(root / "frames" / f"{frame}.jpg", quality=100, subsampling=0)
        savemat(root / "annotations" / f"{frame}.jpg.mat", {"box_new": np.array([box for box, _ in people])})
    for part in ("train", "test"):
        cells = np.array(list(scenes), dtype=object)[:, None]
        savemat(root / f"frame_{part}.mat", {f"img_index_{part}": cells})
    (root / "query_info.txt").write_text("7 10 10 20 40 c1s1_000001\n")


def test_person_search_by_the_name_of_the_set(tmp_path: Path) -> None:
    _write_prw(tmp_path / "PRW")
    weights = write_checkpoint(tmp_path / "net.ckpt")
    names = "prw,prw_cross_camera"
    words = ["DATA.NAMES", names, "DATA.ROOT", str(tmp_path)]
    words += ["MODEL.WEIGHTS", str(weights), "MODEL.DEVICE", "cpu", "DATA.NUM_WORKERS", "0"]
    tested: list[ScoredFeatures] = []
    scores = run_tests(load_config(None, words), also=tested.append)
    assert list(scores) == names.split(",")
    # the stranger in the query's own frame, who looks like her, is not searched
    assert [(one["rank1"], one["mAP"], one["counts"]["gallery"]) for one in scores.values()] == [
        (1, 1, 4)
    ] * 2
    assert {one["protocol"]["name"] for one in scores.values()} == {"person search"}
    table = tmp_path / "boxes.csv"
    table.write_text(
        "path,x1,y1,x2,y2,score\nc1s1_000002.jpg,10,10,30,50,0.9\nc2s1_000003.jpg,60,5,80,50,0.8\n"
    )
    found = run_tests(load_config(None, [*words, "DATA.DETECTIONS", str(table)]))
    assert [(one["rank1"], one["mAP"]) for one in found.values()] == [(1, 0.5), (0, 0)]
    with pytest.raises(ValueError, match="in prw a query searches scenes of its own: reid-gl test gives its"):
        write_report(tested[:1], tmp_path / "report.html")


def test_detections_are_for_person_search(words: list[str], tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt")
    words = [*words, "MODEL.WEIGHTS", str(weights), "DATA.DETECTIONS", "boxes.csv"]
    with pytest.raises(ValueError, match=r"boxes\.csv is for sets of person search, and market1501 is none"):
        run_tests(load_config(None, words))
