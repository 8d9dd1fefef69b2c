from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from reid_gl.config import load_config
from reid_gl.experiment.score import keep_strategies, load_candidate, write_result
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
