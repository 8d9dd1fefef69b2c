"""A run folder as training leaves it, without the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reid_gl.config import dump_config, load_config
from tests.experiment.conftest import SMALL
from tests.tiny_checkpoint import write_checkpoint

ABLATION = {
    "rows": [
        {"on": [], "rank1": 0.5, "mAP": 0.4, "gain": 0.0},
        {"on": ["flip"], "rank1": 0.6, "mAP": 0.45, "gain": 0.05},
    ],
    "switches": {"flip": {}},
    "caution": "chosen on the test set",
}


def write_run(folder: Path, data: Path, *overrides: str, **checkpoint: Any) -> Path:
    """Write configuration, weights, log, environment and ablation of a run on a set in Market's layout."""
    folder.mkdir(parents=True)
    config = load_config(None, [*SMALL, "DATA.ROOT", str(data), "OUTPUT_DIR", str(folder), *overrides])
    (folder / "config.yml").write_text(dump_config(config))
    environment = {"commit": "abc123", "command": ["reid-gl", "train"], "packages": {"torch": "2.0"}}
    (folder / "environment.json").write_text(json.dumps(environment))
    log = [
        {"type": "step", "epoch": 0, "step": 10 * n, "group": 2.0 / n, "learning_rate": 0.1} for n in (1, 2)
    ]
    log += [{"type": "step", "epoch": 1, "step": 0, "group": 0.5, "learning_rate": 0.1}]
    log += [{"type": "evaluation", "epoch": n, "step": 0, "rank1": 0.3 * n, "mAP": 0.2 * n} for n in (1, 2)]
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log))
    (folder / "ablation_market1501_before_neck.json").write_text(json.dumps(ABLATION))
    write_checkpoint(folder / "model.ckpt", feature="before_neck", **checkpoint)
    return folder
