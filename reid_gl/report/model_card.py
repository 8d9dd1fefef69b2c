"""The README.md of a published network: a YAML header for the hub, then what a user must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from reid_gl.evaluation.thresholds.record import Calibration

SCORES = ("mAP", "rank1", "rank5", "mINP")
TAGS = ["person-re-identification", "image-retrieval", "reid_gl"]


def format_card(
    name: str,
    description: Mapping[str, Any],
    *,
    license_name: str = "",
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    calibration: Calibration | None = None,
) -> str:
    """Write the card of a network.

    Args:
        name: of the network.
        description: "net", "preprocessing", "inference", "epoch" and "experiment", as in its folder.
        license_name: an identifier such as apache-2.0; "" writes none, and says that there is none.
        metrics: results of run_test, by data set.
        calibration: its thresholds.
    """
    trained_on = str(description["experiment"]["DATA"]["NAMES"])
    header: dict[str, Any] = {"library_name": "reid_gl", "pipeline_tag": "image-feature-extraction"}
    header["tags"] = TAGS
    if license_name:
        header["license"] = license_name
    if metrics:
        header["metrics"] = ["mAP", "rank-1"]
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {name}",
        _usage(),
        _facts(description, trained_on),
        _scores(metrics or {}),
        _thresholds(calibration),
        _terms(license_name),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _usage() -> str:
    return (
        "A network that maps an image of a person to a vector; vectors of the same person are near each "
        "other.\n\n```python\nfrom reid_gl import FeatureExtractor\n\n"
        'extractor = FeatureExtractor("FOLDER")  # or "hf://owner/repo", where it is published\n```\n\n'
        "`reid-gl weights verify FOLDER` compares every file with its SHA-256."
    )


def _facts(description: Mapping[str, Any], trained_on: str) -> str:
    net, images, features = (description[part] for part in ("net", "preprocessing", "inference"))
    size = f"{images['height']} x {images['width']} pixels, {images['channel_order'].upper()}"
    mean, std = (", ".join(f"{value:g}" for value in images[name]) for name in ("mean", "std"))
    epoch = description.get("epoch")
    rows = {
        "backbone": f"{net['backbone']}, last stride {net['last_stride']}",
        "pooling, neck": f"{net['pooling']}, {net['neck']}",
        "compared feature": str(features["feature"]).replace("_", " "),
        "input (height x width)": f"{size}, resized by {images['kernel'].replace('_', ' ')}",
        "normalisation in [0, 1], RGB": f"mean {mean}; standard deviation {std}",
        "trained on": trained_on or "not said",
        "epochs": "not said" if epoch is None else str(epoch),
    }
    return _table(("", ""), [*rows.items()])


def _scores(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    if not metrics:
        return "## Scores\n\nNone were measured."
    rows = []
    for data, result in metrics.items():
        shares = [f"{100 * float(result[score]):.1f}" if score in result else "-" for score in SCORES]
        rows.append((data, *shares))
    return "## Scores in percent\n\n" + _table(("data set", "mAP", "rank-1", "rank-5", "mINP"), rows)


def _thresholds(calibration: Calibration | None) -> str:
    if calibration is None:
        return ""
    rows = [(f"{point.false_accept_rate:g}", f"{point.threshold:.4f}") for point in calibration.points]
    table = _table(("false accept rate", "largest cosine distance"), rows)
    return f"## Thresholds\n\nMeasured on {calibration.source}.\n\n{table}"


def _terms(license_name: str) -> str:
    if not license_name:
        return "## Terms\n\nThe authors state no licence."
    return f"## Terms\n\n{license_name}. The data sets that it was trained on have terms of their own."


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
