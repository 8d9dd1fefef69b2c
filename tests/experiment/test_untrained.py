from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reid_gl.config import load_config
from reid_gl.evaluation import evaluate_ranking
from reid_gl.experiment import untrained
from reid_gl.experiment.untrained import run_untrained
from reid_gl.records import RankingResult

RESULT = evaluate_ranking(np.array([[1.0, 2.0]]), np.array([1]), np.array([2, 1]))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.Tensor, dict[str, Any]]]:
    """The first weights of each network that is scored, and the settings."""
    noted: list[tuple[torch.Tensor, dict[str, Any]]] = []

    def evaluate(net: nn.Module, dataset: object, **settings: Any) -> RankingResult:
        noted.append((next(net.parameters()).detach().clone(), settings))
        return RESULT

    monkeypatch.setattr(untrained, "evaluate", evaluate)
    return noted


def test_the_seed_decides_and_nobody_else_is_drawn_from(
    words: list[str], calls: list[tuple[torch.Tensor, dict[str, Any]]]
) -> None:
    before = torch.get_rng_state()
    for seed in ("0", "0", "1"):
        run_untrained(load_config(None, [*words, "SEED", seed]))
    first, again, other = (weights for weights, _ in calls)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_features_are_those_before_the_neck_in_float32_without_reranking(
    words: list[str], calls: list[tuple[torch.Tensor, dict[str, Any]]]
) -> None:
    others = ["TEST.RERANK.ENABLED", "True", "TEST.FEATURE", "after_neck", "TEST.METRIC", "euclidean"]
    scores = run_untrained(load_config(None, [*words, *others]))
    ((_, settings),) = calls
    assert (settings["feature"], settings["precision"], settings["rerank"]) == (
        "before_neck",
        "float32",
        None,
    )
    assert (scores["feature"], scores["dtype"], scores["distance"]) == ("before_neck", "float32", "euclidean")
    assert (scores["mAP"], scores["dataset"]) == (0.5, "market1501")


def test_random_weights_can_be_scored(words: list[str]) -> None:
    scores = run_untrained(load_config(None, [*words, "INPUT.SIZE", "[32,16]"]))
    assert 0 < scores["mAP"] <= 1
