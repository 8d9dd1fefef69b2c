"""Every loss says the same of a batch it cannot be computed of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl.losses import (
    LOSSES,
    CrossEntropyLoss,
    LossTerm,
    WeightedSum,
    center_loss,
    choose_anchors,
    circle_classifier_loss,
    cross_entropy_loss,
    group_loss,
    make_loss,
    multi_similarity_loss,
    pair_weights,
)
from reid_gl.losses.pairs import NonFiniteEmbeddingsError
from reid_gl.records import ReidOutput


class Batch(NamedTuple):
    """Eight images of four identities."""

    embeddings: Any
    labels: Any
    logits: Any


def make_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    rows, logits = (torch.randn(8, width, generator=generator) for width in (3, 4))
    return Batch(rows, torch.arange(8) // 2, logits)


def call(loss: nn.Module, batch: Batch) -> Tensor:
    random = torch.Generator().manual_seed(1)
    value: Tensor = loss(batch.embeddings, batch.labels, logits=batch.logits, generator=random)
    return value


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> nn.Module:
    return make_loss(request.param, num_classes=4, num_features=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["embeddings", "logits"])
def test_what_is_not_finite_is_an_error_that_names_the_rows(loss: nn.Module, part: str, value: float) -> None:
    """Most losses would divide it away: a finite loss and gradient of a network that is lost."""
    batch = make_batch()
    rows = getattr(batch, part)
    rows[2, 1] = rows[7, 0] = value
    with pytest.raises(NonFiniteEmbeddingsError, match=f"{part} are NaN or infinite in 2 of 8 rows: 2, 7"):
        call(loss, batch)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"labels": np.zeros(8, np.int64)}, TypeError, "labels must be a torch.Tensor, got ndarray: "),
        ({"labels": torch.arange(8) // 2 + 1}, ValueError, "learned vectors, got 1 to 4"),
        ({"embeddings": torch.ones(9, 3)}, ValueError, "expected embeddings (N, D) and labels (N,), got (9"),
        ({"logits": torch.ones(8, 4).int()}, ValueError, "logits must be floating point, got torch.int32: "),
    ],
)  # fmt: skip
def test_every_loss_asks_check_batch(
    loss: nn.Module, change: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=re.escape(sentence)):
        call(loss, make_batch()._replace(**change))


def test_an_empty_batch(loss: nn.Module) -> None:
    empty = Batch(*(tensor[:0] for tensor in make_batch()))
    with pytest.raises(ValueError, match=r"a batch needs an image and a feature, got embeddings \(0, 3\)"):
        call(loss, empty)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int8, torch.uint8, torch.uint16, torch.uint64])
def test_labels_of_other_integer_types_give_the_same_loss(loss: nn.Module, dtype: torch.dtype) -> None:
    batch = make_batch()
    assert torch.equal(call(loss, batch._replace(labels=batch.labels.to(dtype))), call(loss, batch))


def test_what_the_messages_advise_works(loss: nn.Module) -> None:
    batch = make_batch()
    expected = call(loss, batch)
    arrays = Batch(*(torch.as_tensor(tensor.numpy()) for tensor in batch))
    assert torch.equal(call(loss, arrays), expected)
    assert torch.equal(call(loss, batch._replace(labels=batch.labels.float().long())), expected)


@pytest.mark.parametrize(
    "name",
    [name for name, recipe in LOSSES.items() if not recipe.learns and name not in ("group", "cross_entropy")],
)
def test_without_logits_a_negative_label_is_refused_still(name: str) -> None:
    """Images without an identity would be taken for images of one."""
    loss = make_loss(name, num_classes=4, num_features=3)
    batch = make_batch()
    with pytest.raises(
        ValueError, match="labels must be at least 0, got -1: leave images without an identity"
    ):
        loss(batch.embeddings, batch.labels - 1)
    kept = batch.labels - 1 >= 0
    assert loss(batch.embeddings[kept], (batch.labels - 1)[kept]).isfinite()


@pytest.mark.parametrize(
    "function",
    [
        lambda batch: cross_entropy_loss(batch.logits, batch.labels),
        lambda batch: multi_similarity_loss(batch.embeddings, batch.labels),
        lambda batch: center_loss(batch.embeddings, batch.labels, centers=torch.zeros(4, 3)),
        lambda batch: circle_classifier_loss(batch.embeddings, batch.labels, weight=torch.ones(4, 3)),
        lambda batch: group_loss(
            batch.embeddings, batch.labels, logits=batch.logits, anchors=torch.zeros(8) > 1
        ),
        lambda batch: pair_weights(make_loss("circle", num_classes=4, num_features=3), *batch[:2]),
    ],
)
def test_the_functions_check_what_their_modules_do(function: Callable[[Batch], Tensor]) -> None:
    batch = make_batch()
    assert function(batch._replace(labels=batch.labels.int())).isfinite().all()
    broken = Batch(batch.embeddings.clone().index_fill_(0, torch.tensor(3), float("nan")), *batch[1:])
    broken = broken._replace(logits=batch.logits.clone().index_fill_(0, torch.tensor(3), float("nan")))
    with pytest.raises(NonFiniteEmbeddingsError, match="NaN or infinite in 1 of 8 rows: 3"):
        function(broken)
    with pytest.raises(TypeError, match=r"labels must be a torch\.Tensor, got ndarray"):
        function(batch._replace(labels=batch.labels.numpy()))
    with pytest.raises(ValueError, match=r"labels must (lie in|be at least)"):
        function(batch._replace(labels=batch.labels - 1))


def test_anchors_are_checked_too() -> None:
    batch = make_batch()
    with pytest.raises(TypeError, match=r"labels must be a torch\.Tensor, got ndarray"):
        choose_anchors(batch.labels.numpy(), 1)
    with pytest.raises(ValueError, match=r"anchors must be a bool tensor of shape \(8,\), got ndarray"):
        group_loss(*batch[:2], logits=batch.logits, anchors=np.zeros(8, bool))  # type: ignore[arg-type]


class NoCheck(nn.Module):
    """A loss of a caller's own."""

    def forward(self, embeddings: Tensor, labels: Tensor, **_: object) -> Tensor:
        return embeddings.nan_to_num().sum()


@pytest.mark.parametrize("feature", ["before_neck", "after_neck"])
def test_a_training_step_checks_what_its_losses_see(feature: str) -> None:
    batch = make_batch()
    output = ReidOutput(batch.embeddings, batch.embeddings.clone(), batch.logits)
    own = WeightedSum([LossTerm("own", NoCheck(), feature=feature), LossTerm("ce", CrossEntropyLoss())])
    total, _ = own(output, batch.labels)
    assert total.isfinite()
    getattr(output, feature)[5] = float("inf")
    with pytest.raises(NonFiniteEmbeddingsError, match="embeddings are NaN or infinite in 1 of 8 rows: 5"):
        own(output, batch.labels)
