"""Market-1501: losses with the same budget on held-out identities, then the configs on the test set.

    python benchmarks/market1501.py --root <folder of Market-1501> [--budget small|gpu]
    python benchmarks/market1501.py --root <folder> --parts losses --losses ce ce+group --seeds 1 2

Parts: `losses` trains each loss and scores it on held-out training identities, never on the test set;
`recipe` trains and tests the config of the budget and reports the gain of each test-time switch; `finetune`
fine-tunes from ImageNet weights without and with Group Loss. Every finished run is stored in --out and is not
repeated; an interrupted one is resumed. Prints a Markdown page for docs/benchmarks/ with all stored runs.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from machine import print_header

from reid_gl.config import load_config
from reid_gl.experiment.comparing.ablate import run_ablation
from reid_gl.experiment.comparing.compare_losses import Contender, parse_losses, run_comparison
from reid_gl.experiment.comparing.series import RESULT_FILE, train_or_resume
from reid_gl.experiment.score import run_test
from reid_gl.files import write_text
from reid_gl.report.ablation import format_ablation
from reid_gl.report.comparison import format_comparison, summarize_runs

PAPER = (
    *("LOSS.GROUP.FEATURE", "before_neck", "LOSS.GROUP.NUM_STEPS", "2", "LOSS.GROUP.TEMPERATURE", "70.0"),
    *("LOSS.GROUP.ANCHORS_PER_CLASS", "2", "LOSS.GROUP.SIMILARITY_SCALE", "-1.0"),
    *("LOSS.GROUP.SELF_SIMILARITY", "true", "LOSS.GROUP.POSITIVES", "sum"),
)
GROUP = parse_losses("ce+group")
CONTENDERS = {
    **{text: parse_losses(text) for text in ("ce", "ce+triplet", "ce+ms", "ce+0.4*rll", "ce+group")},
    "ce+group-sum": Contender("ce+group-sum", (*GROUP.overrides, "LOSS.GROUP.POSITIVES", "sum")),
    "ce+group-paper": Contender("ce+group-paper", (*GROUP.overrides, *PAPER)),
}
"""Contenders by their name in the table; ce+group is the loss of the configs."""
FINETUNED = ("ce", "ce+group")
VARIANTS = {
    "as it is": (),
    "with flip": ("TEST.FLIP", "true"),
    "with flip, re-ranked": ("TEST.FLIP", "true", "TEST.RERANK.ENABLED", "true"),
}


@dataclass(frozen=True)
class Budget:
    """The configs and overrides of a budget.

    Attributes:
        recipe: config of the part `recipe`.
        recipe_words: overrides of the part `recipe`.
        loss_words: overrides of the part `losses`, which uses market_small.yml.
        finetune_words: overrides of the part `finetune`, which uses market_lite.yml.
    """

    recipe: str
    recipe_words: tuple[str, ...]
    loss_words: tuple[str, ...]
    finetune_words: tuple[str, ...]


BUDGETS = {
    "small": Budget(
        "configs/market_small.yml",
        (),
        ("COMPARE.NUM_EPOCHS", "8", "DATA.HOLDOUT", "0.5", "MODEL.LAST_STRIDE", "2"),
        (),
    ),
    "gpu": Budget(
        "configs/market.yml",
        ("MODEL.PRETRAINED", "none"),
        ("COMPARE.NUM_EPOCHS", "20", "DATA.HOLDOUT", "0.1"),
        ("SOLVER.NUM_EPOCHS", "60", "INPUT.SIZE", "[256, 128]", "INPUT.PAD", "10", "INPUT.ERASE", "0.5"),
    ),
}
LADDER = "configs/market_small.yml"
LITE = "configs/market_lite.yml"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True, help="folder of Market-1501")
    parser.add_argument("--budget", choices=BUDGETS, default="small")
    parser.add_argument("--parts", nargs="*", choices=("losses", "recipe", "finetune"), default=None)
    parser.add_argument("--losses", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--finetuned", nargs="+", choices=FINETUNED, default=list(FINETUNED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=None, help="default: runs/market1501_<budget>")
    parser.add_argument("words", nargs="*", metavar="KEY VALUE", help="overrides of every run")
    options = parser.parse_intermixed_args()
    logging.basicConfig(level=logging.INFO)
    budget, folder = BUDGETS[options.budget], options.out or Path(f"runs/market1501_{options.budget}")
    data = ["DATA.ROOT", options.root, *options.words]
    parts = ("losses", "recipe", "finetune") if options.parts is None else options.parts
    if "losses" in parts:
        for seed in options.seeds:
            for name in options.losses:
                # one comparison per run, so that several processes can run at the same time
                run_comparison(
                    LADDER,
                    [*budget.loss_words, *data],
                    [CONTENDERS[name]],
                    num_seeds=1,
                    first_seed=seed,
                    folder=folder / "losses" / f"seed{seed}" / name,
                )
    if "recipe" in parts:
        train_and_test(budget.recipe, [*budget.recipe_words, *data], folder / "recipe", ablate=True)
    if "finetune" in parts:
        for name in options.finetuned:
            words = [*budget.finetune_words, *data, *CONTENDERS[name].overrides]
            train_and_test(LITE, words, folder / "finetune" / name, ablate=False)
    print_page(folder, budget)


def train_and_test(config_file: str, words: list[str], place: Path, *, ablate: bool) -> None:
    """Train, then test every variant; write scores and seconds to result.json."""
    if (place / RESULT_FILE).is_file():
        return
    words = [*words, "OUTPUT_DIR", str(place / "train")]
    config = load_config(config_file, words)
    torch.manual_seed(config.SEED)
    start = time.perf_counter()
    weights, dataset = train_or_resume(config, place / "train", lambda: 0)
    result: dict[str, Any] = {"train_seconds": round(time.perf_counter() - start)}
    words += ["MODEL.WEIGHTS", str(weights)]
    for name, variant in VARIANTS.items():
        start = time.perf_counter()
        scores = run_test(load_config(config_file, [*words, *variant]), dataset)
        result[name] = {key: scores[key] for key in ("rank1", "mAP", "mAP_trapezoid", "mINP")}
        result[name]["test_seconds"] = round(time.perf_counter() - start)
    if ablate:
        result["ablation"] = run_ablation(load_config(config_file, words), dataset)
    write_text(place / RESULT_FILE, json.dumps(result, indent=2) + "\n")


def print_page(folder: Path, budget: Budget) -> None:
    print_header("Market-1501")
    runs: dict[str, list[dict[str, Any]]] = {}
    for name in CONTENDERS:
        for path in sorted((folder / "losses").glob(f"seed*/{name}/comparison.json")):
            scores = json.loads(path.read_text())["results"][name]
            one = {score: scores[score]["values"][0] for score in ("rank1", "mAP") if scores[score]["values"]}
            seconds = {"seconds": scores["seconds"] or 0.0, "was_resumed": scores["seconds"] is None}
            runs.setdefault(name, []).append({**one, **seconds} if one else {"error": "diverged", **seconds})
    if runs:
        print(f"## Losses, on held-out training identities ({' '.join(budget.loss_words)})\n")
        print(format_comparison({name: summarize_runs(done) for name, done in runs.items()}), "\n")
    for path in sorted([*folder.glob("recipe/result.json"), *folder.glob("finetune/*/result.json")]):
        result = json.loads(path.read_text())
        minutes = result["train_seconds"] / 60
        print(f"## {path.parent.relative_to(folder)}\n\nTrained in {minutes:.1f} minutes.\n")
        print("| | rank-1 | mAP | mAP (trapezoid) | mINP |\n|---|---|---|---|---|")
        for name in VARIANTS:
            scores = [f"{100 * result[name][key]:.1f}" for key in ("rank1", "mAP", "mAP_trapezoid", "mINP")]
            print(f"| {name} | {' | '.join(scores)} |")
        if "ablation" in result:
            print(f"\n```text\n{format_ablation(result['ablation'])}\n```")
        print()


if __name__ == "__main__":
    main()
