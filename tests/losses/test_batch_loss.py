from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor

from reid_gl.losses import LOSSES
from reid_gl.losses.batch_loss import BatchLoss, PairLoss
from reid_gl.losses.pairs import pair_similarity

ROWS, LABELS = torch.eye(4, 3), torch.tensor([0, 0, 1, 1])
KEYWORDS = {"logits": None, "anchors": None, "generator": None}


class SumOfCosines(PairLoss):
    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        return similarity.sum() + labels.sum()


def test_a_pair_loss_sees_cosines_whatever_the_lengths() -> None:
    expected = pair_similarity(ROWS, LABELS).sum() + 2
    assert SumOfCosines()(5 * ROWS, LABELS) == expected
    assert SumOfCosines()(ROWS, LABELS, **KEYWORDS) == expected


def test_what_the_caller_gives_is_checked() -> None:
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\) and labels"):
        SumOfCosines()(ROWS[:2], LABELS)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 1\)"):
        SumOfCosines()(ROWS, LABELS, logits=torch.zeros(4, 1))


def test_a_loss_needs_a_formula() -> None:
    with pytest.raises(NotImplementedError):
        BatchLoss()(ROWS, LABELS)
    with pytest.raises(NotImplementedError):
        PairLoss()(ROWS, LABELS)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_called_alike(name: str) -> None:
    recipe = LOSSES[name]
    loss = recipe.make(*(4, 3) if recipe.learns else ())
    parameters = inspect.signature(loss.forward).parameters
    assert list(parameters) == ["embeddings", "labels", *KEYWORDS]
    assert all(parameters[word].default is None for word in KEYWORDS)
