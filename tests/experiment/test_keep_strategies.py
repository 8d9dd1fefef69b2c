from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from reid_gl.cli.main import main
from reid_gl.config import load_config
from reid_gl.experiment.score import keep_strategies
from reid_gl.experiment.train import run_training
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.inference.strategies.apply import Strategies
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import load_net, read_checkpoint
from tests.tiny_checkpoint import write_checkpoint


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
    assert "had thresholds of other features, which are removed" in caplog.text
    checkpoint = read_checkpoint(weights)
    assert "calibration" not in checkpoint
    assert stored_strategies(checkpoint) == Strategies("after_neck", InferenceSettings(flip=True))
    after = load_net(weights).net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_one_of_many_settings_cannot_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--ablate", "--keep"]) == 1
    assert "--ablate scores many settings, --keep keeps one" in capsys.readouterr().err


def test_training_keeps_the_strategies_of_the_configuration(words: list[str]) -> None:
    words = [*words, "SOLVER.NUM_EPOCHS", "1", "TEST.MIXING", "0.3", "TEST.NUM_CROPS", "5"]
    weights, _ = run_training(load_config(None, words))
    expected = Strategies("before_neck", InferenceSettings(mixing=0.3, num_crops=5))
    assert stored_strategies(read_checkpoint(weights)) == expected


def test_a_strategy_that_cannot_act_is_refused_before_training(words: list[str], tmp_path: Path) -> None:
    words = [*words, "MODEL.POOLING", "gem", "TEST.SLOPE", "0.5"]
    with pytest.raises(ValueError, match=r"set TEST.MIXING too, or TEST.SLOPE 0 \(the test after this"):
        run_training(load_config(None, words))
    assert not (tmp_path / "run").exists()
