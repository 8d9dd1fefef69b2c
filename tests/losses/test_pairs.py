from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_gl.losses.pairs import (
    NonFiniteEmbeddingsError,
    check_batch,
    check_labels,
    check_labels_in_range,
    check_rows,
    distance_from_cosine,
    pair_masks,
    pair_similarity,
)
from tests.reference.slow_similarity import slow_cosine_distance


def make_batch() -> dict[str, Tensor]:
    """Eight images of four identities."""
    generator = torch.Generator().manual_seed(0)
    rows, logits = (torch.randn(8, width, generator=generator) for width in (3, 4))
    return {"embeddings": rows, "labels": torch.arange(8) // 2, "logits": logits}


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"labels": torch.arange(8) // 2 - 1}, ValueError, "labels must lie in [0, 4) like the columns of "),
        ({"labels": torch.arange(8) // 2 + 1}, ValueError, "learned vectors, got 1 to 4"),
        ({"labels": torch.zeros(8)}, ValueError, "labels must be int64, got torch.float32: labels.long() "),
        ({"labels": torch.zeros(8) > 1}, ValueError, "labels must be int64, got torch.bool: labels.long() "),
        ({"labels": torch.zeros(8, 1).long()}, ValueError, "expected labels (N,), got (8, 1)"),
        ({"labels": torch.zeros(7).long()}, ValueError, "expected embeddings (N, D) and labels (N,), got (8"),
        ({"labels": np.zeros(8, np.int64)}, TypeError, "labels must be a torch.Tensor, got ndarray: "),
        ({"labels": [0] * 8}, TypeError, "labels must be a torch.Tensor, got list: torch.as_tensor(labels) "),
        ({"embeddings": np.ones((8, 3))}, TypeError, "embeddings must be a torch.Tensor, got ndarray: "),
        ({"embeddings": torch.ones(9, 3)}, ValueError, "expected embeddings (N, D) and labels (N,), got (9"),
        ({"embeddings": torch.ones(8)}, ValueError, "expected embeddings (N, D) and labels (N,), got (8,)"),
        ({"embeddings": torch.ones(8, 0)}, ValueError, "a batch needs an image and a feature, got "),
        ({"embeddings": torch.ones(8, 3).long()}, ValueError, "embeddings must be floating point, got "),
        ({"logits": np.ones((8, 4))}, TypeError, "logits must be a torch.Tensor, got ndarray: "),
        ({"logits": torch.ones(9, 4)}, ValueError, "expected logits (N, C) and labels (N,), got (9, 4) and"),
        ({"logits": torch.ones(8, 4).int()}, ValueError, "logits must be floating point, got torch.int32: "),
        ({"embeddings": torch.ones(8, 3, device="meta")}, ValueError, "embeddings are on meta and labels on"),
    ],
)  # fmt: skip
def test_one_sentence_for_each_mistake(change: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=re.escape(sentence)) as caught:
        check_batch(**{**make_batch(), **change})
    assert "\n" not in str(caught.value)


def test_what_fits_comes_back_as_whole_numbers_of_64_bits() -> None:
    labels = torch.tensor([0, 3], dtype=torch.uint8)
    checked = check_batch(torch.ones(2, 3), labels, num_classes=4)
    assert (checked.dtype, checked.tolist()) == (torch.int64, [0, 3])
    assert check_labels(labels).dtype == torch.int64
    assert check_rows({"logits": torch.ones(2, 4)}, labels).tolist() == [0, 3]


def test_the_number_of_classes_is_given_or_that_of_the_logits() -> None:
    rows, labels = torch.ones(2, 3), torch.tensor([0, 3])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\) .* got 0 to 3"):
        check_batch(rows, labels, logits=torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\) .* got 0 to 3"):
        check_batch(rows, labels, logits=torch.ones(2, 4), num_classes=2)
    check_labels_in_range(labels, None)
    with pytest.raises(
        ValueError, match="labels must be at least 0, got -1: leave images without an identity"
    ):
        check_labels_in_range(labels - 1, None)


def test_of_many_broken_rows_five_are_named() -> None:
    batch = make_batch()
    batch["embeddings"][1:] = float("nan")
    with pytest.raises(NonFiniteEmbeddingsError, match="7 of 8 rows: 1, 2, 3, 4, 5 and 2 more"):
        check_batch(**batch)


def test_broken_rows_are_named_before_labels_out_of_range() -> None:
    batch = make_batch()
    batch["logits"][6, 0] = float("inf")
    with pytest.raises(NonFiniteEmbeddingsError, match=r"^logits are NaN or infinite in 1 of 8 rows: 6$"):
        check_batch(**{**batch, "labels": batch["labels"] + 9})


def test_masks_by_hand() -> None:
    positives, negatives = pair_masks(torch.tensor([1, 2, 1]))
    assert positives.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
    assert negatives.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_similarities_are_cosines_in_float32_also_of_half_precision() -> None:
    rows = make_batch()["embeddings"]
    rows[3] = 0
    labels = torch.zeros(8, dtype=torch.int64)
    expected = 1 - torch.tensor(slow_cosine_distance(rows.tolist(), rows.tolist()))
    torch.testing.assert_close(pair_similarity(rows, labels), expected, atol=1e-6, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        similarities = pair_similarity(rows.bfloat16(), labels)
    assert similarities.dtype == torch.float32
    torch.testing.assert_close(similarities, expected, atol=2e-2, rtol=0)


def test_distances_of_unit_vectors_by_hand_and_no_slope_where_they_coincide() -> None:
    similarity = torch.tensor([1.0, 0.5, 0.0, -1.0, 1.0 + 1e-7], dtype=torch.float64, requires_grad=True)
    distances = distance_from_cosine(similarity)
    expected = torch.tensor([0.0, 1.0, 2**0.5, 2.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(distances, expected)
    (slope,) = torch.autograd.grad(distances.sum(), similarity)
    torch.testing.assert_close(slope, torch.tensor([0, -1, -(2**-0.5), -0.5, 0], dtype=torch.float64))
