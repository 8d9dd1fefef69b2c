from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_features, evaluate_ranking, search_gallery
from reid_gl.records import Features


def _case() -> Features:
    rng = np.random.default_rng(0)
    return Features(rng.normal(size=(40, 8)).astype(np.float32), np.arange(40) % 4, np.full(40, -1))


def _score() -> float:
    return evaluate_features(_case(), use_cameras=False).mean_ap


def _messages() -> list[str]:
    """What every way to evaluate says here."""
    rows, pids = _case().embeddings, _case().pids
    found = []
    for evaluate in (
        _score,
        lambda: evaluate_ranking(rows @ rows.T, pids, pids),
        lambda: search_gallery(rows, rows),
    ):
        try:
            evaluate()
        except RuntimeError as error:
            found.append(str(error))
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_after_an_evaluation_is_refused_and_the_advice_works() -> None:
    expected = _score()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        messages = pool.apply_async(_messages).get(timeout=60)
    assert len(messages) == 3
    assert set(messages) == {messages[0]}
    assert "was forked after its parent had evaluated" in messages[0]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(_score).get(timeout=200) == expected
