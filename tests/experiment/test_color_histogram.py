from __future__ import annotations

import pytest

from reid_gl.config import load_experiment
from reid_gl.evaluation import evaluate_features
from reid_gl.experiment.color_histogram import run_color_histogram
from reid_gl.experiment.load_data import load_data
from reid_gl.inference.color_histogram import extract_color_histograms


@pytest.mark.parametrize("cameras", ["on", "off"])
def test_scores_are_those_of_the_histograms_under_the_protocol_of_the_configuration(
    cameras: str, words: list[str]
) -> None:
    experiment = load_experiment(None, [*words, "TEST.CAMERA_FILTER", cameras])
    dataset = load_data(experiment.data)
    sides = [extract_color_histograms(side) for side in (dataset.query, dataset.gallery)]
    expected = evaluate_features(*sides, metric="cosine", use_cameras=cameras == "on")
    scores = run_color_histogram(experiment)
    assert scores["rank1"] == pytest.approx(expected.rank(1))
    assert scores["mAP"] == pytest.approx(expected.mean_ap)
    assert (scores["dataset"], scores["feature"], scores["distance"]) == (
        "market1501",
        "colour histogram",
        "cosine",
    )
