"""Every loss by its name, from the configuration through WeightedSum, make_optimizer and train_step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from reid_gl.config import Experiment, load_experiment
from reid_gl.evaluation.scores.ranking import evaluate_ranking
from reid_gl.experiment.make_network import make_losses
from reid_gl.losses import LOSSES, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.records import ReidOutput
from reid_gl.similarity import cosine_distance
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.step import StepSettings, train_step

PEOPLE, IMAGES, STEPS = 8, 4, 60
NEEDS_LOGITS = ("group", "cross_entropy")
# the default is for thousands of identities
WORDS = ["LOSS.GROUP.TEMPERATURE", "1.0", "LOSS.GROUP.ANCHORS_PER_CLASS", "1"]


def configure(*names: str) -> Experiment:
    weights = f"[{', '.join(['1.0'] * len(names))}]"
    return load_experiment(None, ["LOSS.NAMES", f"[{', '.join(names)}]", "LOSS.WEIGHTS", weights, *WORDS])


@pytest.fixture(scope="module")
def small_net() -> ReidNet:
    """The real pooling, neck and head behind two convolutions."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ReidNet(NetSettings("resnet18", PEOPLE))
        net.backbone = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=4, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, net.num_features, 2, bias=False),
            nn.BatchNorm2d(net.num_features),
            nn.ReLU(),
        )
    return net


@pytest.fixture(scope="module")
def eight_people() -> tuple[Tensor, Tensor]:
    """Eight people as faint patterns under noise that is stronger than they are."""
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(PEOPLE, 3, 16, 8, generator=generator)
    noise = torch.randn(PEOPLE * IMAGES, 3, 16, 8, generator=generator)
    labels = torch.arange(PEOPLE * IMAGES) // IMAGES
    return 0.4 * people[labels] + noise, labels


def prepare(net: ReidNet, *names: str) -> tuple[ReidNet, WeightedSum]:
    net = copy.deepcopy(net).train()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return net, make_losses(configure(*names), PEOPLE, net.num_features)


def rank1(net: ReidNet, images: Tensor, labels: Tensor, feature: str) -> float:
    """Every image looks for the others; the cameras make it skip itself."""
    with torch.no_grad():
        embeddings = getattr(net.eval()(images), feature)
    own = torch.arange(len(labels)).numpy()
    distances = cosine_distance(embeddings, embeddings).numpy()
    return evaluate_ranking(distances, labels.numpy(), labels.numpy(), own, own).rank(1)


@pytest.mark.parametrize("name", LOSSES)
def test_it_overfits_eight_people(name: str, small_net: ReidNet, eight_people: tuple[Tensor, Tensor]) -> None:
    images, labels = eight_people
    net, losses = prepare(small_net, name)
    feature = losses.terms[0].feature
    assert rank1(net, images, labels, feature) < 0.5
    optimizer = make_optimizer(net.train(), losses, name="adamw", lr=1e-3)
    generator = torch.Generator().manual_seed(2)
    history = []
    for _ in range(STEPS):
        values = train_step(
            net,
            losses,
            optimizer,
            images,
            labels,
            settings=StepSettings(clip_norm=10.0),
            scaler=torch.amp.GradScaler(enabled=False),
            generator=generator,
        )
        history.append(values[name])
    assert history[-1] < 0.9 * history[0]  # the lifted structure loss has its floor at 3.4 here
    assert rank1(net, images, labels, feature) == 1.0


@pytest.mark.parametrize("name", LOSSES)
def test_all_it_reaches_learns(name: str, small_net: ReidNet, eight_people: tuple[Tensor, Tensor]) -> None:
    net, losses = prepare(small_net, name)
    reached = {"backbone"}
    if losses.terms[0].feature == "after_neck":
        reached |= {"neck"}
    if name in NEEDS_LOGITS:
        reached |= {"neck", "classifier"}
    losses(net(eight_people[0]), eight_people[1], generator=torch.Generator())[0].backward()
    parts = {"backbone": net.backbone, "neck": net.neck, "classifier": net.classifier}
    for part, module in parts.items():
        learned = [p for p in module.parameters() if p.requires_grad]
        assert learned
        assert all((p.grad is not None) is (part in reached) for p in learned), part
    found = [p.grad for p in (*net.parameters(), *losses.parameters()) if p.grad is not None]
    assert all(gradient.isfinite().all() and gradient.abs().max() > 0 for gradient in found)
    assert all(p.grad is not None for p in losses.parameters())
    assert bool(list(losses.parameters())) is LOSSES[name].learns


@pytest.mark.parametrize("batch", ["one identity", "one image per identity", "identical images", "one image"])
@pytest.mark.parametrize("name", LOSSES)
def test_degenerate_batches(name: str, batch: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        losses = make_losses(configure(name), PEOPLE, 5)
    generator = torch.Generator().manual_seed(3)
    tensors = [torch.randn(8, width, generator=generator) for width in (5, 5, PEOPLE)]
    labels = torch.arange(8) // 2
    if batch == "one identity":
        labels = torch.full((8,), 3)
    elif batch == "one image per identity":
        labels = torch.arange(8)
    elif batch == "identical images":
        tensors = [tensor[:1].repeat(8, 1) for tensor in tensors]
    else:
        tensors, labels = [tensor[:1] for tensor in tensors], labels[:1]
    for tensor in tensors:
        tensor.requires_grad_()
    total, _ = losses(ReidOutput(*tensors), labels, generator=generator)
    assert total.isfinite()
    total.backward()
    gradients = [t.grad for t in (*tensors, *losses.parameters()) if t.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_all_losses_at_once_are_logged_and_train(
    small_net: ReidNet, eight_people: tuple[Tensor, Tensor]
) -> None:
    net, losses = prepare(small_net, *LOSSES)
    optimizer = make_optimizer(net, losses, name="adamw", lr=1e-3)
    assert len(optimizer.param_groups) == 2 + sum(recipe.learns for recipe in LOSSES.values())
    totals = []
    for _ in range(10):
        values = train_step(
            net,
            losses,
            optimizer,
            *eight_people,
            settings=StepSettings(micro_batch=12),
            scaler=torch.amp.GradScaler(enabled=False),
            generator=torch.Generator().manual_seed(2),
        )
        assert list(values) == [*LOSSES, "total", "gradient_norm"]
        totals.append(values["total"])
    assert totals[-1] < 0.8 * totals[0]
