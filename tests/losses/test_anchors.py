from __future__ import annotations

import pytest
import torch

from reid_gl.losses import choose_anchors


@pytest.mark.parametrize("choice", ["first", "random"])
@pytest.mark.parametrize("anchors_per_class", [0, 1, 2, 3, 10])
def test_anchors_are_counted_per_class(anchors_per_class: int, choice: str) -> None:
    labels = torch.tensor([4, 0, 4, 4, 2, 0, 4])  # 4 of class 4, 2 of class 0, 1 of class 2
    anchors = choose_anchors(labels, anchors_per_class, choice=choice)
    assert anchors.dtype == torch.bool
    for label, size in ((4, 4), (0, 2), (2, 1)):
        assert anchors[labels == label].sum() == min(size, anchors_per_class)


def test_first_anchors_are_first_in_the_batch() -> None:
    labels = torch.tensor([4, 0, 4, 4, 2, 0, 4])
    expected = [True, True, True, False, True, True, False]
    assert choose_anchors(labels, 2, choice="first").tolist() == expected


def test_random_anchors_follow_the_generator_and_nothing_else() -> None:
    labels = torch.arange(5).repeat(8)
    draws = [choose_anchors(labels, 2, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    state = torch.get_rng_state()
    choose_anchors(labels, 2, generator=torch.Generator())
    choose_anchors(labels, 2, choice="first")
    assert torch.equal(torch.get_rng_state(), state)


def test_every_row_is_an_anchor_equally_often() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([choose_anchors(labels, 1, generator=generator) for _ in range(600)])
    assert (draws.double().mean(dim=0) - 1 / 3).abs().max() < 0.08


def test_wrong_settings() -> None:
    labels = torch.arange(3)
    with pytest.raises(ValueError, match="anchors per class must not be negative, got -1"):
        choose_anchors(labels, -1)
    with pytest.raises(ValueError, match="unknown anchor choice 'last': expected one of random, first"):
        choose_anchors(labels, 1, choice="last")
