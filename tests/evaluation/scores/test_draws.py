from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation import GnnRerankSettings, RerankSettings, evaluate_features
from reid_gl.evaluation.scores.draws import evaluate_draws
from reid_gl.records import Features
from tests.reference.slow_draws import slow_draw
from tests.reference.slow_rerank import slow_rerank
from tests.reference.slow_similarity import slow_euclidean_distance


def on_a_line(places: list[float], pids: list[int], camids: list[int]) -> Features:
    """Features whose Euclidean distances are those of the places."""
    return Features(np.array(places, np.float32)[:, None], np.array(pids), np.array(camids))


def test_two_draws_by_hand() -> None:
    # an infrared query at 0 from place 1; person 7 is sought
    query = on_a_line([0.0], [7], [1])
    gallery = on_a_line([1, 2, 3, 4, 0.5], [8, 8, 7, 9, 8], [0, 0, 0, 0, 1])
    # draw 1: images 8, 8, 7, 9; image 4 stands in the query's own place and is skipped, whoever it shows
    first = evaluate_draws(query, gallery, [[0, 1, 2, 3, 4]], metric="euclidean", max_rank=3)
    assert first.cmc.tolist() == [0, 1, 1]  # the second person
    assert first.mean_ap == pytest.approx(1 / 3)  # the third image
    assert first.mean_inp == pytest.approx(1 / 3)
    both = evaluate_draws(query, gallery, [[0, 1, 2, 3, 4], [2, 3]], metric="euclidean", max_rank=3)
    assert both.cmc.tolist() == [0.5, 1, 1]
    assert both.mean_ap == pytest.approx((1 / 3 + 1) / 2)
    assert both.average_precision.tolist() == pytest.approx([2 / 3])
    assert (both.num_scored, both.num_gallery) == (1, 5)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_definition(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    query = Features(
        rng.integers(0, 3, (9, 2)).astype(np.float32), rng.integers(1, 4, 9), rng.integers(-1, 3, 9)
    )
    pids = np.concatenate([np.arange(1, 4), rng.integers(-1, 5, 20)])
    gallery = Features(rng.integers(0, 3, (23, 2)).astype(np.float32), pids, rng.integers(-1, 3, 23))
    chosen = [[0, 1, 2, *rng.choice(np.arange(3, 23), 8, replace=False).tolist()] for _ in range(3)]
    distances = np.array(slow_euclidean_distance(query.embeddings, gallery.embeddings))
    sides = (query.pids.tolist(), pids.tolist(), query.camids.tolist(), gallery.camids.tolist())
    try:
        expected = [slow_draw(distances.tolist(), *sides, draw, max_rank=5) for draw in chosen]
    except ZeroDivisionError:
        with pytest.raises(ValueError, match=r"draw \d: none of the 9 queries has a match"):
            evaluate_draws(query, gallery, chosen, metric="euclidean")
        return
    monkeypatch.setattr("reid_gl.evaluation.blocks.FEW_ROWS", 2)
    monkeypatch.setattr("reid_gl.evaluation.blocks.BLOCK_CELLS", 1)
    found = evaluate_features(query, gallery, draws=chosen, metric="euclidean", max_rank=5)
    assert found.cmc == pytest.approx(np.mean([one.cmc for one in expected], axis=0))
    assert found.mean_ap == pytest.approx(np.mean([one.mean_ap for one in expected]))
    assert found.mean_inp == pytest.approx(np.mean([one.mean_inp for one in expected]))
    assert found.num_scored == expected[0].num_scored


def test_without_cameras_nothing_is_skipped() -> None:
    query, gallery = on_a_line([0.0], [7], [1]), on_a_line([1, 2], [7, 8], [1, 1])
    assert evaluate_draws(query, gallery, [[0, 1]], metric="euclidean", use_cameras=False).rank(1) == 1
    with pytest.raises(ValueError, match=r"draw 1: none of the 1 queries has a match .* own camera's do not"):
        evaluate_draws(query, gallery, [[0, 1]], metric="euclidean")


def test_draws_that_do_not_do() -> None:
    query, gallery = on_a_line([0.0], [7], [1]), on_a_line([1, 2], [7, 8], [0, 0])
    for draw in ([], [0, 2], [-1]):
        with pytest.raises(
            ValueError, match=r"draw 2 must name rows of the gallery, 0 to 1, and at least one"
        ):
            evaluate_draws(query, gallery, [[0], draw], metric="euclidean")
    for draw in (["a"], [0.5], [[0]]):
        with pytest.raises(ValueError, match=r"draw 1 must (be whole numbers|have shape)"):
            evaluate_draws(query, gallery, [draw], metric="euclidean")
    with pytest.raises(ValueError, match="max_rank must be at least 1, got 0"):
        evaluate_draws(query, gallery, [[0]], max_rank=0)
    with pytest.raises(ValueError, match="galleries that are drawn need a gallery"):
        evaluate_features(query, None, draws=[[0]])
    with pytest.raises(ValueError, match=r"draw 1: none of the 1 queries has a match among the 0 gallery"):
        evaluate_draws(query, on_a_line([1], [-1], [0]), [[0]])


def test_each_draw_is_reranked_by_itself() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        query = Features(rng.normal(size=(8, 3)).astype(np.float32), np.arange(8) % 4, rng.integers(0, 3, 8))
        pids = np.array([*range(4), *rng.integers(0, 5, 20).tolist(), -1, -1])
        gallery = Features(rng.normal(size=(26, 3)).astype(np.float32), pids, np.full(26, 7))
        gallery.camids[4:] = rng.integers(0, 3, 22)
        draws = [[0, 1, 2, 3, *rng.choice(np.arange(4, 24), 9, replace=False).tolist()] for _ in range(2)]
        expected = []
        for draw in draws:
            # images of the query's place take part as neighbours, and are skipped in the scores
            pool = np.concatenate([query.embeddings, gallery.embeddings[draw]]).astype(np.float64)
            squared = ((pool[:, None] - pool) ** 2).sum(axis=2)
            distances = slow_rerank(squared, 8, k1=6, k2=3, lambda_value=0.3)
            sides = (
                query.pids.tolist(),
                pids[draw].tolist(),
                query.camids.tolist(),
                gallery.camids[draw].tolist(),
            )
            expected.append(slow_draw(distances.tolist(), *sides, range(len(draw)), max_rank=5))
        with_junk = [[*draw, 24, 25] for draw in draws]  # junk is no neighbour
        rerank = RerankSettings(6, 3, 0.3)
        found = evaluate_features(
            query, gallery, draws=with_junk, metric="euclidean", rerank=rerank, max_rank=5
        )
        assert found.mean_ap == pytest.approx(np.mean([one.mean_ap for one in expected]))
        assert found.cmc == pytest.approx(np.mean([one.cmc for one in expected], axis=0))
        assert found.mean_ap != evaluate_features(query, gallery, draws=draws, metric="euclidean").mean_ap
        approximate = evaluate_features(query, gallery, draws=draws, rerank=GnnRerankSettings(6, 3))
        assert 0 < approximate.mean_ap <= 1
