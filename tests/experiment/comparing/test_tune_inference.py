from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from reid_gl.config import load_config, load_experiment, read_experiment
from reid_gl.data.loading import cache_format as cache_form
from reid_gl.experiment import run_test, run_training
from reid_gl.experiment.comparing.tune_inference import GRIDS, Choice, coordinate_search, run_tuning
from reid_gl.experiment.load_data import hold_out, load_data
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.records import ReidDataset
from tests.experiment.conftest import RESNET, SMALL
from tests.made_up_people import write_people

HOLDOUT = ["DATA.HOLDOUT", "0.4"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that test a network of one epoch, which has not seen three of eight people."""
    folder = tmp_path_factory.mktemp("tune")
    people = write_people(folder / "market1501")
    words = [*SMALL, *RESNET, *HOLDOUT, "SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(people)]
    words += ["INPUT.SIZE", "[32,16]", "OUTPUT_DIR", str(folder / "run")]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, _ = run_training(load_config(None, words))
    return [*words, "MODEL.WEIGHTS", str(weights)]


@pytest.fixture
def dataset(words: list[str]) -> ReidDataset:
    return load_data(load_experiment(None, words).data)


def test_it_chooses_on_held_out_people_and_opens_no_test_image(
    words: list[str], dataset: ReidDataset, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = cache_form.read_image, set()

    def note(path: str) -> object:
        opened.add(path)
        return read(path)

    monkeypatch.setattr(cache_form, "read_image", note)
    with caplog.at_level(logging.WARNING):
        result = run_tuning(load_config(None, words))
    assert opened <= {sample.path for sample in dataset.train}
    assert len(opened) == 3 * 2 * 3
    assert result["identities"] == 3
    assert result["dataset"] == "held-out training identities"
    assert "3 held-out identities are few (less than 20)" in caplog.text
    assert result["after"]["mAP"] >= result["before"]["mAP"]
    assert run_tuning(load_config(None, words)) == result


def test_its_settings_are_those_of_a_test(words: list[str], dataset: ReidDataset) -> None:
    result = run_tuning(load_config(None, words))
    overrides = [str(word) for pair in result["settings"].items() for word in pair]
    assert "TEST.MIXING" in overrides
    scores = run_test(load_config(None, [*words, *overrides]), dataset)
    from_file = run_test(load_config(result["file"], words), dataset)
    assert scores == from_file
    assert Path(result["file"]).read_text().startswith("# Chosen by tune-inference on 3 held-out")


def test_before_is_the_plain_network_on_the_same_people(words: list[str]) -> None:
    config = load_config(None, [*words, "TEST.FLIP", "True"])
    data = read_experiment(config).data
    holdout = hold_out(data.holdout, load_data(data))
    assert holdout is not None
    result = run_tuning(config)
    assert result["settings"]["TEST.FLIP"] is True
    assert result["before"]["mAP"] == pytest.approx(run_test(config, holdout)["mAP"], abs=1e-9)


def test_after_the_neck_only_reranking_is_tuned(words: list[str]) -> None:
    result = run_tuning(load_config(None, [*words, "TEST.FEATURE", "after_neck"]))
    settings = result["settings"]
    assert (settings["TEST.MIXING"], settings["TEST.SLOPE"], settings["TEST.BETA"]) == (-1.0, 0.0, 0.0)
    assert (settings["TEST.FEATURE"], settings["TEST.METRIC"]) == ("after_neck", "cosine")


def test_a_search_finds_the_top_of_a_hill_and_ties_change_nothing() -> None:
    def score(choice: Choice) -> float:
        inference = choice.inference
        return -abs((inference.mixing or 0.0) - 0.75) - 2 * abs(inference.slope - inference.beta * 125)

    start = Choice(InferenceSettings(mixing=0.0, slope=1.0))
    found = coordinate_search(start, ["mixing", "slope", "beta"], score, lambda _: True)
    assert found.inference == InferenceSettings(
        mixing=0.75, slope=0.0
    )  # mixing, then the slope beta 0 asks for
    blocked = coordinate_search(
        start, ["mixing", "slope"], score, lambda choice: choice.inference.mixing != 0.75
    )
    assert blocked.inference.mixing == 0.5
    assert coordinate_search(start, list(GRIDS)[:3], lambda _: 0.5, lambda _: True) == start


def test_a_network_that_has_seen_everybody_is_refused(words: list[str], tmp_path: Path) -> None:
    seen = [*words, "DATA.HOLDOUT", "0.0", "OUTPUT_DIR", str(tmp_path / "run")]
    weights, _ = run_training(load_config(None, seen))
    with pytest.raises(
        ValueError,
        match=r"trained on every training identity \(DATA.HOLDOUT 0\).*train with DATA.HOLDOUT 0.1",
    ):
        run_tuning(load_config(None, [*words, "MODEL.WEIGHTS", str(weights)]))


def test_another_training_set_is_refused(words: list[str], tmp_path: Path) -> None:
    others = write_people(tmp_path / "market1501", num_people=9)
    with pytest.raises(
        ValueError, match=r"was not trained on the market1501 found here .*give DATA.NAMES and"
    ):
        run_tuning(load_config(None, [*words, "DATA.ROOT", str(others)]))
