from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from reid_gl.losses import LOSSES, CenterLoss, RankedListLoss, make_loss, register_loss

NAMES = [
    "cross_entropy",
    "group",
    "ranked_list",
    "multi_similarity",
    "triplet",
    "soft_triplet",
    "circle",
    "proxy_anchor",
    "center",
    "contrastive",
    "lifted_structure",
    "binomial_deviance",
    "supervised_contrastive",
    "arcface",
    "cosface",
    "circle_classifier",
]


def test_the_names() -> None:
    assert list(LOSSES) == NAMES


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_made_and_called_alike(name: str) -> None:
    loss = make_loss(name, num_classes=4, num_features=3)
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = torch.randn(8, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    anchors = torch.arange(8) % 2 == 0
    value = loss(rows, torch.arange(8) // 2, logits=logits, anchors=anchors, generator=torch.Generator())
    assert value.shape == ()
    assert value > 0
    value.backward()
    assert any(tensor.grad is not None and tensor.grad.abs().max() > 0 for tensor in (rows, logits))
    parameters = list(loss.parameters())
    assert bool(parameters) is LOSSES[name].learns
    assert all(sorted(parameter.shape) == [3, 4] for parameter in parameters)


@pytest.mark.parametrize("name", LOSSES)
def test_settings_are_keywords(name: str) -> None:
    kinds = [p.kind for p in inspect.signature(LOSSES[name].make).parameters.values()]
    sizes = 2 if LOSSES[name].learns else 0
    assert kinds[sizes:] == [inspect.Parameter.KEYWORD_ONLY] * (len(kinds) - sizes)


def test_settings_and_sizes_arrive() -> None:
    ranked = make_loss("ranked_list", num_classes=4, num_features=3, alpha=1.4, margin=0.2)
    assert isinstance(ranked, RankedListLoss)
    assert (ranked.alpha, ranked.margin) == (1.4, 0.2)
    center = make_loss("center", num_classes=4, num_features=3)
    assert isinstance(center, CenterLoss)
    assert center.centers.shape == (4, 3)


@pytest.mark.parametrize(("name", "nearest"), [("tripplet", "triplet"), ("Circle", "circle"), ("ms", "")])
def test_an_unknown_name_lists_the_names_and_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown loss '{name}'; the nearest one is '{nearest}") as caught:
        make_loss(name, num_classes=4, num_features=3)
    assert all(known in str(caught.value) for known in LOSSES)


def test_a_setting_that_the_loss_does_not_have() -> None:
    with pytest.raises(TypeError, match="temperature"):
        make_loss("triplet", num_classes=4, num_features=3, temperature=1.0)


def with_a_list(*, margins: tuple[float, ...] = (1.0,)) -> RankedListLoss:
    return RankedListLoss()


@pytest.mark.parametrize(
    ("name", "make", "settings", "message"),
    [
        ("group", RankedListLoss, {}, "there is a loss 'group' already"),
        ("ce", RankedListLoss, {}, "there is a loss 'ce' already"),
        ("My Loss", RankedListLoss, {}, "lower-case word"),
        ("names", RankedListLoss, {}, "lower-case word"),
        ("mine", RankedListLoss, {"feature": "neck"}, "unknown feature 'neck'"),
        ("mine", CenterLoss, {}, "'num_classes' of loss 'mine' needs a default"),
        ("mine", with_a_list, {}, "'margins' of loss 'mine' needs a default"),
    ],
)
def test_losses_that_cannot_be_registered(
    name: str, make: Any, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        register_loss(name, make, **settings)
    assert list(LOSSES) == NAMES
