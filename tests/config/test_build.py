from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reid_gl.config import dump_config, load_config, load_experiment, read_experiment, read_holdout
from reid_gl.config.experiment import BatchShape, Holdout

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_read(path: Path) -> None:
    config = load_config(path)
    experiment = read_experiment(config)
    assert experiment.preprocessing.height == config.INPUT.SIZE[0]
    assert experiment.augmentation.fill == tuple(round(255 * mean) for mean in config.INPUT.MEAN)
    assert experiment.optimizer["lr"] == config.SOLVER.BASE_LR
    assert experiment.net.backbone == config.MODEL.BACKBONE
    assert experiment.output_dir == Path("runs") / path.stem
    assert set(experiment.losses.weights) == {"group", "cross_entropy"}
    assert experiment.config_text == dump_config(config)


def test_a_record_is_read_once_and_cannot_be_changed() -> None:
    experiment = load_experiment(None, ["SEED", "4"])
    assert read_experiment(experiment) is experiment
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.seed = 5  # type: ignore[misc]


def test_keys_that_stand_for_others() -> None:
    experiment = load_experiment(None, ["DATA.NAMES", "veri776"])
    assert experiment.data.test_names == "veri776"
    assert (experiment.data.cache, experiment.weights) == (None, None)
    assert experiment.comparison_epochs == 120
    with pytest.raises(ValueError, match=r"no weights to test: add MODEL.WEIGHTS"):
        experiment.weights_to_test()
    words = ["DATA.TEST_NAMES", "grid", "DATA.CACHE", "c", "MODEL.WEIGHTS", "a.ckpt"]
    other = load_experiment(None, [*words, "COMPARE.NUM_EPOCHS", "7"])
    assert other.data.test_names == "grid"
    assert (other.data.cache, other.weights_to_test()) == (Path("c"), Path("a.ckpt"))
    assert other.comparison_epochs == 7


def test_the_best_epoch_is_kept_only_if_held_out_identities_choose_it() -> None:
    assert not load_experiment().fit.select_best
    assert load_experiment(None, ["DATA.HOLDOUT", "0.2"]).fit.select_best
    assert not load_experiment(None, ["DATA.HOLDOUT", "0.2", "SOLVER.EVALUATE_EVERY", "0"]).fit.select_best


def test_what_a_run_held_out_is_read_from_its_own_configuration() -> None:
    config = load_config(None, ["DATA.HOLDOUT", "0.2", "SEED", "9"])
    assert read_holdout(dump_config(config)) == Holdout(0.2, 9) == read_experiment(config).data.holdout


def test_by_default_images_are_squeezed_and_padded() -> None:
    experiment = load_experiment()
    assert experiment.preprocessing.shorter_side == 0
    assert not experiment.augmentation.crops
    assert experiment.augmentation.pad == 10
    assert experiment.batches == BatchShape(16, 4, balanced=True)


def test_centre_and_crops_of_retrieval() -> None:
    words = ["INPUT.SIZE", "[224,224]", "INPUT.SHORTER_SIDE", "256", "INPUT.CROP_AREA", "[0.2,1.0]"]
    experiment = load_experiment(None, [*words, "INPUT.PAD", "0"])
    assert experiment.preprocessing.shorter_side == 256
    assert experiment.augmentation.crop_area == (0.2, 1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["INPUT.CROP_AREA", "[0.2,1.0]"], r"pad must be 0 \(INPUT.PAD 0\), got 10"),
        (["LOSS.NAMES", "[group]"], "needs one weight each"),
        (["LOSS.NAMES", "[group, group]"], "no name twice"),
        (
            ["SOLVER.SCHEDULE", "linear"],
            "SOLVER.SCHEDULE must be one of multistep, cosine, constant, got 'linear'",
        ),
    ],
)
def test_contradictions_are_found_at_once(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_experiment(None, words)
