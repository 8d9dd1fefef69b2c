"""The odd words that hostile_commands.py gives to options and to keys of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from hostile_places import COMPARE, DATA, FOREIGN, PEOPLE_FOLDER, TINY, WATCH

from reid_gl.config.defaults import all_keys

NUMBERS = ("-1", "0", "nan", "1e9", "9" * 30, "x", "")
OPTIONS = (
    ("evaluate-features f.npz --rerank", ("--k1", "--k2", "--lambda", "--max-memory-gb")),
    ("evaluate-features f.npz --gnn-rerank", ("--max-memory-gb",)),
    ("evaluate-features rows.npz", ("--reassociation",)),
    ("extract people/query o.npz --weights run/model.ckpt", ("--batch-size", "--precision", "--device")),
    ("extract v.avi o.npz --weights run/model.ckpt", ("--stride",)),
    ("extract people/query --into new.db --weights run/model.ckpt", ("--camera", "--start", "--fps")),
    ("gallery search people.db --rows 1", ("--k", "--min-score", "--shortlist", "--prior", "--exclude")),
    ("gallery delete people.db", ("--pids", "--older-than", "--cameras", "--rows", "--start")),
    (
        "mot-to-reid S1 --out o",
        ("--min-visibility", "--min-width", "--stride", "--train-share", "--seed", "--classes"),
    ),
    (
        f"make-split {PEOPLE_FOLDER} --out people/split.csv --pattern (?P<pid>\\d+)_c(?P<camera>\\d)",
        ("--train-share", "--queries-per-camera", "--seed", "--pattern"),
    ),
    (
        "make-synthetic --out o --train-identities 2 --test-identities 3 --queries 3 --distractors 0 "
        "--workers 1",
        ("--train-identities", "--test-identities", "--queries", "--distractors", "--workers", "--seed"),
    ),
    ("make-synthetic --sequences --out o", ("--cameras", "--frames", "--people", "--frame-rate")),
    ("export run/model.ckpt --format torchscript", ("--square-size", "--precision", "--profile", "--out")),
    ("check-dataset market1501 people", ("--html", "--pattern")),
    ("pair-weights", ("--losses", "--output")),
    ("pair-weights --losses ce", ("--output",)),
    ("demo --out demo", ("--seed",)),
    ("plot report.html", ("--out",)),
    (" ".join(WATCH), ("--min-confidence", "--threshold", "--batch-size")),
    (
        f"extract {PEOPLE_FOLDER} o.npz --weights net.onnx {' '.join(FOREIGN)}",
        ("--input-size", "--mean", "--std", "--pixel-range"),
    ),
    ("calibrate --features f.npz", ("--output", "--on")),
    (f"{' '.join(COMPARE)} {' '.join(DATA)}", ("--seeds", "--jobs", "--losses", "--output")),
)
VALUES = ("-1", "nan", "[1, 2]", "x", "1e30", "9" * 30, "")


def odd_words() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(option or key, the command's other words, odd value)."""
    for command, options in OPTIONS:
        for option in options:
            for value in NUMBERS:
                yield option, tuple(command.split()), value
    words = ("test", *TINY, "DATA.ROOT", "people", "MODEL.WEIGHTS", "nowhere.ckpt")
    for section, keys in all_keys().items():
        for name in keys:
            for value in VALUES:
                yield (f"{section}.{name}" if section else name), words, value
