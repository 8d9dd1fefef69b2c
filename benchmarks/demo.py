"""Run the demo with several seeds (other people, other weights) and print scores, time and peak memory.

    python benchmarks/demo.py [--seeds 0 1 2]

Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import print_header

ROWS = {
    "colour_histogram": "colour histogram",
    "untrained": "untrained network",
    "trained": "trained network",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    print_header("The demo")
    print("| seed | | rank-1 | mAP | mAP (trapezoid) | mINP |\n|---|---|---|---|---|---|", flush=True)
    costs = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            summary, peak = run_demo(seed, Path(folder))
        for key, name in ROWS.items():
            scores = [
                f"{100 * summary[key][score]:.1f}" for score in ("rank1", "mAP", "mAP_trapezoid", "mINP")
            ]
            print(f"| {seed} | {name} | {' | '.join(scores)} |", flush=True)
        costs.append((seed, summary["seconds"], peak))
    print("\n| seed | render (s) | train (s) | test (s) | together (s) | peak memory (GB) |")
    print("|---|---|---|---|---|---|")
    for seed, seconds, peak in costs:
        parts = [seconds[name] for name in ("render", "train", "test")]
        print(f"| {seed} | {' | '.join(map(str, parts))} | {sum(parts):.0f} | {peak:.2f} |")


def run_demo(seed: int, folder: Path) -> tuple[dict[str, Any], float]:
    """Run the demo in a separate process; return its summary and its peak memory in GB."""
    words = ["demo", "--seed", str(seed), "--out", str(folder / "demo"), "--data", str(folder / "data")]
    process = subprocess.Popen([sys.executable, "-m", "reid_gl.cli.main", *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the demo of seed {seed} failed")
    return json.loads(output), usage.ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
