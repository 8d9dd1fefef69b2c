"""The good files whose place the hostile ones of hostile_commands.py take."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import scipy.io
import torch
from hostile_places import COMPARE, DATA, MATRIX, PEOPLE_FOLDER, RENDER, TINY

from reid_gl.cli.main import main as run_command
from reid_gl.experiment.extracting import extract
from reid_gl.models import read_checkpoint
from tests.finished_run import ABLATION
from tests.inference.exported.mean_colour import describe, write
from tests.made_up_people import write_people
from tests.made_up_videos import noise_frames, write_sequence, write_video

SEEN = "".join(f"{frame},{pid},2,3,24,35,1,1,1\n" for frame in (1, 2) for pid in (1, 2, 3, 4))


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
