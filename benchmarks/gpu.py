"""Everything worth measuring on one GPU in fifteen minutes, most valuable first.

    python benchmarks/gpu.py --root <folder of Market-1501> [--out runs/gpu] [--seconds 840] [--dry]

Runs one command after another: the CUDA tests, the losses under one budget, EfficientNet-Lite0 fine-tuned,
ResNet-50 from scratch, images/s of training and extraction. Prints one JSON line as soon as a command ends
and keeps its output in --out, so a time limit loses nothing. A command that finished is not repeated, and a
training that was stopped resumes. --dry trains one epoch on tiny images, to try the script on a CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TAIL = 1500
DRY_WORDS = (
    *("SOLVER.NUM_EPOCHS", "1", "COMPARE.NUM_EPOCHS", "1", "INPUT.SIZE", "[64, 32]", "INPUT.PAD", "2"),
    *("SOLVER.WARMUP_EPOCHS", "0.5", "SOLVER.SCHEDULE", "cosine"),
)


@dataclass(frozen=True)
class Item:
    """One measurement.

    Attributes:
        name: of its log and its line.
        seconds: longest time it may take.
        command: arguments of Python.
    """

    name: str
    seconds: float
    command: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True, help="folder of Market-1501")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--seconds", type=float, default=840, help="for everything together")
    parser.add_argument("--only", nargs="+", default=None, metavar="ITEM")
    parser.add_argument("--dry", action="store_true", help="one epoch on tiny images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + options.seconds
    for item in plan(options.root, options.out, dry=options.dry):
        if options.only is not None and item.name not in options.only:
            continue
        print(json.dumps(run(item, options.out, end - time.monotonic())), flush=True)


def plan(root: str, out: Path, *, dry: bool) -> list[Item]:
    """The measurements, in order of their worth."""
    words = ["DATA.CACHE", str(out / "cache"), "DATA.NUM_WORKERS", "0" if dry else "8"]
    words += DRY_WORDS if dry else []
    market = ["benchmarks/market1501.py", "--root", root, "--budget", "gpu", "--out", str(out / "market1501")]
    seeds = ["0"] if dry else ["0", "1"]
    steps = ["--steps", "3"] if dry else ["--steps", "20"]
    ladder = ["ce", "ce+triplet", "ce+ms", "ce+group-paper", "ce+group"]
    parts = {
        "tests": (
            60,
            [
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "-k",
                "cuda or device",
                "tests/losses",
                "tests/models",
            ],
        ),
        "losses": (330, [*market, "--parts", "losses", "--losses", *ladder, "--seeds", *seeds, "--", *words]),
        "finetune": (150, [*market, "--parts", "finetune", "--", *words]),
        "recipe": (240, [*market, "--parts", "recipe", "--", *words]),
        "training": (40, ["benchmarks/training.py", "--root", root, *steps]),
        "extraction": (40, ["benchmarks/extraction.py", "--no-peers"]),
        "evaluation": (40, ["benchmarks/evaluation.py"]),
    }
    return [Item(name, seconds, tuple(command)) for name, (seconds, command) in parts.items()]


def run(item: Item, out: Path, seconds_left: float) -> dict[str, object]:
    """Run a command within its time; return what its line says."""
    log, done = out / f"{item.name}.log", out / f"{item.name}.done"
    if done.exists():
        return {"item": item.name, "skipped": f"finished before, see {log}"}
    seconds = min(item.seconds, seconds_left)
    if seconds < 1:
        return {"item": item.name, "skipped": "no time left"}
    start = time.monotonic()
    with log.open("a", encoding="utf-8") as file:
        try:
            code = subprocess.run(
                [sys.executable, *item.command],
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    if code == 0:
        done.touch()
    tail = log.read_text(encoding="utf-8", errors="replace")[-TAIL:]
    return {"item": item.name, "code": code, "seconds": round(time.monotonic() - start, 1), "tail": tail}


if __name__ == "__main__":
    main()
