"""What hostile_commands.py tries: good files, the places where commands take them, and odd words."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import scipy.io
import torch

from reid_gl.cli.main import main as run_command
from reid_gl.config.defaults import all_keys
from reid_gl.experiment import extract
from reid_gl.models import read_checkpoint
from tests.experiment.conftest import SMALL
from tests.finished_run import ABLATION
from tests.inference.exported.mean_colour import describe, write
from tests.made_up_people import write_people
from tests.made_up_videos import noise_frames, write_sequence, write_video

TINY = (*SMALL, "MODEL.BACKBONE", "timm:test_resnet", "SOLVER.NUM_EPOCHS", "1", "COMPARE.NUM_EPOCHS", "1")
DATA = (*TINY, "DATA.ROOT", "people", "MODEL.WEIGHTS", "run/model.ckpt")
TABLE = (*TINY, "DATA.NAMES", "table", "DATA.ROOT", "table.csv", "MODEL.WEIGHTS", "run/model.ckpt")
TRAIN_IMAGE = "people/bounding_box_train/0001_c1s1_000000_00.jpg"
QUERY_IMAGE = "people/query/0101_c1s1_000000_00.jpg"
GIVEN = ("--input-size", "8", "4", "--mean", "0.5", "0.4", "0.3", "--std", "0.2", "0.3", "0.25")
FOREIGN = (*GIVEN, "--pixel-range", "1", "--channel-order", "rgb", "--kernel", "linear")
RESNET = ("--architecture", "timm:test_resnet", "--input-size", "64", "32")
PEOPLE_FOLDER = "people/bounding_box_train"
COMPARE = ("compare-losses", "--losses", "ce", "--seeds", "1", "--output", "compared")
MATRIX = ("cross-domain", "--train", "market1501", "--test", "market1501", "--output", "matrix", *DATA)
CARD = ("weights", "card", "run/model.ckpt", "card", "--metrics", "metrics.json")
PUBLISHED = ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "published")
REPORT = ("report", "run", "--out", "new.html")
RENDER = (
    *("make-synthetic", "--out", "synthetic", "--train-identities", "2", "--test-identities", "2"),
    *("--queries", "4", "--distractors", "0", "--workers", "1"),
)
WATCH = ("watch", "S1", "o.mp4", "--weights", "run/model.ckpt", "--threshold", "0.3")


@dataclass(frozen=True)
class Place:
    """A command that reads a file.

    Attributes:
        kind: of the file, for the table.
        file: what hostile files replace.
        words: the command.
    """

    kind: str
    file: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """Command and file."""
        return f"{' '.join(self.words[:2])} ... {self.file}"


PLACES = (
    Place("image", TRAIN_IMAGE, ("train", *DATA, "OUTPUT_DIR", "new")),
    Place("image", QUERY_IMAGE, ("test", *DATA)),
    Place("image", QUERY_IMAGE, ("check-dataset", "market1501", "people", "--html", "sheet.html")),
    Place("image", TRAIN_IMAGE, ("convert-dataset", "market1501", "people", "--to", "market", "--out", "o")),
    Place("image", QUERY_IMAGE, ("color-histogram", *DATA)),
    Place("image", TRAIN_IMAGE, ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "run/model.ckpt")),
    Place(
        "image",
        TRAIN_IMAGE,
        (
            "make-split",
            PEOPLE_FOLDER,
            "--out",
            "people/split.csv",
            "--pattern",
            r"(?P<pid>\d+)_c(?P<camera>\d)",
        ),
    ),
    Place("table", "table.csv", ("check-dataset", "table", "table.csv")),
    Place("table", "table.csv", ("convert-dataset", "table", "table.csv", "--to", "market", "--out", "o")),
    Place("table", "table.csv", ("train", *TABLE, "OUTPUT_DIR", "new")),
    Place("table", "table.csv", ("extract", "table.csv", "o.npz", "--weights", "run/model.ckpt")),
    Place("features", "f.npz", ("evaluate-features", "f.npz")),
    Place("features", "f.h5", ("evaluate-features", "f.h5")),
    Place("features", "f.mat", ("evaluate-features", "f.mat")),
    Place("features", "f.npz", ("calibrate", "--features", "f.npz")),
    Place("features", "rows.npz", ("gallery", "add", "people.db", "rows.npz")),
    Place("checkpoint", "run/model.ckpt", ("test", *DATA)),
    Place("checkpoint", "run/model.ckpt", ("tune-inference", *DATA)),
    Place("checkpoint", "run/model.ckpt", ("export", "run/model.ckpt", "--format", "torchscript")),
    Place("checkpoint", "run/model.ckpt", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "run/model.ckpt")),
    Place("checkpoint", "run/training.ckpt", ("train", *DATA, "OUTPUT_DIR", "run", "--resume")),
    Place("weights", "w.pth", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "w.pth", *RESNET)),
    Place("weights", "w.pth", ("train", *DATA, "MODEL.PRETRAINED", "w.pth", "OUTPUT_DIR", "new")),
    Place("weights", "w.safetensors", ("export", "w.safetensors", "--format", "torchscript", *RESNET)),
    Place("exported", "net.onnx", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "net.onnx", *FOREIGN)),
    Place("exported", "net.xml", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "net.xml", *FOREIGN)),
    Place("exported", "net.onnx.json", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "net.onnx")),
    Place("configuration", "x.yml", ("train", "--config-file", "x.yml", *DATA, "OUTPUT_DIR", "new")),
    Place("configuration", "base.yml", ("color-histogram", "--config-file", "x.yml", *DATA)),
    Place("run folder", "run/config.yml", ("train", *DATA, "OUTPUT_DIR", "run", "--resume")),
    Place("run folder", "run/log.jsonl", ("train", *DATA, "OUTPUT_DIR", "run", "--resume")),
    Place("run folder", "run/.lock", ("train", *DATA, "OUTPUT_DIR", "run", "--resume")),
    Place("run folder", "compared/config.yml", (*COMPARE, *DATA)),
    Place("run folder", "compared/ce/seed0/result.json", (*COMPARE, *DATA)),
    Place("run folder", "matrix/market1501/result.json", MATRIX),
    Place("run folder", "matrix/config.yml", MATRIX),
    *(Place("run folder", f"run/{file}", REPORT) for file in ("config.yml", "environment.json", "log.jsonl")),
    Place("run folder", "run/ablation_market1501_before_neck.json", REPORT),
    Place("checkpoint", "run/model.ckpt", REPORT),
    Place("own files", "report.html", ("plot", "report.html", "--out", "figures")),
    Place("own files", "report.html", ("report", "run", "--out", "report.html")),
    Place("own files", "synthetic/synthetic.json", RENDER),
    Place("weights", "metrics.json", CARD),
    Place("weights", "run/model.ckpt", CARD),
    *(Place("weights", f"published/{file}", PUBLISHED) for file in ("config.json", "model.safetensors")),
    *(
        Place("weights", f"published/{file}", ("weights", "verify", "published"))
        for file in ("manifest.json", "config.json")
    ),
    Place(
        "own files",
        "parts.npz.parts/000000000000.npz",
        ("extract", PEOPLE_FOLDER, "parts.npz", "--weights", "run/model.ckpt"),
    ),
    Place(
        "own files",
        "parts.npz.parts/plan.json",
        ("extract", PEOPLE_FOLDER, "parts.npz", "--weights", "run/model.ckpt"),
    ),
    *(
        Place("own files", f"cache/*/{file}", ("train", *DATA, "DATA.CACHE", "cache", "OUTPUT_DIR", "new"))
        for file in ("header.json", "index.npy", "pictures.u8")
    ),
    *(
        Place("sequence", f"S1/{file}", ("mot-to-reid", "S1", "--out", "o"))
        for file in ("seqinfo.ini", "gt/gt.txt", "img1/000002.png")
    ),
    Place("sequence", "S1/det/det.txt", ("extract", "S1", "o.npz", "--weights", "run/model.ckpt")),
    *(Place("sequence", f"S1/{file}", WATCH) for file in ("det/det.txt", "img1/000002.png")),
    Place("video", "v.avi", ("extract", "v.avi", "o.npz", "--weights", "run/model.ckpt")),
    Place(
        "video",
        "det.txt",
        ("extract", "v.avi", "o.npz", "--boxes", "det.txt", "--weights", "run/model.ckpt"),
    ),
    Place("gallery", "people.db", ("gallery", "search", "people.db", "--rows", "1")),
    Place("gallery", "people.db", ("gallery", "verify", "people.db")),
    Place("gallery", "people.db", ("gallery", "add", "people.db", "rows.npz")),
    Place("gallery", "people.db.audit.jsonl", ("gallery", "search", "people.db", "--rows", "1")),
    Place("gallery", "people.db.audit.jsonl", ("gallery", "verify", "people.db")),
    Place("gallery", "people.db.lock", ("gallery", "add", "people.db", "rows.npz")),
    Place(
        "gallery",
        QUERY_IMAGE,
        ("gallery", "search", "people.db", QUERY_IMAGE, "--weights", "run/model.ckpt"),
    ),
    Place("MATLAB", "cuhk-03.mat", ("extract-cuhk03", "--mat", "cuhk-03.mat", "--out", "o")),
)

OUTPUTS = tuple(
    Place("outputs", file, words)
    for file, words in (
        ("o", ("convert-dataset", "market1501", "people", "--to", "market", "--out", "o")),
        ("o.csv", ("convert-dataset", "market1501", "people", "--to", "csv", "--out", "o.csv")),
        ("o", (*RENDER[:2], "o", *RENDER[3:])),
        ("o", ("mot-to-reid", "S1", "--out", "o")),
        ("o", ("weights", "card", "run/model.ckpt", "o")),
        ("o", ("plot", "report.html", "--out", "o")),
        ("o.html", ("report", "run", "--out", "o.html")),
        ("o.html", ("check-dataset", "market1501", "people", "--html", "o.html")),
        ("o.npz", ("extract", PEOPLE_FOLDER, "o.npz", "--weights", "run/model.ckpt")),
        ("o.npz", ("gallery", "export", "people.db", "o.npz")),
        ("o.torchscript", ("export", "run/model.ckpt", "--format", "torchscript", "--out", "o.torchscript")),
        ("o", ("train", *DATA, "OUTPUT_DIR", "o")),
        ("o", (*COMPARE[:-1], "o", *DATA)),
        ("o.mp4", (*WATCH[:2], "o.mp4", *WATCH[3:])),
    )
)
"""Commands and what they write; something else stands in its place."""
OUTPUT_SORTS = ("folder", "pipe", "device", "link to itself", "dangling link", "other text")

SEEN = "".join(f"{frame},{pid},2,3,24,35,1,1,1\n" for frame in (1, 2) for pid in (1, 2, 3, 4))
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


def make_good_files(folder: Path) -> None:
    """Write all files that the places name into a folder, which becomes the current one."""
    os.chdir(folder)
    write_people(Path("people"), num_people=4)
    rows = ["path,pid,camid,split"]
    for split, name in (
        ("train", "bounding_box_train"),
        ("query", "query"),
        ("gallery", "bounding_box_test"),
    ):
        for image in sorted(Path("people", name).iterdir()):
            if not image.name.startswith(("-1", "0000")):
                rows.append(f"{image},{image.name[:4]},{image.name[6]},{split}")
    Path("table.csv").write_text("\n".join(rows) + "\n")
    Path("base.yml").write_text("SEED: 1\n")
    Path("x.yml").write_text("_BASE_: base.yml\nINPUT:\n  SIZE: [64, 32]\n")
    _write_features()
    _call("train", *TINY, "DATA.ROOT", "people", "OUTPUT_DIR", "run", "DATA.CACHE", "cache")
    _call(*COMPARE, *DATA)
    _write_networks()
    _call(*MATRIX)
    _write_run_files()
    _call(*RENDER)
    write_sequence(Path("S1"), noise_frames(2), det="1,-1,2,3,24,35,0.9\n", gt=SEEN)
    write_video(Path("v.avi"), noise_frames(4))
    Path("det.txt").write_text("1,-1,2,3,24,35,0.9\n2,-1,2,3,24,35,0.9\n")
    _call("extract", "people/query", "--into", "people.db", "--weights", "run/model.ckpt", "--camera", "1")
    _call("gallery", "export", "people.db", "rows.npz")
    _interrupt_extraction()
    with h5py.File("cuhk-03.mat", "w") as file:
        file["labeled"] = np.zeros((1, 5))


def _call(*words: str) -> None:
    if run_command([*words]):
        raise RuntimeError(f"good files: {' '.join(words)} failed")


def _write_features() -> None:
    rng = np.random.default_rng(0)
    arrays = {"query": rng.normal(size=(6, 4)), "query_pids": np.arange(6) % 3, "query_camids": np.zeros(6)}
    arrays |= {"gallery": rng.normal(size=(8, 4)), "gallery_pids": np.arange(8) % 3}
    arrays["gallery_camids"] = np.ones(8)
    np.savez("f.npz", **arrays)
    scipy.io.savemat("f.mat", arrays)
    with h5py.File("f.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values


def _write_run_files() -> None:
    """Write what commands make of a run: scores, an ablation, a report, a folder to publish."""
    _call("test", *DATA)
    (scores,) = Path("run").glob("test_*.json")
    shutil.copyfile(scores, "metrics.json")
    Path("run/ablation_market1501_before_neck.json").write_text(json.dumps(ABLATION))
    _call("report", "run", "--out", "report.html")
    _call("weights", "card", "run/model.ckpt", "published")


def _write_networks() -> None:
    net = read_checkpoint(Path("run/model.ckpt"))["model"]
    weights = {
        name.removeprefix("backbone.model."): value.contiguous()
        for name, value in net.items()
        if name.startswith("backbone.")
    }
    torch.save(weights, "w.pth")
    safetensors.torch.save_file(weights, "w.safetensors")
    write(Path(), "openvino")
    describe(write(Path(), "onnx"))


def _interrupt_extraction() -> None:
    """Leave the parts of an extraction, as if it had been killed before it wrote its output."""
    removes = extract.remove_parts
    extract.remove_parts = lambda parts: None
    try:
        _call("extract", PEOPLE_FOLDER, "parts.npz", "--weights", "run/model.ckpt")
    finally:
        extract.remove_parts = removes
    Path("parts.npz").unlink()
