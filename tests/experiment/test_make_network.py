from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reid_gl.config import default_config, load_experiment, read_experiment
from reid_gl.experiment.load_data import make_sampler
from reid_gl.experiment.make_network import (
    fit_on_this_machine,
    make_configured_loss,
    make_losses,
    make_net,
)
from reid_gl.losses import LOSSES, GroupLoss, WeightedSum, register_loss
from reid_gl.records import ReidOutput, Sample
from reid_gl.training.optimizer import make_optimizer

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yml"))


def build_one(name: str, *words: str) -> WeightedSum:
    words = ("LOSS.NAMES", f"[{name}]", "LOSS.WEIGHTS", "[2.0]", *words)
    return make_losses(load_experiment(None, words), 6, 5)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_made(path: Path) -> None:
    experiment = load_experiment(path, ["MODEL.PRETRAINED", "none", "MODEL.DEVICE", "cpu"])
    net = make_net(experiment, 20)
    losses = make_losses(experiment, 20, net.num_features)
    optimizer = make_optimizer(net, losses, **experiment.optimizer)
    schedule = fit_on_this_machine(experiment).schedule
    train = [Sample(f"{pid}_{number}.jpg", pid, 0) for pid in range(20) for number in range(10)]
    batch_size = experiment.batches.num_identities * experiment.batches.num_images
    assert all(len(batch) == batch_size for batch in make_sampler(experiment, train).epoch_batches(0))
    assert len(optimizer.param_groups) == 2
    assert 0 < schedule.factor(schedule.num_epochs - 0.5) <= 1
    assert set(losses.losses) == {"group", "cross_entropy"}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_built_by_its_name(name: str) -> None:
    losses = build_one(name)
    (term,) = losses.terms
    assert (term.name, term.weight) == (name, 2.0)
    made = make_configured_loss(read_experiment(default_config()), name, 6, 5)
    assert type(term.loss) is type(made)


class OwnLoss(nn.Module):
    """A loss from outside the package.

    Args:
        scale: factor of the sum.
        margin: None for none.
    """

    def __init__(self, *, scale: float = 3.0, margin: float | None = None) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, labels: Tensor, **_: object) -> Tensor:
        return self.scale * embeddings.square().sum()


@pytest.fixture
def own_loss() -> Iterator[str]:
    register_loss("mine", OwnLoss, feature="after_neck")
    yield "mine"
    del LOSSES["mine"]


def test_a_registered_loss_has_a_section_is_built_and_logged(own_loss: str) -> None:
    assert dict(default_config().LOSS.MINE) == {"SCALE": 3.0, "MARGIN": -1.0, "FEATURE": "after_neck"}
    losses = build_one(own_loss, "LOSS.MINE.SCALE", "5", "LOSS.MINE.MARGIN", "0.5")
    rows = torch.ones(2, 3)
    total, terms = losses(ReidOutput(torch.zeros(2, 3), rows, torch.zeros(2, 6)), torch.arange(2))
    assert losses.losses["mine"].margin == 0.5
    assert (float(total), float(terms["mine"])) == (60.0, 30.0)
    assert build_one(own_loss).losses["mine"].margin is None


def test_a_loss_registered_after_the_configuration_was_read_is_refused_with_the_remedy() -> None:
    config = default_config()
    register_loss("mine", OwnLoss)
    try:
        with pytest.raises(ValueError, match=r"call register_loss\('mine', \.\.\.\) before"):
            make_configured_loss(read_experiment(config), "mine", 6, 5)
    finally:
        del LOSSES["mine"]


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSSES[name].learns])
def test_rate_factor_and_feature_arrive(name: str) -> None:
    section = f"LOSS.{name.upper()}"
    losses = build_one(name, f"{section}.LR_FACTOR", "7.0", f"{section}.FEATURE", "after_neck")
    assert (losses.terms[0].lr_factor, losses.terms[0].feature) == (7.0, "after_neck")
    assert build_one(name, f"{section}.FEATURE", "before_neck").terms[0].feature == "before_neck"


def test_settings_arrive() -> None:
    (term,) = build_one("group", "LOSS.GROUP.SIMILARITY", "cosine", "LOSS.GROUP.CLASS_SUBSET", "batch").terms
    assert isinstance(term.loss, GroupLoss)
    settings = term.loss.settings
    assert (settings.similarity, settings.class_subset, settings.negatives) == ("cosine", "batch", "clip")
    assert settings.temperature == 10.0


