"""Score a network with random weights: what learning adds is measured from here."""

from __future__ import annotations

from typing import Any

import torch
from yacs.config import CfgNode

from reid_gl.config import build
from reid_gl.evaluation.scores.protocol import check_protocol
from reid_gl.inference.evaluate import evaluate
from reid_gl.report.scores import scores_to_dict


def run_untrained(config: CfgNode) -> dict[str, Any]:
    """Evaluate the configured network as training would find it, in float32.

    Its features are read before the neck, whose statistics nothing has filled yet.

    Returns:
        Scores in [0, 1] with protocol, counts and settings.
    """
    dataset = build.build_dataset(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.SEED)
        net = build.build_net(config, num_classes=1)
    settings = {
        **build.build_evaluation(config),
        "feature": "before_neck",
        "precision": "float32",
        "rerank": None,
    }
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=settings["camera_filter"])
    net = net.to(build.build_device(config))
    result = evaluate(net, dataset, preprocessing=build.build_preprocessing(config), **settings)
    return scores_to_dict(
        result,
        preflight,
        dataset=dataset.name,
        feature=settings["feature"],
        distance=settings["metric"],
        dtype="float32",
    )
