from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from reid_gl.evaluation.feature_lists import divide_list

FILE = Path("list.npz")
FEATURES = np.arange(1, 11, dtype=np.float32).reshape(5, 2)


def divide(**columns: object) -> dict[str, list[object]]:
    """Five rows as `reid-gl extract` writes them, divided."""
    arrays = {"features": FEATURES} | {name: np.array(column) for name, column in columns.items()}
    return {name: values.tolist() for name, values in divide_list(arrays, FILE).items()}


def test_without_splits_every_row_is_a_query() -> None:
    assert divide(pids=[3, 3, 5, 0, -1]) == {"query": FEATURES.tolist(), "query_pids": [3, 3, 5, 0, -1]}


def test_rows_without_a_feature_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    parts = divide(pids=[3, 3, 5, 0, -1], camids=[4, 5, 6, 7, 8], valid=[True, True, False, True, True])
    assert parts == {
        "query": [[1, 2], [3, 4], [7, 8], [9, 10]],
        "query_pids": [3, 3, 0, -1],
        "query_camids": [4, 5, 7, 8],
    }
    assert caplog.messages == ["list.npz: 1 of 5 boxes hold nothing and are left out"]


def test_clothes_and_days_stay_with_their_rows() -> None:
    groups = {"clothes": [1, 2, 3, 4, -1], "dates": [7, 7, 8, 8, 9]}
    parts = divide(pids=[3] * 5, splits=["query", "train", "gallery", "query", "gallery"], **groups)
    assert (parts["query_clothes"], parts["query_dates"]) == ([1, 4], [7, 8])
    assert (parts["gallery_clothes"], parts["gallery_dates"]) == ([3, -1], [8, 9])


def test_ids_of_ground_truth_know_no_distractors() -> None:
    assert divide(ids=[0, 0, 7, -1, 7])["query_pids"] == [1, 1, 8, -1, 8]


def test_a_list_with_splits() -> None:
    splits = ["query", "train", "gallery", "query", "gallery"]
    columns = {"pids": [3, 9, 3, 4, 4], "camids": [0, 1, 2, 3, 4]}
    parts = divide(**columns, splits=splits)
    assert parts["query"] == [[1, 2], [7, 8]]
    assert (parts["query_pids"], parts["query_camids"]) == ([3, 4], [0, 3])
    assert parts["gallery"] == [[5, 6], [9, 10]]
    assert (parts["gallery_pids"], parts["gallery_camids"]) == ([3, 4], [2, 4])
    parts = divide(**columns, splits=["query", "train", "query", "query", "train"])
    assert parts["query_pids"] == [3, 3, 4]
    assert "gallery" not in parts


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, r"list\.npz does not say who is who: extract from a table with the column pid, or"),
        ({"ids": [-1] * 5}, "does not say who is who"),
        ({"pids": [1, 2]}, "pids must be 5 numbers or words, got 2"),
        (
            {"pids": [1] * 5, "splits": ["train"] * 5},
            "has no row of split query, its splits are train: extract",
        ),
        (
            {"pids": [1] * 5, "splits": ["query"] * 5, "valid": [False] * 5},
            "has no row of split query, its splits are none: extract",
        ),
    ],
)
def test_lists_that_cannot_be_scored(columns: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        divide(**columns)
