from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from reid_gl.config import load_config, load_experiment, read_experiment
from reid_gl.data.datasets.market1501 import load_market1501
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.experiment.comparing.pair_weights import (
    made_up_batch,
    run_pair_weights,
    summarize,
    trained_batch,
)
from reid_gl.experiment.make_network import make_net
from reid_gl.inference import extract_features
from reid_gl.losses import BinomialDevianceLoss, MultiSimilarityLoss, pair_weights
from reid_gl.losses.pairs import pair_masks, pair_similarity
from reid_gl.models import load_net
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.training.checkpoint import save_checkpoint

TINY = ["SOLVER.IDENTITIES_PER_BATCH", "4", "SOLVER.IMAGES_PER_IDENTITY", "3"]


@pytest.fixture
def weights(words: list[str], tmp_path: Path) -> Path:
    """A checkpoint of a network with random weights."""
    experiment = load_experiment(None, words)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make_net(experiment, num_classes=8)
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "preprocessing": experiment.preprocessing.to_dict(),
        "pids": list(range(1, 9)),
        "config": "",
        "model": net.state_dict(),
        "epoch": 0,
        "metrics": {},
    }
    save_checkpoint(checkpoint, tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt"


def test_made_up_positives_and_negatives_overlap() -> None:
    embeddings, labels = made_up_batch(load_experiment(None))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(64))
    assert torch.equal(labels, torch.arange(16).repeat_interleave(4))
    positives, negatives = (pair_similarity(embeddings, labels)[mask] for mask in pair_masks(labels))
    assert positives.mean() == pytest.approx(0.6, abs=0.1)
    assert negatives.mean() == pytest.approx(0.0, abs=0.1)
    assert positives.min() < negatives.max()


def test_the_seed_makes_the_batch_and_the_global_state_stays() -> None:
    state = torch.get_rng_state()
    first, again, other = (made_up_batch(load_experiment(None, ["SEED", seed]))[0] for seed in "001")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_are_those_of_the_weights_and_settings_come_from_the_configuration(tmp_path: Path) -> None:
    config = load_config(
        None, [*TINY, "LOSS.MULTI_SIMILARITY.BETA", "10.", "LOSS.BINOMIAL_DEVIANCE.BASE", "0.3"]
    )
    names = ["multi_similarity", "binomial_deviance", "multi_similarity"]
    result = run_pair_weights(config, names, tmp_path / "new" / "picture.png")
    assert json.loads(json.dumps(result)) == result
    assert {key: result[key] for key in ("weights", "images", "identities")} == {
        "weights": "made-up batch",
        "images": 12,
        "identities": 4,
    }
    batch = made_up_batch(read_experiment(config))
    assert list(result["losses"]) == ["multi_similarity", "binomial_deviance"]
    for name, loss in {
        "multi_similarity": MultiSimilarityLoss(beta=10.0),
        "binomial_deviance": BinomialDevianceLoss(base=0.3),
    }.items():
        assert result["losses"][name] == summarize(pair_weights(loss, *batch), batch[1])
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["picture.png"]


def test_the_configuration_is_not_changed(tmp_path: Path) -> None:
    config = load_config(None, TINY)
    before = config.dump()
    run_pair_weights(config, ["triplet"], tmp_path / "image.svg")
    assert config.dump() == before
    assert config.is_frozen()
    assert "<svg" in (tmp_path / "image.svg").read_text()


