"""Score colour histograms on a data set: the baseline that a network has to beat."""

from __future__ import annotations

from typing import Any

from reid_gl.config import Config, read_experiment
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.load_data import load_data
from reid_gl.inference.color_histogram import extract_color_histograms
from reid_gl.inference.evaluate import number_shared
from reid_gl.report.scores import scores_to_dict


def run_color_histogram(config: Config) -> dict[str, Any]:
    """Compare the HSV histograms of the images of DATA under the protocol of TEST.

    Returns:
        Scores in [0, 1] with protocol, counts and settings.
    """
    experiment = read_experiment(config)
    dataset = load_data(experiment.data)
    camera_filter = experiment.scoring.camera_filter
    preflight = check_test_set(dataset, camera_filter=camera_filter)
    query = extract_color_histograms(dataset.query)
    gallery = extract_color_histograms(dataset.gallery) if dataset.gallery else None
    result = evaluate_features(
        *number_shared(query, gallery, dataset.query, dataset.gallery),
        metric="cosine",
        use_cameras=preflight.use_cameras,
        draws=dataset.draws,
        search=dataset.search,
    )
    return scores_to_dict(
        result,
        preflight,
        dataset=dataset.name,
        feature="colour histogram",
        distance="cosine",
        dtype="float32",
    )
