from __future__ import annotations

import json
import logging
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reid_gl.config import load_config, load_experiment
from reid_gl.experiment.comparing import compare_losses, jobs, series
from reid_gl.experiment.comparing.compare_losses import Contender, parse_losses, run_comparison, vary_setting
from reid_gl.experiment.load_data import load_data
from reid_gl.training.fit import Interrupted
from tests.distributed.run_ranks import forkserver
from tests.experiment.conftest import SMALL

CE, GROUP = parse_losses("ce"), parse_losses("ce+group")
RESULT = {"rank1": 0.5, "mAP": 0.25, "seconds": 3.0, "was_resumed": False}


@pytest.fixture
def small(words: list[str]) -> list[str]:
    return [*words, "COMPARE.NUM_EPOCHS", "1"]


@pytest.fixture(scope="module")
def finished(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A comparison of two losses over two seeds that nothing stopped: its folder and its summary."""
    folder = tmp_path_factory.mktemp("finished") / "compared"
    words = [*SMALL, "DATA.ROOT", str(people), "COMPARE.NUM_EPOCHS", "1"]
    return folder, compare(words, folder, CE, GROUP, num_seeds=2)


def compare(
    words: list[str], folder: Path, *contenders: Contender, num_seeds: int = 1, **more: Any
) -> dict[str, Any]:
    return run_comparison(None, words, contenders, num_seeds=num_seeds, folder=folder, **more)


@pytest.mark.parametrize(
    ("text", "names", "weights"),
    [
        ("ce", ["cross_entropy"], [1.0]),
        ("ce+group", ["cross_entropy", "group"], [1.0, 1.0]),
        ("ce+0.4*rll", ["cross_entropy", "ranked_list"], [1.0, 0.4]),
        ("2*ms", ["multi_similarity"], [2.0]),
        ("cosface", ["cosface"], [1.0]),
    ],
)
def test_losses_are_read_with_their_weights(text: str, names: list[str], weights: list[float]) -> None:
    contender = parse_losses(text)
    assert contender.name == text
    assert contender.overrides[::2] == ("LOSS.NAMES", "LOSS.WEIGHTS")
    assert [json.loads(word) for word in contender.overrides[1::2]] == [names, weights]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ce+much*rll", r"cannot read 'much\*rll' in 'ce\+much\*rll'"),
        ("ce+", r"a loss is missing in 'ce\+'"),
    ],
)
def test_losses_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_losses(text)


def test_weights_that_are_not_the_configuration_s_are_said(
    small: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [*small, "LOSS.NAMES", "[group, cross_entropy]", "LOSS.WEIGHTS", "[0.015, 1.0]"]
    contenders = [parse_losses("ce+group"), parse_losses("ce+0.02*group"), parse_losses("ms")]
    with pytest.raises(Interrupted):
        compare(words, tmp_path / "compare", *contenders, stop_signal=lambda: 15)
    said = [record.getMessage() for record in caplog.records if "weight" in record.getMessage()]
    assert said == [
        "ce+group compares group with weight 1, the configuration gives it 0.015: write 0.015*group for that"
    ]


def test_values_of_a_setting_become_contenders() -> None:
    contenders = vary_setting("LOSS.GROUP.NUM_STEPS", ["1", "3"], CE)
    assert [one.name for one in contenders] == ["ce,LOSS.GROUP.NUM_STEPS=1", "ce,LOSS.GROUP.NUM_STEPS=3"]
    assert contenders[1].overrides == (*CE.overrides, "LOSS.GROUP.NUM_STEPS", "3")
    assert vary_setting("INPUT.PAD", ["1"], None)[0].overrides == ("INPUT.PAD", "1")


@pytest.mark.parametrize("key", ["SEED", "COMPARE.NUM_EPOCHS", "SOLVER.NUM_EPOCHS", "SOLVER.EVALUATE_EVERY"])
def test_what_a_comparison_sets_itself_cannot_be_varied(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} cannot be varied"):
        vary_setting(key, ["1"], None)


def test_names_that_look_alike_have_folders_of_their_own(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_result(_: None, words: list[str], place: Path, *others: object) -> None:
        place.mkdir(parents=True)
        (place / "result.json").write_text(json.dumps(RESULT))

    monkeypatch.setattr(compare_losses, "_run", write_result)
    contenders = [Contender(name, CE.overrides) for name in ("a/b", "a_b", "a b")]
    compare(small, tmp_path / "compared", *contenders)
    assert len(list((tmp_path / "compared").glob("*/seed0/result.json"))) == 3


def test_every_contender_is_trained_with_every_seed_and_nothing_twice(
    small: list[str], finished: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first = finished
    assert list(first["results"]) == ["ce", "ce+group"]
    assert first["num_epochs"] == 1  # not the three of SOLVER.NUM_EPOCHS
    for result in first["results"].values():
        assert len(result["rank1"]["values"]) == len(result["mAP"]["values"]) == 2
        assert all(0 < value <= 1 for value in result["mAP"]["values"])
    log = (folder / "ce+group" / "seed1" / "log.jsonl").read_text()
    assert '"group"' in log
    assert '"epoch": 1' in log
    assert '"epoch": 2' not in log
    assert json.loads((folder / "comparison.json").read_text()) == first
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.rglob("*.ckpt"))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(series, "run_training", fail)
    assert list(compare(small, folder, GROUP)["results"]) == ["ce+group"]
    assert compare(small, folder, CE, GROUP, num_seeds=2) == first


def test_jobs_give_the_results_of_one_after_the_other_and_resume(
    small: list[str],
    finished: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="reid_gl")
    monkeypatch.setattr(jobs, "START_METHOD", forkserver().get_start_method())  # has imported everything
    both = compare(small, tmp_path / "two", CE, GROUP, num_jobs=2)
    assert list(both["results"]) == ["ce", "ce+group"]
    for name, result in both["results"].items():
        assert result["mAP"]["values"] == finished[1]["results"][name]["mAP"]["values"][:1]
        assert f"[{name}, seed 0] market1501: 48 training images of 8 identities" in caplog.messages
    assert not list((tmp_path / "two").rglob("*.ckpt"))
    assert compare(small, tmp_path / "two", CE, GROUP, num_jobs=2) == both


def test_no_jobs_are_refused(small: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--jobs must be at least 1, got 0"):
        compare(small, tmp_path / "compared", CE, num_jobs=0)
    assert not (tmp_path / "compared").exists()


def test_with_a_holdout_the_test_set_is_not_looked_at(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested, test = [], compare_losses.run_test

    def run_test(config: Any, dataset: Any) -> dict[str, Any]:
        tested.append({sample.pid for sample in (*dataset.query, *dataset.gallery)})
        return test(config, dataset)

    monkeypatch.setattr(compare_losses, "run_test", run_test)
    words = [*small, "DATA.HOLDOUT", "0.4", "SOLVER.EVALUATE_EVERY", "1"]
    summary = compare(words, tmp_path / "compared", CE)
    whole = load_data(load_experiment(None, words).data)
    assert summary["tested_on"] == "held-out training identities"
    assert tested[0] < {sample.pid for sample in whole.train}
    log = (tmp_path / "compared" / "ce" / "seed0" / "log.jsonl").read_text()
    assert "mAP" not in log


def test_a_stopped_comparison_goes_on_where_it_was(
    small: list[str], finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    steps = count(1)
    with pytest.raises(Interrupted):
        compare(small, tmp_path / "stopped", CE, num_seeds=2, stop_signal=lambda: 15 * (next(steps) == 9))
    done = tmp_path / "stopped" / "ce" / "seed0" / "result.json"
    assert done.exists()
    assert not (tmp_path / "stopped" / "comparison.json").exists()
    resumed = compare(small, tmp_path / "stopped", CE, num_seeds=2)
    for score in ("rank1", "mAP"):
        assert resumed["results"]["ce"][score] == finished[1]["results"]["ce"][score]
    assert json.loads((tmp_path / "stopped/ce/seed1/result.json").read_text())["was_resumed"]


def test_seeds_count_up_from_the_first(
    small: list[str], finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    later = compare(small, tmp_path / "later", CE, first_seed=1)
    assert (tmp_path / "later" / "ce" / "seed1" / "result.json").is_file()
    assert later["results"]["ce"]["mAP"]["values"] == finished[1]["results"]["ce"]["mAP"]["values"][1:]


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    small: list[str], finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "compared")
    done = tmp_path / "compared" / "ce" / "seed0"
    for file in [done / "result.json", *done.glob("test_*.json")]:
        file.unlink()
    (done / "config.yml").write_text("half of a")
    again = compare(small, tmp_path / "compared", CE, num_seeds=2)
    assert again["results"]["ce"]["mAP"] == finished[1]["results"]["ce"]["mAP"]


def test_a_run_that_diverges_is_noted_and_the_others_resuming(small: list[str], tmp_path: Path) -> None:
    contenders = vary_setting("SOLVER.BASE_LR", ["1e30", "1e-3"], CE)
    results = compare(small, tmp_path / "compared", *contenders)["results"]
    diverged, trained = results.values()
    assert "epoch 1" in diverged["errors"][0]
    assert diverged["rank1"]["mean"] is None
    assert trained["rank1"]["mean"] is not None


@pytest.mark.parametrize(
    ("contenders", "num_seeds", "message"),
    [
        ([CE], 0, "expected losses or values and a seed, got 1 and 0 seeds"),
        ([], 1, "expected losses or values and a seed, got 0 and 1 seeds"),
        ([CE], 10**30, "--seeds must be at most 10,000, got 1000000000000000000000000000000"),
        ([CE, CE], 1, "something is given twice: ce ce"),
        ([CE, parse_losses("tripplet")], 1, "unknown loss 'tripplet'; the nearest one is 'triplet'"),
        (vary_setting("LOSS.GROUP.STEPS", ["1"], None), 1, "the nearest one is 'LOSS.GROUP.NUM_STEPS'"),
        (
            vary_setting("LOSS.GROUP.NUM_STEPS", ["0"], None),
            1,
            r"LOSS.GROUP.NUM_STEPS must lie in \[1, 1000\], got 0",
        ),
    ],
)
def test_mistakes_come_to_light_before_anything_is_trained(
    small: list[str], tmp_path: Path, contenders: list[Contender], num_seeds: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(small, tmp_path / "compared", *contenders, num_seeds=num_seeds)
    assert not (tmp_path / "compared").exists()


def test_a_folder_of_somebody_else_stays_as_it_is(small: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "ce" / "seed0").mkdir(parents=True)
    (folder / "ce" / "seed0" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"mine holds ce, and no comparison: .*--output"):
        compare(small, folder, CE)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["thesis.tex"]


def test_a_foreign_file_in_a_run_s_folder_is_not_deleted(small: list[str], tmp_path: Path) -> None:
    from reid_gl.experiment.comparing.series import open_series

    folder = tmp_path / "compared"
    open_series(folder, load_config(None, small), kind="comparison")
    note = folder / "ce" / "seed0" / "thesis.tex"
    note.parent.mkdir(parents=True)
    note.write_text("years of work")
    with pytest.raises(FileExistsError, match=r"seed0 holds thesis.tex, and no run to resume"):
        compare(small, folder, CE)
    assert note.read_text() == "years of work"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mAP": "0.5"}, r"has no mAP in \[0, 1\]"),
    ({"rank1": float("nan")}, r"has no rank1 in \[0, 1\]"),
    ({"NMI": [1]}, r"has no NMI in \[0, 1\]"),
    ({"seconds": 10**400}, "has no number of seconds"),
    ({"was_resumed": None}, "does not say whether it was_resumed"),
    ({"error": {"a": 1}, "mAP": None}, r"has no mAP in \[0, 1\]"),
]


def test_a_result_with_other_values_is_named(small: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    series.open_series(folder, load_config(None, small), kind="comparison")
    path = folder / "ce" / "seed0" / "result.json"
    path.parent.mkdir(parents=True)
    for change, fault in WRONG:
        path.write_text(json.dumps({**RESULT, **change}))
        with pytest.raises(ValueError, match=rf"seed0/result\.json {fault}: delete it to test and train"):
            compare(small, folder, CE)
    path.write_text(json.dumps(RESULT))
    assert compare(small, folder, CE)["results"]["ce"]["mAP"]["values"] == [0.25]
