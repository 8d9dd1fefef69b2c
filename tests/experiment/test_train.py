from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_gl.config import load_config
from reid_gl.data.datasets import load_dataset
from reid_gl.evaluation import RerankSettings
from reid_gl.experiment import run_test, run_training
from reid_gl.models import read_checkpoint
from reid_gl.training.fit import Interrupted
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people

AVERAGED = ["SOLVER.EMA_DECAY", "0.9", "SOLVER.NUM_EPOCHS", "2"]


def train(words: list[str], *, resume: bool = False, stop_after: int = 0) -> Path:
    """Run a training; stop_after counts the steps after which a signal seems to come."""
    steps = 0

    def stop_signal() -> int:
        nonlocal steps
        steps += 1
        return 15 if steps == stop_after else 0

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = load_config(None, words)
        return run_training(config, resume=resume, stop_signal=stop_signal)[0].parent


def assert_same(first: Any, second: Any, where: str = "") -> None:
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_same(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for place, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{where}/{place}")
    else:
        assert first == second, where


def training_state(folder: Path) -> dict[str, Any]:
    return read_checkpoint(folder / "training.ckpt")["training"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def averaged(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs with averaged weights that nothing stopped, without workers."""
    words = [*SMALL, *AVERAGED, "DATA.ROOT", str(people)]
    return train([*words, "OUTPUT_DIR", str(tmp_path_factory.mktemp("averaged") / "run")])


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch."""
    words = [*SMALL, "SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(people)]
    return train([*words, "OUTPUT_DIR", str(tmp_path_factory.mktemp("trained") / "run")])


@pytest.fixture
def finished(trained: Path, tmp_path: Path) -> Path:
    """The finished run of one epoch, copied to where `words` train."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize(("workers", "stop_after"), [(0, 6), (2, 8)])
def test_stopping_and_resuming_equals_never_stopping_bit_for_bit(
    words: list[str], averaged: Path, tmp_path: Path, workers: int, stop_after: int
) -> None:
    words += ["DATA.NUM_WORKERS", str(workers), *AVERAGED]
    with pytest.raises(Interrupted):
        train(words, stop_after=stop_after)
    stopped = training_state(tmp_path / "run")
    assert (stopped["epoch"], stopped["step"]) == divmod(stop_after, 6) if stop_after % 6 else (0, 6)
    resumed = train(words, resume=True)
    assert_same(training_state(resumed), training_state(averaged))
    for folder in (resumed, averaged):
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == sorted(line["epoch"] for line in lines)


def test_what_losses_learn_is_resumed_too(words: list[str], tmp_path: Path) -> None:
    names = "[proxy_anchor, triplet, center, arcface]"
    words += ["LOSS.NAMES", names, "LOSS.WEIGHTS", "[1.0, 1.0, 0.0005, 0.1]", "SOLVER.NUM_EPOCHS", "2"]
    straight = training_state(train([*words, "OUTPUT_DIR", str(tmp_path / "straight")]))
    with pytest.raises(Interrupted):
        train(words, stop_after=8)
    assert_same(training_state(train(words, resume=True)), straight)
    factors = [group["base_lr"] / 3.5e-4 for group in straight["optimizer"]["param_groups"]]
    assert factors == pytest.approx([1.0, 1.0, 100.0, 100.0, 1.0])
    assert len(straight["losses"]) == 3


def test_a_finished_run_resumes_to_itself(words: list[str], finished: Path) -> None:
    before = training_state(finished)
    assert_same(training_state(train([*words, "SOLVER.NUM_EPOCHS", "1"], resume=True)), before)


def test_the_checkpoint_holds_what_inference_needs_and_the_folder_the_rest(words: list[str]) -> None:
    folder = train([*words, "SOLVER.EVALUATE_EVERY", "2"])
    checkpoint = read_checkpoint(folder / "model.ckpt")
    assert checkpoint["pids"] == list(range(1, 9))
    assert checkpoint["net"]["backbone"] == "timm:test_resnet"
    assert checkpoint["preprocessing"]["height"] == 64
    assert checkpoint["epoch"] == 3
    assert checkpoint["metrics"].keys() == {"rank1", "mAP"}
    assert "BACKBONE: timm:test_resnet" in checkpoint["config"]
    assert "training" not in checkpoint
    assert {path.name for path in folder.iterdir()} >= {"config.yml", "environment.json", "log.jsonl"}


def test_it_overfits_eight_people(words: list[str], people: Path) -> None:
    words += [
        "SOLVER.NUM_EPOCHS",
        "12",
        "SOLVER.SCHEDULE",
        "cosine",
        "SOLVER.BASE_LR",
        "0.001",
        "INPUT.ERASE",
        "0.",
    ]
    folder = train(words)
    from reid_gl.data.datasets.market1501 import load_market1501
    from reid_gl.data.loading.transforms import Preprocessing
    from reid_gl.inference import evaluate
    from reid_gl.models import load_net
    from reid_gl.records import ReidDataset

    seen = load_market1501(people).train
    dataset = ReidDataset(seen, seen[::3], seen)
    result = evaluate(load_net(folder / "model.ckpt").net, dataset, preprocessing=Preprocessing(64, 32))
    assert result.rank(1) == 1.0
    assert result.mean_ap > 0.95


def test_the_best_epoch_is_chosen_on_held_out_training_identities(words: list[str]) -> None:
    folder = train([*words, "DATA.HOLDOUT", "0.25", "SOLVER.EVALUATE_EVERY", "1"])
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    scores = {line["epoch"]: line["mAP"] for line in lines if line["type"] == "evaluation"}
    checkpoint = read_checkpoint(folder / "model.ckpt")
    assert len(checkpoint["pids"]) == 6
    assert checkpoint["metrics"]["mAP"] == max(scores.values())
    assert checkpoint["epoch"] == min(
        epoch for epoch, score in scores.items() if score == max(scores.values())
    )


def test_micro_batches_freezing_and_warm_up_run(words: list[str]) -> None:
    words += ["SOLVER.MICRO_BATCH", "3", "SOLVER.FREEZE_EPOCHS", "1", "SOLVER.WARMUP_EPOCHS", "1."]
    folder = train([*words, "SOLVER.NUM_EPOCHS", "2", "SOLVER.CLIP_NORM", "1."])
    assert training_state(folder)["epoch"] == 2


@pytest.mark.usefixtures("finished")
def test_another_training_set_cannot_be_resumed(words: list[str], tmp_path: Path) -> None:
    other = write_people(tmp_path / "other", num_people=9)
    with pytest.raises(ValueError, match="was trained on 8 identities, the training set has 9"):
        train([*words, "SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(other)], resume=True)


def test_a_truncated_checkpoint_cannot_be_resumed(words: list[str], finished: Path) -> None:
    path = finished / "training.ckpt"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"training.ckpt is truncated"):
        train([*words, "SOLVER.NUM_EPOCHS", "1"], resume=True)


def test_a_mistake_leaves_no_run_folder(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"P=9 different identities and the training set has 8"):
        train([*words, "SOLVER.IDENTITIES_PER_BATCH", "9"])
    with pytest.raises(ValueError, match="unknown backbone 'resnet19'"):
        train([*words, "MODEL.BACKBONE", "resnet19"])
    assert not (tmp_path / "run").exists()


def test_divergence_names_the_place_and_keeps_the_last_checkpoint(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reid_gl.losses import CrossEntropyLoss
    from reid_gl.training.step import NonFiniteError

    forward, calls = CrossEntropyLoss.forward, 0

    def broken(self: CrossEntropyLoss, *arguments: Any, **keywords: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return forward(self, *arguments, **keywords) * (float("nan") if calls == 9 else 1.0)

    monkeypatch.setattr(CrossEntropyLoss, "forward", broken)
    with pytest.raises(NonFiniteError, match="epoch 2, batch 3: loss term 'cross_entropy' is nan"):
        train(words)
    state = training_state(tmp_path / "run")
    assert state["epoch"] == 1
    assert all(value.isfinite().all() for value in state["net"].values())


def test_scores_of_the_result_file_are_those_returned(words: list[str], finished: Path) -> None:
    scores = run_test(load_config(None, [*words, "MODEL.WEIGHTS", str(finished / "model.ckpt")]))
    assert json.loads((finished / "test_market1501_before_neck_cosine.json").read_text()) == scores
    assert scores["counts"] == {"queries": 8, "queries_scored": 8, "gallery": 49, "distractors": 1}
    assert scores["protocol"]["name"] == "market1501"
    assert {"rank1", "rank5", "rank10", "rank20", "mAP", "mAP_trapezoid", "mINP"} <= scores.keys()
    assert (scores["feature"], scores["distance"], scores["dtype"]) == ("before_neck", "cosine", "float32")
    assert 0 < scores["mAP"] <= 1
    with pytest.raises(ValueError, match=r"no weights to test: add MODEL.WEIGHTS"):
        run_test(load_config(None, words))


def test_a_reranked_test_has_a_result_of_its_own(
    words: list[str], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["reid_gl.experiment.score"]
    evaluate_features, seen = module.evaluate_features, []

    def spy(*sides: object, **settings: object) -> object:
        seen.append(settings["rerank"])
        return evaluate_features(*sides, **settings)

    words = [*words, "MODEL.WEIGHTS", str(finished / "model.ckpt")]
    monkeypatch.setattr(module, "evaluate_features", spy)
    plain = run_test(load_config(None, words))
    more = ["TEST.RERANK.ENABLED", "True", "TEST.RERANK.K1", "3", "TEST.RERANK.K2", "2"]
    reranked = run_test(load_config(None, [*words, *more]))
    assert seen == [None, RerankSettings(3, 2, 0.3)]
    assert plain["rerank"] is None
    assert reranked["rerank"] == asdict(RerankSettings(3, 2, 0.3))
    names = {path.name for path in finished.glob("test_*.json")}
    assert len(names) == 2
    assert sum(name.endswith("_reranked.json") for name in names) == 1


def test_several_images_of_each_query(words: list[str], finished: Path, tmp_path: Path) -> None:
    root = write_people(tmp_path / "market1501")
    dataset = load_dataset("market1501", str(root))
    words = [*words, "DATA.ROOT", str(root), "MODEL.WEIGHTS", str(finished / "model.ckpt")]
    with pytest.raises(FileNotFoundError, match="gt_bbox"):
        run_test(load_config(None, [*words, "TEST.MULTI_QUERY", "average"]), dataset)
    (root / "gt_bbox").mkdir()
    for sample, other in zip(dataset.query, [*dataset.query[1:], dataset.query[0]], strict=True):
        name = Path(sample.path).name.replace("_000000_", "_000009_")
        shutil.copy(other.path, root / "gt_bbox" / name)  # shows somebody else: scores must fall
    one = run_test(load_config(None, words), dataset)
    several = run_test(load_config(None, [*words, "TEST.MULTI_QUERY", "average"]), dataset)
    assert several["multi_query"] == "average"
    assert several["mAP"] < one["mAP"]
    with pytest.raises(ValueError, match=r"TEST.MULTI_QUERY must be one of none, average, max, got 'all'"):
        run_test(load_config(None, [*words, "TEST.MULTI_QUERY", "all"]), dataset)
    with pytest.raises(ValueError, match="pooled by direction: score them by cosine"):
        run_test(load_config(None, [*words, "TEST.MULTI_QUERY", "max", "TEST.METRIC", "euclidean"]), dataset)


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_killed_before_its_first_checkpoint_starts_again(
    words: list[str], finished: Path, resume: bool
) -> None:
    words += ["SOLVER.NUM_EPOCHS", "1"]
    straight = training_state(finished)
    for name in ("training.ckpt", "model.ckpt"):
        (finished / name).unlink()
    assert_same(training_state(train(words, resume=resume)), straight)


def test_one_folder_under_its_names_and_after_a_move(
    words: list[str], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words += ["SOLVER.NUM_EPOCHS", "1"]
    before = training_state(finished.rename("r"))
    for name in ("r", "./r", "../" + tmp_path.name + "/r", str(tmp_path / "r")):
        assert_same(training_state(train([*words, "OUTPUT_DIR", name], resume=True)), before)
    (tmp_path / "r").rename(tmp_path / "moved")
    assert_same(training_state(train([*words, "OUTPUT_DIR", "moved"], resume=True)), before)


def test_a_run_begun_before_a_key_existed_resumes(words: list[str], finished: Path) -> None:
    words += ["SOLVER.NUM_EPOCHS", "1"]
    config = finished / "config.yml"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if "CLIP_NORM" not in line and "GEM_EXP" not in line))
    assert train(words, resume=True) == finished
    with pytest.raises(ValueError, match=r"another configuration \(SOLVER.CLIP_NORM was 0.0, is now 2.0\)"):
        train([*words, "SOLVER.CLIP_NORM", "2"], resume=True)


def test_the_cache_may_change_where_it_changes_no_pixel(
    words: list[str], finished: Path, tmp_path: Path
) -> None:
    words += ["SOLVER.NUM_EPOCHS", "1"]
    cache = ["DATA.CACHE", str(tmp_path / "cache")]
    assert train([*words, *cache], resume=True) == finished
    words += ["INPUT.PAD", "0", "INPUT.CROP_AREA", "[0.5, 1]", "OUTPUT_DIR", str(tmp_path / "cropped")]
    train(words)
    with pytest.raises(ValueError, match=r"another configuration \(DATA.CACHE was ''"):
        train([*words, *cache], resume=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["TEST.METRIC", "manhattan"], "TEST.METRIC must be one of"),
        (["TEST.FEATURE", "neck"], "TEST.FEATURE must be one of"),
        (["TEST.PRECISION", "int8"], "TEST.PRECISION must be one of"),
        (["TEST.PRESET", "dogs"], "unknown preset 'dogs'"),
        (["TEST.MULTI_QUERY", "sum"], "TEST.MULTI_QUERY must be one of"),
        (["TEST.MULTI_QUERY", "max"], "gt_bbox"),
        (["INPUT.KERNEL", "lanczos"], "INPUT.KERNEL must be one of linear, cubic"),
        (["INPUT.CROP_AREA", "[0.5, 1]"], r"pad must be 0 \(INPUT.PAD 0\)"),
        (
            ["SOLVER.SCHEDULE", "linear"],
            "SOLVER.SCHEDULE must be one of multistep, cosine, constant, got 'linear'",
        ),
        (["LOSS.NAMES", "[tripplet]", "LOSS.WEIGHTS", "[1]"], "unknown loss 'tripplet'"),
        (
            ["LOSS.TRIPLET.FEATURE", "neck", "LOSS.NAMES", "[triplet]", "LOSS.WEIGHTS", "[1]"],
            "LOSS.TRIPLET.FEATURE must be one of before_neck, after_neck, got 'neck'",
        ),
    ],
)
def test_what_would_come_to_light_later_comes_to_light_first(
    words: list[str], message: str, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reid_gl.experiment import training_data

    monkeypatch.setattr(training_data, "load_data", lambda _: pytest.fail("images were looked at"))
    words = [*SMALL, "DATA.ROOT", str(people), "OUTPUT_DIR", str(tmp_path / "run"), *words]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(words)
    assert not (tmp_path / "run").exists()


def test_an_empty_cache_is_none(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train([*words, "SOLVER.NUM_EPOCHS", "1", "DATA.CACHE", ""])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_training_images_that_have_gone_are_remarked_on(
    words: list[str], finished: Path, people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moved = shutil.copytree(people, tmp_path / "moved" / "market1501")
    words += ["SOLVER.NUM_EPOCHS", "1", "DATA.ROOT", str(moved)]
    assert train(words, resume=True) == finished
    assert "and they differ" not in caplog.text
    sorted((moved / "bounding_box_train").iterdir())[0].unlink()
    train(words, resume=True)
    assert "the training set has 47 images, the run began with 48, and they differ" in caplog.text
