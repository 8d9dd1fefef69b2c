from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.reassociation import evaluate_reassociation
from reid_gl.records import Features
from tests.reference.slow_reassociation import slow_reassociation
from tests.reference.slow_similarity import slow_euclidean_distance


def on_a_line(places: list[float], pids: list[int], camids: list[int]) -> Features:
    return Features(np.array(places, np.float32)[:, None], np.array(pids), np.array(camids))


def test_by_hand() -> None:
    # frame 1: people 1 at 0, 2 at 10, 3 at 50; frame 3: 1 at 1, 2 at 2, and a stranger at 9
    features = on_a_line([0, 10, 50, 1, 2, 9, 0], [1, 2, 3, 1, 2, 0, 1], [0, 0, 0, 0, 0, 0, 1])
    frames = np.array([1, 1, 1, 3, 3, 3, 3])  # the last image is another camera's
    (result,) = evaluate_reassociation(features, frames, gaps=[2], metric="euclidean")
    # 1 is found at once; 2 looks like the stranger, then like itself; 3 is gone
    assert (result.rank1, result.rank5, result.mean_reciprocal_rank) == (0.5, 1, 0.75)
    assert (result.num_scored, result.num_gone, result.gap) == (2, 1, 2)
    assert result.chance == pytest.approx(1 / 3)


def test_agrees_with_the_definition_in_any_order() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        places = [(c, f, p) for c in (0, 1) for f in range(6) for p in range(-1, 5) if rng.random() < 0.6]
        camids, frames, pids = (
            np.array(column) for column in zip(*rng.permutation(places).tolist(), strict=True)
        )
        rows = rng.integers(0, 3, (len(pids), 2)).astype(np.float32)
        distances = slow_euclidean_distance(rows.tolist(), rows.tolist())
        features = Features(rows, pids, camids)
        for result in evaluate_reassociation(features, frames, gaps=(1, 3), metric="euclidean"):
            lists = pids.tolist(), camids.tolist(), frames.tolist()
            ranks, gone = slow_reassociation(distances, *lists, result.gap)
            assert (result.num_scored, result.num_gone) == (len(ranks), gone)
            assert result.rank1 == pytest.approx(np.mean([rank == 1 for rank in ranks]))
            assert result.rank5 == pytest.approx(np.mean([rank <= 5 for rank in ranks]))
            assert result.mean_reciprocal_rank == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_what_cannot_be_scored() -> None:
    features = on_a_line([0, 1, 2], [1, 1, 2], [0, 0, 0])
    with pytest.raises(ValueError, match="nobody is seen by the same camera 7 frames later: with every N-th"):
        evaluate_reassociation(features, np.array([1, 2, 2]), gaps=[7])
    with pytest.raises(ValueError, match="person 1 is 2 times in frame 1 of camera 0: expected once"):
        evaluate_reassociation(features, np.array([1, 1, 2]))
    for gaps, found in (([1, 0], "0"), ([], "none")):
        with pytest.raises(ValueError, match=f"a gap is a number of frames from 1, got {found}"):
            evaluate_reassociation(features, np.array([1, 2, 2]), gaps=gaps)
    with pytest.raises(ValueError, match=r"frames must have shape \(3,\)"):
        evaluate_reassociation(features, np.array([1, 2]))
