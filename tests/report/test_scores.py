from __future__ import annotations

import json

import numpy as np

from reid_gl.evaluation import check_protocol, evaluate_ranking
from reid_gl.records import Sample
from reid_gl.report.scores import format_scores, scores_to_dict


def test_every_number_of_the_json_is_a_plain_fraction() -> None:
    query, gallery = [Sample("q", 1, 0)], [Sample("a", 2, 1), Sample("b", 1, 1)]
    result = evaluate_ranking(np.array([[0.1, 0.2]]), [1], [2, 1], [0], [1, 1])
    scores = scores_to_dict(result, check_protocol(query, gallery), feature="after_neck")
    assert json.loads(json.dumps(scores)) == scores
    assert (scores["rank1"], scores["rank5"], scores["mAP"], scores["mINP"]) == (0.0, 1.0, 0.5, 0.5)
    assert scores["mAP_trapezoid"] == 0.25
    assert scores["counts"] == {"queries": 1, "queries_scored": 1, "gallery": 2, "distractors": 1}
    assert scores["protocol"]["name"] == "market1501"
    assert scores["feature"] == "after_neck"


def test_the_table_is_in_percent_and_leaves_gaps() -> None:
    table = format_scores({"a": {"rank1": 0.123, "mAP": 1.0}, "longer": {"mAP": 0.5}}).splitlines()
    assert table[0].split() == ["rank-1", "mAP", "(%)"]
    assert table[1].split() == ["a", "12.3", "100.0"]
    assert table[2].split() == ["longer", "50.0"]
