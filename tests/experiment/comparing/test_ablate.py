from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reid_gl.config import load_config
from reid_gl.experiment import run_test, run_training
from reid_gl.experiment.comparing.ablate import RERANKING, list_combinations, run_ablation, switch_values
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from tests.experiment.conftest import RESNET, SMALL
from tests.inference.strategies.test_pooling_statistics import make_net


@pytest.fixture(scope="module")
def words(people: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that test a network of one epoch."""
    folder = tmp_path_factory.mktemp("ablate") / "run"
    words = [*SMALL, *RESNET, "SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(people), "OUTPUT_DIR", str(folder)]
    words += ["TEST.RERANK.K1", "5", "TEST.RERANK.K2", "2"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, _ = run_training(load_config(None, words))
    return [*words, "MODEL.WEIGHTS", str(weights)]


RERANK = ["TEST.RERANK.ENABLED", "True"]


def test_a_row_for_every_combination_from_one_pass(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0

    def count(_: Any, inputs: tuple[Tensor]) -> None:
        nonlocal seen
        seen += len(inputs[0])

    module = sys.modules["reid_gl.experiment.score"]
    load = module.open_weights

    def load_counting(*arguments: Any) -> Any:
        loaded = load(*arguments)
        loaded.net.backbone.conv1.register_forward_pre_hook(count)
        return loaded

    monkeypatch.setattr(module, "open_weights", load_counting)
    summary = run_ablation(load_config(None, [*words, *RERANK]))
    assert seen == 2 * (8 + 49)  # every image and its mirror image, once; no junk
    assert len(summary["rows"]) == 32
    assert len({tuple(row["on"]) for row in summary["rows"]}) == 32
    assert summary["rows"][0]["on"] == []
    assert summary["rows"][0]["gain"] == 0
    assert set(summary["switches"]) == {"mixing", "slope", "beta", "flip", RERANKING}
    assert summary["values"][RERANKING]["k1"] == 5
    assert "selects on the test set" in summary["caution"]
    folder = Path(words[-1]).parent
    assert json.loads((folder / "ablation_market1501_before_neck.json").read_text()) == summary


def test_rows_are_what_a_test_with_these_settings_gives(words: list[str]) -> None:
    summary = run_ablation(load_config(None, [*words, *RERANK, "TEST.MIXING", "0.7"]))
    rows = {tuple(row["on"]): row for row in summary["rows"]}
    on = {
        (): [],
        ("slope", "flip"): ["TEST.SLOPE", "0.5", "TEST.FLIP", "True"],
        ("mixing", "beta", RERANKING): [
            *("TEST.MIXING", "0.7", "TEST.BETA", "0.002", "TEST.METRIC", "euclidean", *RERANK)
        ],
    }
    for name, overrides in on.items():
        scores = run_test(load_config(None, [*words, *overrides]))
        assert (rows[name]["rank1"], rows[name]["mAP"]) == (scores["rank1"], scores["mAP"])


def test_a_preset_fills_the_switches_and_plain_rows_stay_cosine(words: list[str]) -> None:
    words = [*words, "TEST.RERANK.K1", "20", "TEST.RERANK.K2", "6"]  # the preset has its own
    summary = run_ablation(load_config(None, [*words, "TEST.PRESET", "in_shop"]))
    values = summary["values"]
    assert (values["mixing"], values["slope"], values["beta"], values["flip"]) == (0.57, 1.0, 0.002, True)
    assert values[RERANKING]["k1"] == 6
    plain = run_test(load_config(None, words))
    assert summary["rows"][0]["mAP"] == plain["mAP"]


@pytest.mark.parametrize("feature", ["after_neck", "concatenated"])
def test_after_the_neck_views_and_reranking_are_left(
    words: list[str], feature: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        summary = run_ablation(load_config(None, [*words, "TEST.FEATURE", feature]))
    assert set(summary["switches"]) == {"flip", RERANKING}
    assert [row["on"] for row in summary["rows"]] == [[], [RERANKING], ["flip"], ["flip", RERANKING]]
    assert caplog.text.count("combinations are left out: mixing, slope and beta act on the feature") == 1
    plain = run_test(load_config(None, [*words, "TEST.FEATURE", feature]))
    assert summary["rows"][0]["mAP"] == plain["mAP"]


def test_values_come_from_the_settings_or_are_the_defaults() -> None:
    assert list(switch_values(PLAIN, None).values())[:4] == [0.5, 0.5, 0.002, True]
    set_here = InferenceSettings(mixing=0.0, slope=0.1, beta=0.3)
    assert list(switch_values(set_here, None).values())[:4] == [0.0, 0.1, 0.3, True]


def test_switches_that_a_network_does_not_allow(caplog: pytest.LogCaptureFixture) -> None:
    values = switch_values(PLAIN, None)
    gem = {on for on, _ in list_combinations(make_net("gem"), "before_neck", values)}
    assert len(gem) == 24
    assert ("slope",) not in gem
    assert ("mixing", "slope") in gem
    with caplog.at_level(logging.INFO):
        own = list_combinations(make_net("mixed"), "before_neck", {**values, "mixing": 0.3})
    assert len(own) == 16
    assert not [on for on, _ in own if "mixing" in on]
    assert "without the switch mixing: the network was trained with that pooling" in caplog.text
