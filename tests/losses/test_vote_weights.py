from __future__ import annotations

import math

import pytest
import torch

from reid_gl.losses.vote_weights import vote_weights
from tests.reference.slow_similarity import slow_cosine_distance, slow_pearson_similarity

ROWS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _slow(similarity: str) -> list[list[float]]:
    rows = ROWS.tolist()
    if similarity == "pearson":
        return slow_pearson_similarity(rows)
    return [[1 - distance for distance in row] for row in slow_cosine_distance(rows, rows)]


@pytest.mark.parametrize("self_similarity", [True, False])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
@pytest.mark.parametrize("form", ["clip", "shift", 10.0])
def test_every_form_agrees_with_the_slow_similarities(
    form: str | float, similarity: str, self_similarity: bool
) -> None:
    slow = _slow(similarity)
    lowest = min(min(row) for row in slow)
    assert lowest < 0
    expected = [
        [
            0.0 if i == j and not self_similarity
            else max(r, 0.0) if form == "clip"
            else r - lowest if form == "shift"
            else math.exp(10.0 * (r - 1.0))
            for j, r in enumerate(row)
        ]
        for i, row in enumerate(slow)
    ]  # fmt: skip
    settings = {"negatives": form} if isinstance(form, str) else {"similarity_scale": form}
    weights = vote_weights(ROWS, similarity=similarity, self_similarity=self_similarity, **settings)  # type: ignore[arg-type]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


def test_similarities_that_are_not_negative_are_not_shifted() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    shifted, clipped = (
        vote_weights(rows, similarity="cosine", negatives=negatives) for negatives in ("shift", "clip")
    )
    assert torch.equal(shifted, clipped)


def test_a_near_image_weighs_more_and_a_sharper_scale_forgets_distant_ones() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    blunt, sharp = (vote_weights(rows, similarity="cosine", similarity_scale=scale) for scale in (2.0, 20.0))
    torch.testing.assert_close(blunt.diagonal(), torch.ones(3))
    assert blunt[0, 1] > blunt[0, 2]
    assert sharp[0, 2] / sharp[0, 1] < blunt[0, 2] / blunt[0, 1]


def test_constant_rows_are_like_nobody_and_half_precision_becomes_float32() -> None:
    rows = torch.tensor([[2.0, 2.0], [1.0, 3.0]], dtype=torch.float16)
    weights = vote_weights(rows)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, torch.tensor([[0.0, 0.0], [0.0, 1.0]]))


def test_a_clipped_similarity_has_no_slope_even_at_zero() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(vote_weights(rows, similarity="cosine")[0, 1], rows)
    assert slope.tolist() == [[0, 0], [0, 0]]
