"""What Ray costs: `extract --engine ray` beside the local engine, on the same crops and cores.

    python benchmarks/extraction_engines.py [--crops 5000] [--repeats 1]

Each extraction is a command in a process of its own, timed from its start to its end, engines in turn, and
printed as soon as it ends; writing weights and crops is not timed. A second list of one part tells the cost
of starting, which the last table subtracts. The local engine computes with all threads in one process; Ray
starts a worker of one thread per core. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import print_header

from reid_gl import Preprocessing
from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.training.checkpoint import save_checkpoint

ENGINES = {"local": "features.parquet", "ray": "features"}
BACKBONE, HEIGHT, WIDTH = "resnet18", 128, 64
FEW = 64
"""Crops of the short list, in one part: almost only the start."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=int, default=5_000, help="of the long list; default: %(default)s")
    parser.add_argument("--repeats", type=int, default=1, help="of each extraction; default: %(default)s")
    options = parser.parse_args()
    print_header("Engines of extraction")
    print(
        f"{BACKBONE}, {HEIGHT} x {WIDTH}, float32, JPEG files of 160 x 70 pixels, {os.cpu_count()} cores.\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = save_weights(folder)
        lists = {size: write_crops(folder, size) for size in (FEW, options.crops)}
        print("| engine | crops | seconds of the command |\n|---|---|---|", flush=True)
        seconds: dict[tuple[str, int], list[float]] = {}
        for _ in range(options.repeats):
            for size, crops in lists.items():
                for engine, output in ENGINES.items():
                    took = extract(engine, crops, folder / output, weights)
                    seconds.setdefault((engine, size), []).append(took)
                    print(f"| {engine} | {size:,} | {took:.1f} |", flush=True)
    print_table({case: statistics.median(all_) for case, all_ in seconds.items()}, options.crops)


def save_weights(folder: Path) -> Path:
    torch.manual_seed(0)
    net = ReidNet(NetSettings(BACKBONE, 751))
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "preprocessing": Preprocessing(HEIGHT, WIDTH).to_dict(),
        "pids": list(range(751)),
        "config": "{TEST: {FEATURE: before_neck}}",
        "model": net.state_dict(),
        "epoch": 0,
        "metrics": {},
    }
    path = folder / "model.ckpt"
    save_checkpoint(checkpoint, path)
    return path


def write_crops(folder: Path, number: int) -> Path:
    """Write so many JPEG files of soft noise and their list."""
    images, rng = folder / f"crops{number}", np.random.default_rng(0)
    images.mkdir()
    for index in range(number):
        small = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(images / f"{index:06}.jpg"), cv2.resize(small, (70, 160)))
    path = folder / f"crops{number}.csv"
    path.write_text("path\n" + "".join(f"{image}\n" for image in sorted(images.iterdir())))
    return path


def extract(engine: str, crops: Path, output: Path, weights: Path) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, "-m", "reid_gl.cli.main", "extract", str(crops), str(output)]
    command += ["--weights", str(weights), "--engine", engine, "--device", "cpu", "--precision", "float32"]
    start = time.perf_counter()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {answer.stderr[-2000:]}")
    shutil.rmtree(output) if output.is_dir() else output.unlink()
    return took


def print_table(seconds: dict[tuple[str, int], float], number: int) -> None:
    print(
        f"\n| engine | {FEW} crops | {number:,} crops | difference, per 1,000 | images/s of the difference |"
    )
    print("|---|---|---|---|---|")
    for engine in ENGINES:
        few, many = seconds[engine, FEW], seconds[engine, number]
        each = (many - few) / (number - FEW)
        print(f"| {engine} | {few:.1f} s | {many:.1f} s | {1000 * each:.2f} s | {1 / each:.0f} |")


if __name__ == "__main__":
    main()
