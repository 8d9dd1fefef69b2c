"""Where hostile_commands.py gives hostile files to commands, and the words of these commands."""

from __future__ import annotations

from dataclasses import dataclass

from tests.experiment.conftest import SMALL

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
