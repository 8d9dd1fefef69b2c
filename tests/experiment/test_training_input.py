from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reid_gl.models import read_checkpoint
from reid_gl.training.fit import Interrupted
from tests.experiment.test_train import assert_same, train, training_state


def test_a_cache_changes_no_bit_and_outlives_an_interruption(
    words: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words += ["SOLVER.NUM_EPOCHS", "2"]
    plain = train([*words, "OUTPUT_DIR", str(tmp_path / "plain")])
    words += ["DATA.CACHE", str(tmp_path / "cache"), "DATA.NUM_WORKERS", "2"]
    with caplog.at_level(logging.INFO), pytest.raises(Interrupted):
        train(words, stop_after=8)
    assert "decoding" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        resumed = train(words, resume=True)
    assert "decoding" not in caplog.text
    assert_same(training_state(resumed), training_state(plain))


def test_random_crops_train_and_the_centre_is_tested(words: list[str], tmp_path: Path) -> None:
    words += ["INPUT.CROP_AREA", "[0.3,1.0]", "INPUT.PAD", "0", "INPUT.SHORTER_SIDE", "72"]
    words += ["SOLVER.NUM_EPOCHS", "1", "SOLVER.EVALUATE_EVERY", "1"]
    checkpoint = read_checkpoint(train(words) / "model.ckpt")
    assert checkpoint["preprocessing"]["shorter_side"] == 72
    assert 0 < checkpoint["metrics"]["mAP"] <= 1
    cached = read_checkpoint(
        train([*words, "DATA.CACHE", str(tmp_path / "cache"), "OUTPUT_DIR", str(tmp_path / "cached")])
        / "model.ckpt"
    )
    assert cached["epoch"] == 1
