from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import pytest
import torch

from reid_gl.cli.experiment import (
    add_config_arguments,
    log_little_of_scoring,
    prepare_torch,
    print_all_scores,
    print_scores,
    read_arguments,
    split_overrides,
)
from reid_gl.inference.strategies.settings import InferenceSettings

SCORES = {"dataset": "market1501", "feature": "after_neck", "distance": "cosine", "rank1": 0.5, "mAP": 0.25}


def test_the_configuration_is_that_of_the_file_and_the_words_after_it() -> None:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    words = ["--config-file", "configs/market.yml", "SEED", "7", "INPUT.SIZE", "[64,32]"]
    experiment = read_arguments(parser.parse_args(words))
    assert (experiment.seed, experiment.data.names) == (7, "market1501")
    assert (experiment.preprocessing.height, experiment.preprocessing.width) == (64, 32)
    assert experiment.output_dir == Path("runs/market")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ([], [])),
        (["a", "b"], (["a", "b"], [])),
        (["a", "SEED", "1", "TEST.METRIC", "cosine"], (["a"], ["SEED", "1", "TEST.METRIC", "cosine"])),
        (["OUTPUT_DIR", "x"], ([], ["OUTPUT_DIR", "x"])),
        (["MARKET", "Seed", "a.b", "TEST."], (["MARKET", "Seed", "a.b", "TEST."], [])),
    ],
)
def test_overrides_begin_with_the_first_key(words: list[str], expected: tuple[list[str], list[str]]) -> None:
    assert split_overrides(words) == expected


def test_the_seed_makes_weights_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    draws = []
    for seed in (3, 3, 4):
        prepare_torch(seed)
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] != draws[2]


def test_a_search_does_not_repeat_the_lines_of_scoring(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("reid_gl.evaluation")
    level = logger.level
    caplog.set_level(logging.INFO, "reid_gl")
    try:
        log_little_of_scoring()
        logging.getLogger("reid_gl.evaluation.scores").info("quiet")
        logging.getLogger("reid_gl.evaluation.scores").warning("loud")
        logging.getLogger("reid_gl.experiment").info("heard")
    finally:
        logger.setLevel(level)
    assert caplog.messages == ["loud", "heard"]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({}, "market1501 (after_neck, cosine)"),
        ({"rerank": {"k1": 20}}, "market1501 (after_neck, cosine, re-ranked)"),
        ({"rerank": None, "inference": {}}, "market1501 (after_neck, cosine)"),
    ],
)
def test_the_table_goes_to_stderr_and_one_line_of_json_to_stdout(
    more: dict[str, object], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_scores({**SCORES, **more})
    answer = capsys.readouterr()
    assert json.loads(answer.out) == {**SCORES, **more}
    assert answer.out.count("\n") == 1
    title, row = answer.err.splitlines()
    assert row.split(")")[0] + ")" == name
    assert row.split()[-2:] == ["50.0", "25.0"]
    assert "rank-1" in title


def test_strategies_stand_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores({**SCORES, "inference": {"flip": True}})
    switches = str(InferenceSettings(flip=True))
    assert f"(after_neck, cosine, {switches})" in capsys.readouterr().err


def test_several_sets_are_one_table_and_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"market1501": SCORES, "msmt17": {**SCORES, "dataset": "msmt17", "rank1": 0.1}}
    print_all_scores(scores)
    answer = capsys.readouterr()
    assert json.loads(answer.out) == scores
    assert [line.split(" (")[0] for line in answer.err.splitlines()[1:]] == ["market1501", "msmt17"]
