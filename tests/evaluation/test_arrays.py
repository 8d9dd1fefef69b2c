from __future__ import annotations

import numpy as np
import pytest
import torch

from reid_gl.evaluation import evaluate_features, evaluate_ranking, search_gallery
from reid_gl.evaluation.arrays import as_array
from reid_gl.inference.extractor.crops import as_corners
from reid_gl.records import Features


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_of_every_kind(dtype: torch.dtype) -> None:
    values = torch.tensor([[0.5, 0.25], [1.0, 2.0]], dtype=dtype, requires_grad=True)
    assert as_array(values).tolist() == [[0.5, 0.25], [1.0, 2.0]]
    pids = torch.tensor([1, 2])
    result = evaluate_ranking(values, pids, pids)  # type: ignore[arg-type]
    assert result.first_match.tolist() == [2, 2]
    boxes = torch.tensor([[10.0, 20.0, 30.0, 40.0]], dtype=dtype, requires_grad=True)
    assert as_corners(boxes, "xyxy").tolist() == [[10, 20, 30, 40]]


def test_features_that_are_tensors_are_refused_with_advice_that_works() -> None:
    rows = torch.eye(3, dtype=torch.bfloat16, requires_grad=True)
    pids = np.array([1, 1, 2])
    with pytest.raises(
        TypeError, match=r"got Tensor: hand over tensor\.detach\(\)\.cpu\(\)\.float\(\)\.numpy\(\)$"
    ):
        evaluate_features(Features(rows, pids, pids), use_cameras=False)  # type: ignore[arg-type]
    array = rows.detach().cpu().float().numpy()
    assert evaluate_features(Features(array, pids, pids), use_cameras=False).num_scored == 2


def test_no_queries() -> None:
    gallery = np.eye(3, dtype=np.float32)
    distances, places = search_gallery(np.empty((0, 3), np.float32), gallery, num_nearest=2)
    assert distances.shape == places.shape == (0, 2)
    with pytest.raises(ValueError, match="expected the same number of columns"):
        search_gallery(np.empty((0, 4), np.float32), gallery)
    with pytest.raises(ValueError, match=r"^there are no queries: nothing can be scored$"):
        evaluate_ranking(np.empty((0, 3)), np.empty(0, np.int64), np.arange(3))
