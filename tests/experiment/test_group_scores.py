from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols
from reid_gl.experiment.group_scores import score_groups
from reid_gl.records import Features

QUIET = {"metric": "cosine", "rerank": None, "max_memory_gb": None}


def features(seed: int, clothes: list[int] | None) -> Features:
    rng = np.random.default_rng(abs(seed))
    camids = np.full(3, seed)
    groups = None if clothes is None else np.array(clothes)
    return Features(rng.random((3, 4)).astype(np.float32), np.arange(1, 4), camids, clothes=groups)


def test_scores_of_each_protocol_that_has_a_match() -> None:
    query, gallery = features(0, [1, 2, 3]), features(1, [1, 2, 4])
    groups = score_groups(query, gallery, **QUIET)["groups"]
    expected = evaluate_group_protocols(query, gallery, ("same_clothes", "clothes_changing"))
    for name, result in expected.items():
        assert result is not None
        assert groups[name]["mAP"] == result.mean_ap
    assert [groups[name]["queries_scored"] for name in groups] == [2, 1]
    same = score_groups(query, query_elsewhere := features(2, [1, 2, 3]), **QUIET)["groups"]
    assert same["clothes_changing"] is None
    assert json.dumps(same)
    assert score_groups(replace(query, clothes=None), query_elsewhere, **QUIET) == {}
    assert score_groups(query, None, **QUIET) == {}


def test_cameras_that_are_missing_are_said(caplog: pytest.LogCaptureFixture) -> None:
    query, gallery = features(0, [1, 2, 3]), features(-1, [1, 2, 4])
    assert score_groups(query, gallery, **QUIET) == {}
    assert (
        "no scores by clothes or day: 3 of 3 gallery images with a query's identity have no camera"
        in caplog.text
    )


def test_clothes_that_one_side_lacks_are_said(caplog: pytest.LogCaptureFixture) -> None:
    query, gallery = features(0, [1, 2, 3]), features(1, None)
    assert score_groups(query, gallery, **QUIET) == {}
    assert score_groups(gallery, query, **QUIET) == {}
    assert score_groups(gallery, gallery, **QUIET) == {}
    assert caplog.messages == [
        f"no scores by clothes: the {side} have none, and both sides need it; add it to their table"
        for side in ("gallery images", "queries")
    ]
