from __future__ import annotations

import pytest
import torch

from reid_gl.inference.strategies.feature import concatenate, feature_of
from reid_gl.records import ReidOutput

BEFORE, AFTER = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [-1.0, 0.0]])
OUTPUT = ReidOutput(BEFORE, AFTER, torch.zeros(2, 5))


def test_both_have_length_one_before_they_are_joined() -> None:
    joined = concatenate(BEFORE, AFTER)
    torch.testing.assert_close(joined, torch.tensor([[0.6, 0.8, 0, 1], [0, 0, -1, 0]]))


@pytest.mark.parametrize(
    ("feature", "expected"),
    [("before_neck", BEFORE), ("after_neck", AFTER), ("concatenated", concatenate(BEFORE, AFTER))],
)
def test_the_feature_asked_for_is_taken(feature: str, expected: torch.Tensor) -> None:
    assert torch.equal(feature_of(OUTPUT, feature), expected)


@pytest.mark.parametrize("feature", ["before_neck", "after_neck"])
def test_a_single_tensor_is_both_and_becomes_float32(feature: str) -> None:
    found = feature_of(BEFORE.half(), feature)
    assert found.dtype == torch.float32
    assert torch.equal(found, BEFORE)


def test_what_gives_no_feature() -> None:
    with pytest.raises(ValueError, match="gives one tensor: there is nothing to concatenate with it"):
        feature_of(BEFORE, "concatenated")
    with pytest.raises(ValueError, match=r"one feature \(N, D\) per image, got \(2, 2, 1, 1\)"):
        feature_of(BEFORE[..., None, None], "after_neck")
