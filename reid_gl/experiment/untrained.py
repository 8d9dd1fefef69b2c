"""Score a network with random weights: the baseline for what learning adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from reid_gl.config import Config, read_experiment
from reid_gl.device import choose_device
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.experiment.load_data import load_data
from reid_gl.experiment.make_network import make_net
from reid_gl.inference.evaluate import evaluate
from reid_gl.report.scores import scores_to_dict


def run_untrained(config: Config) -> dict[str, Any]:
    """Evaluate the configured network in its state before training, in float32.

    Features are read before the neck, because its statistics are not trained yet.

    Returns:
        Scores in [0, 1] with protocol, counts and settings.
    """
    experiment = read_experiment(config)
    dataset = load_data(experiment.data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        net = make_net(experiment, num_classes=1)
    scoring = replace(experiment.scoring, feature="before_neck", precision="float32", rerank=None)
    preflight = check_test_set(dataset, camera_filter=scoring.camera_filter)
    net = net.to(choose_device(experiment.device))
    result = evaluate(net, dataset, preprocessing=experiment.preprocessing, **scoring.arguments())
    return scores_to_dict(
        result,
        preflight,
        dataset=dataset.name,
        feature=scoring.feature,
        distance=scoring.metric,
        dtype="float32",
    )