@pytest.mark.parametrize(
    ("name", "key", "text", "value"),
    [
        ("group", "SIMILARITY_SCALE", "-1.0", None),
        ("multi_similarity", "EPSILON", "-1.0", None),
        ("multi_similarity", "EPSILON", "0.0", 0.0),
        ("multi_similarity", "EPSILON", "0.2", 0.2),
        ("ranked_list", "BALANCE", "-1.0", None),
        ("ranked_list", "BALANCE", "0.0", 0.0),
        ("ranked_list", "BALANCE", "0.5", 0.5),
    ],
)
def test_a_negative_number_switches_off(name: str, key: str, text: str, value: float | None) -> None:
    (term,) = build_one(name, f"LOSS.{name.upper()}.{key}", text).terms
    owner = term.loss.settings if isinstance(term.loss, GroupLoss) else term.loss
    assert getattr(owner, key.lower()) == value


def test_the_defaults_of_existing_experiments() -> None:
    losses = make_losses(load_experiment(), 6, 5)
    assert [(t.name, t.weight, t.feature, t.lr_factor) for t in losses.terms] == [
        ("group", 1.0, "before_neck", 1.0),
        ("cross_entropy", 1.0, "before_neck", 1.0),
    ]
    assert not list(losses.parameters())


def test_nothing_else_is_made() -> None:
    """Losses that learn draw their first vectors from torch's random state."""
    state = torch.get_rng_state()
    make_losses(load_experiment(), 6, 5)
    assert torch.equal(torch.get_rng_state(), state)


def test_all_losses_at_once() -> None:
    words = ["LOSS.NAMES", f"[{', '.join(LOSSES)}]", "LOSS.WEIGHTS", f"[{', '.join(['0.5'] * len(LOSSES))}]"]
    losses = make_losses(load_experiment(None, words), 6, 5)
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(12, width, generator=generator, requires_grad=True) for width in (5, 5, 6)]
    total, values = losses(ReidOutput(*tensors), torch.arange(12) // 3, generator=generator)
    assert list(values) == list(LOSSES)
    assert all(value.isfinite() and value > 0 for value in values.values())
    assert total.item() == pytest.approx(0.5 * sum(value.item() for value in values.values()), rel=1e-5)
    total.backward()
    for tensor in (*tensors, *losses.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().max() > 0


OURS = ("LOSS.GROUP.ANCHORS_PER_CLASS", "others", "LOSS.GROUP.SELF_SIMILARITY", "false")


def test_a_word_in_place_of_a_number() -> None:
    (term,) = build_one("group", *OURS, "LOSS.GROUP.SIMILARITY_SCALE", "8.0").terms
    assert isinstance(term.loss, GroupLoss)
    assert term.loss.anchors_per_class == "others"
    assert term.loss.settings.similarity_scale == 8.0
    back = build_one("group", *OURS, "LOSS.GROUP.ANCHORS_PER_CLASS", "1").terms[0].loss
    assert isinstance(back, GroupLoss)
    assert back.anchors_per_class == 1
    with pytest.raises(ValueError, match="must be a whole number like 2 or others, got 'most'"):
        build_one("group", "LOSS.GROUP.ANCHORS_PER_CLASS", "most")


@pytest.mark.parametrize("key", ["IDENTITIES_PER_BATCH", "IMAGES_PER_IDENTITY"])
def test_leave_one_out_needs_others_in_the_batch(key: str) -> None:
    with pytest.raises(ValueError, match=f"needs at least 2 identities and 2 images .*SOLVER.{key} 1"):
        build_one("group", *OURS, f"SOLVER.{key}", "1")


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="unknown loss 'tripplet'; the nearest one is 'triplet'"):
        build_one("tripplet")
    with pytest.raises(ValueError, match="needs one weight each"):
        load_experiment(None, ["LOSS.NAMES", "[group]"])
    with pytest.raises(ValueError, match="no name twice"):
        load_experiment(None, ["LOSS.NAMES", "[group, group]"])
    with pytest.raises(
        ValueError, match=r"LOSS.TRIPLET.FEATURE must be one of before_neck, after_neck, got 'neck'"
    ):
        build_one("triplet", "LOSS.TRIPLET.FEATURE", "neck")
    with pytest.raises(ValueError, match=r"LOSS.CENTER.LR_FACTOR must be greater than 0, got 0.0"):
        build_one("center", "LOSS.CENTER.LR_FACTOR", "0.0")


def test_device_and_format_are_chosen_on_the_machine_that_trains() -> None:
    words = ["MODEL.DEVICE", "cpu", "SOLVER.PRECISION", "bfloat16", "SOLVER.CLIP_NORM", "2.5", "SEED", "3"]
    experiment = load_experiment(None, words)
    settings = fit_on_this_machine(experiment)
    assert (settings.device, settings.step.dtype) == (torch.device("cpu"), torch.bfloat16)
    assert (settings.step.clip_norm, settings.seed) == (2.5, 3)
    assert settings.schedule == experiment.fit.schedule
    words = ["MODEL.DEVICE", "cpu", "SOLVER.PRECISION", "float16"]
    elsewhere = load_experiment(None, words)  # a test of the weights on this machine needs no float16
    with pytest.raises(ValueError, match="float16 needs a CUDA device"):
        fit_on_this_machine(elsewhere)
