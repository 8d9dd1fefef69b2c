from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch

from reid_gl.config import load_config
from reid_gl.experiment import run_training
from tests.cli.test_commands import call
from tests.experiment.conftest import RESNET, SMALL
from tests.made_up_people import write_people


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("tune")
    people = write_people(folder / "market1501")
    words = [*SMALL, *RESNET, "DATA.ROOT", str(people), "DATA.HOLDOUT", "0.5", "SOLVER.NUM_EPOCHS", "1"]
    words += ["INPUT.SIZE", "[32,16]", "OUTPUT_DIR", str(folder / "a run")]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, _ = run_training(load_config(None, words))
    return [*words, "MODEL.WEIGHTS", str(weights)]


def test_the_command_it_prints_can_be_pasted(words: list[str]) -> None:
    tuned = call("tune_inference", *words)
    assert tuned.returncode == 0, tuned.stderr
    result = json.loads(tuned.stdout)
    assert f"I test with them: {result['command']}" in tuned.stderr
    assert "4 held-out identities are few" in tuned.stderr
    assert "I re-ranking" not in tuned.stderr
    assert [line.split()[0] for line in tuned.stderr.splitlines() if "  " in line][1:] == ["before", "after"]
    program, *rest = shlex.split(result["command"])
    assert program == "reid-gl"  # a wheel has no tools/
    tested = call(*rest)
    assert tested.returncode == 0, tested.stderr
    scores = json.loads(tested.stdout)
    assert scores["dataset"] == "market1501"
    assert scores["inference"]["beta"] == result["settings"]["TEST.BETA"]
    assert scores["inference"]["slope"] == result["settings"]["TEST.SLOPE"]
    assert (scores["rerank"] is not None) is result["settings"]["TEST.RERANK.ENABLED"]


def test_ablate_prints_both_tables_and_the_caution(words: list[str]) -> None:
    answer = call("test", *words, "--ablate")
    assert answer.returncode == 0, answer.stderr
    summary = json.loads(answer.stdout)
    assert len(summary["rows"]) == 32
    assert len(answer.stdout.splitlines()) == 1
    assert "mixing  slope  beta  flip  re-ranking  rank-1" in answer.stderr
    assert "gain of mAP" in answer.stderr
    assert "W these are scores on the test set" in answer.stderr
    assert "tune-inference chooses on held-out training identities" in answer.stderr


def test_a_preset_is_one_word_and_named_in_the_result(words: list[str], tmp_path: Path) -> None:
    answer = call("test", *words, "TEST.PRESET", "in_shop")
    assert answer.returncode == 0, answer.stderr
    scores = json.loads(answer.stdout)
    assert scores["inference"] == {"mixing": 0.57, "slope": 1.0, "beta": 0.002, "flip": False, "num_crops": 1}
    assert (scores["rerank"]["k1"], scores["distance"]) == (6, "euclidean")
    assert "(before_neck, euclidean, mixing 0.57, slope 1, beta 0.002, re-ranked)" in answer.stderr
    name = "test_market1501_before_neck_euclidean_mixing_0.57_slope_1_beta_0.002_reranked.json"
    assert json.loads((Path(words[-1]).parent / name).read_text()) == scores
    refused = call("test", *words, "TEST.PRESET", "sop")
    assert "market1501 has a gallery, and a doubled pool is for sets that search themselves" in refused.stderr
