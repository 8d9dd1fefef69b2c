"""What every loss of pairs has in common."""

from __future__ import annotations

import pytest
import torch

from tests.losses.pair_cases import PAIR_LOSSES, random_pairs


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_the_order_of_the_batch_and_the_scale_of_embeddings_do_not_matter(name: str) -> None:
    loss, _ = PAIR_LOSSES[name]
    for seed in range(20):
        embeddings, labels = random_pairs(seed)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        value = loss(1000 * embeddings[order], labels[order])
        assert value.item() == pytest.approx(loss(embeddings, labels).item(), abs=1e-11), seed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_half_precision_is_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    loss, loss_of_similarity = PAIR_LOSSES[name]
    embeddings, labels = random_pairs(9)
    half = embeddings.to(dtype)
    value = loss(half, labels)
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(half.float(), labels))
    similarity = half @ half.T / 100
    assert torch.equal(loss_of_similarity(similarity, labels), loss_of_similarity(similarity.float(), labels))


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_autocast_changes_nothing(name: str) -> None:
    loss, _ = PAIR_LOSSES[name]
    embeddings, labels = random_pairs(10)
    embeddings = embeddings.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(embeddings, labels)
    outside = loss(embeddings, labels)
    assert outside > 0
    assert torch.equal(inside, outside)
    gradients = [torch.autograd.grad(value, embeddings)[0] for value in (inside, outside)]
    assert torch.equal(*gradients)
