from __future__ import annotations

from typing import Any

import yaml

from reid_gl.report.model_card import format_card
from tests.evaluation.thresholds.made_up_calibration import made_up_calibration

DESCRIPTION: dict[str, Any] = {
    "net": {"backbone": "resnet18", "last_stride": 1, "pooling": "average", "neck": "bnneck"},
    "preprocessing": {
        "height": 256,
        "width": 128,
        "kernel": "antialiased_linear",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.2, 0.1],
        "channel_order": "rgb",
    },
    "inference": {"feature": "after_neck"},
    "epoch": 120,
    "experiment": {"DATA": {"NAMES": "synthetic"}},
}


def test_a_card_says_what_a_user_must_know() -> None:
    card = format_card(
        "small",
        DESCRIPTION,
        license_name="apache-2.0",
        metrics={"market1501": {"mAP": 0.123, "rank1": 0.456, "mINP": 0.01}},
        calibration=made_up_calibration(),
    )
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "apache-2.0"
    assert header["metrics"] == ["mAP", "rank-1"]
    for line in (
        "# small",
        "| backbone | resnet18, last stride 1 |",
        "| compared feature | after neck |",
        "| input (height x width) | 256 x 128 pixels, RGB, resized by antialiased linear |",
        "| normalisation in [0, 1], RGB | mean 0.5, 0.4, 0.3; standard deviation 0.2, 0.2, 0.1 |",
        "| trained on | synthetic |",
        "| epochs | 120 |",
        "| market1501 | 12.3 | 45.6 | - | 1.0 |",
        "## Thresholds",
        "| 0.01 | 0.2500 |",
    ):
        assert line in card.splitlines()


def test_what_is_not_known_is_not_made_up() -> None:
    unknown = {**DESCRIPTION, "epoch": None, "experiment": {"DATA": {"NAMES": ""}}}
    card = format_card("small", unknown)
    assert "license" not in card.split("---\n")[1]
    assert "The authors state no licence." in card
    assert "None were measured." in card
    assert "| trained on | not said |" in card
    assert "| epochs | not said |" in card
    assert "## Thresholds" not in card
