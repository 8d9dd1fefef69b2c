"""Training on several gloo ranks, as test_train has it in one process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reid_gl.models import read_checkpoint
from tests.distributed.run_ranks import check_ranks
from tests.experiment.rank_training import (
    refuse,
    resume_elsewhere,
    train,
    train_in_other_ways,
    train_straight_and_stopped,
)
from tests.experiment.test_train import assert_same, training_state

pytestmark = pytest.mark.slow


def log_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_ranks_train_like_one_process_and_resume_bit_for_bit(words: list[str], tmp_path: Path) -> None:
    words += ["SOLVER.EMA_DECAY", "0.9", "SOLVER.NUM_EPOCHS", "2", "SOLVER.EVALUATE_EVERY", "1"]
    check_ranks(train_straight_and_stopped, 2, words, tmp_path)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert_same(training_state(stopped), training_state(straight))
    at_the_signal = read_checkpoint(tmp_path / "moved")
    assert (at_the_signal["training"]["epoch"], at_the_signal["training"]["step"]) == (1, 2)
    lines = log_lines(straight)
    assert [line["epoch"] for line in lines] == [1, 1, 2, 2]  # one writer
    assert [line["type"] for line in lines] == ["step", "evaluation"] * 2

    alone = train([*words, "OUTPUT_DIR", str(tmp_path / "alone"), "SOLVER.NUM_EPOCHS", "1"])
    expected = log_lines(alone)
    for term in ("group", "cross_entropy", "total"):
        assert lines[0][term] == pytest.approx(expected[0][term], rel=0.02)
    for score in ("rank1", "mAP"):  # seeds differ by more
        assert lines[1][score] == pytest.approx(expected[1][score], abs=0.02)

    for world_size in (1, 4):
        elsewhere = tmp_path / f"on_{world_size}"
        shutil.copytree(stopped, elsewhere)
        shutil.copy(tmp_path / "moved", elsewhere / "training.ckpt")
        there = [*words, "OUTPUT_DIR", str(elsewhere)]
        if world_size == 1:
            train(there, resume=True)
        else:
            check_ranks(resume_elsewhere, world_size, there)
        resumed = training_state(elsewhere)
        assert (resumed["epoch"], resumed["step"]) == (2, 0)
        assert resumed["metrics"].keys() == {"rank1", "mAP"}


def test_mistakes_on_any_rank_are_told_by_the_first_before_anything_is_made(
    words: list[str], tmp_path: Path
) -> None:
    check_ranks(refuse, 2, words, tmp_path)


def test_frozen_backbones_parts_caches_and_own_losses_work_on_ranks(words: list[str], tmp_path: Path) -> None:
    words += ["SOLVER.EVALUATE_EVERY", "1"]
    check_ranks(train_in_other_ways, 2, words, tmp_path)
    assert training_state(tmp_path / "run")["epoch"] == 2
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert all(0 < line["total"] < 20 for line in log_lines(tmp_path / "run") if line["type"] == "step")