def test_the_summary_by_hand() -> None:
    weights = torch.tensor([[0.0, 2.0, 1.0], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    assert summarize(weights, torch.tensor([0, 0, 1])) == {
        "pairs": 6,
        "pairs_with_weight": 4,
        "mean_of_positives": 3.0,
        "mean_of_negatives": 1.0,
        "largest": 4.0,
    }
    no_positives = summarize(weights, torch.tensor([0, 1, 2]))
    assert no_positives["mean_of_positives"] is None
    assert no_positives["mean_of_negatives"] == pytest.approx(10 / 6)
    assert summarize(weights, torch.tensor([0, 0, 0]))["mean_of_negatives"] is None


@pytest.mark.parametrize("feature", ["before_neck", "after_neck"])
def test_a_trained_network_sees_one_batch_of_the_training_set(
    words: list[str], people: Path, weights: Path, tmp_path: Path, feature: str
) -> None:
    config = load_experiment(None, [*words, "MODEL.WEIGHTS", str(weights), "TEST.FEATURE", feature])
    embeddings, labels = trained_batch(config)
    assert sorted(labels.bincount(minlength=8).tolist()) == [0, 0, 0, 0, 2, 2, 2, 2]  # P = 4, K = 2
    everything = extract_features(
        load_net(weights).net,
        load_market1501(people).train,
        preprocessing=Preprocessing(64, 32),
        feature=feature,
    )
    # batch normalisation in eval mode: an image has the same feature whatever its neighbours
    distances = torch.cdist(embeddings, torch.from_numpy(everything.embeddings))
    nearest = distances.argmin(dim=1)
    assert distances.amin(dim=1).max() < 1e-3 * embeddings.norm(dim=1).min()
    assert torch.equal(torch.from_numpy(everything.pids)[nearest], labels + 1)
    result = run_pair_weights(config, ["multi_similarity"], tmp_path / "picture.png")
    assert result["weights"] == str(weights)
    assert (result["images"], result["identities"]) == (8, 4)
    assert result["losses"]["multi_similarity"] == summarize(
        pair_weights(MultiSimilarityLoss(), embeddings, labels), labels
    )
    assert all(math.isfinite(value) for value in result["losses"]["multi_similarity"].values())


def test_held_out_identities_are_not_shown(words: list[str], weights: Path) -> None:
    words = [*words, "MODEL.WEIGHTS", str(weights), "DATA.HOLDOUT", "0.25"]
    assert int(trained_batch(load_experiment(None, words))[1].max()) < 6


def test_a_mistake_in_a_loss_leaves_no_image(tmp_path: Path) -> None:
    config = load_config(None, TINY)
    with pytest.raises(
        ValueError, match="unknown loss 'multi_similarty'; the nearest one is 'multi_similarity'"
    ):
        run_pair_weights(config, ["multi_similarty"], tmp_path / "picture.png")
    with pytest.raises(TypeError, match="GroupLoss has no pair weights"):
        run_pair_weights(config, ["triplet", "group"], tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_missing_weights_are_named(words: list[str], tmp_path: Path) -> None:
    config = load_config(None, [*words, "MODEL.WEIGHTS", "none.ckpt"])
    with pytest.raises(FileNotFoundError, match=r"none.ckpt does not exist"):
        run_pair_weights(config, ["triplet"], tmp_path / "picture.png")


def test_a_image_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path) -> None:
    config = load_config(None, ["MODEL.WEIGHTS", "none.ckpt"])  # not reached
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=r"cannot draw .*picture.jpg: its name must end in .png, .pdf, .svg"):
        run_pair_weights(config, ["triplet"], tmp_path / "picture.jpg")
    with pytest.raises(IsADirectoryError, match=r"cannot draw .*folder.png: it is a folder"):
        run_pair_weights(config, ["triplet"], tmp_path / "folder.png")
    with pytest.raises(OSError, match=r"cannot draw .*picture.png: folder .*file cannot be made"):
        run_pair_weights(config, ["triplet"], tmp_path / "file" / "picture.png")


def test_a_folder_without_the_right_to_write_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match=r"cannot draw .*picture.png: no permission to write into"):
        run_pair_weights(load_config(None, TINY), ["triplet"], tmp_path / "picture.png")


def test_a_batch_needs_images() -> None:
    with pytest.raises(ValueError, match=r"SOLVER.IDENTITIES_PER_BATCH must lie in \[1, 100000\], got 0"):
        made_up_batch(load_experiment(None, ["SOLVER.IDENTITIES_PER_BATCH", "0"]))
