from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.data.datasets import load_dataset
from reid_gl.data.loading.images import read_image
from reid_gl.data.mot.crops import CropRule, find_sequences
from reid_gl.data.mot.to_reid import write_reid_crops
from tests.data.made_up_sequence import FRAMES, PEOPLE


def test_reads_back_as_a_market_data_set_with_the_right_pixels(two_cameras: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    counts = write_reid_crops(
        find_sequences([two_cameras]),
        tmp_path / "out",
        CropRule(shared_identities=True),
        progress=lambda done, total: seen.append((done, total)),
    )
    dataset = load_dataset("synthetic", tmp_path / "out")
    table = load_dataset("table", tmp_path / "out" / "crops.csv")
    for part in ("train", "query", "gallery"):
        assert [(s.path, s.pid, s.camid) for s in getattr(table, part)] == [
            (s.path, s.pid, s.camid) for s in getattr(dataset, part)
        ]
    assert counts == {
        "train": len(dataset.train),
        "query": len(dataset.query),
        "gallery": len(dataset.gallery),
        "identities": PEOPLE,
        "queries_with_match": len(dataset.query),
    }
    assert seen[-1] == (2 * FRAMES, 2 * FRAMES)
    assert not {s.pid for s in dataset.train} & {s.pid for s in (*dataset.query, *dataset.gallery)}
    samples = {Path(s.path).name: s for s in (*dataset.train, *dataset.query, *dataset.gallery)}
    with (tmp_path / "out" / "crops.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(samples) == 2 * FRAMES * PEOPLE
    for row in rows:
        sample = samples[Path(row["path"]).name]
        assert (sample.pid, sample.camid) == (int(row["pid"]), int(row["camid"]))
        frame = read_image(two_cameras / row["sequence"] / "img1" / f"{int(row['frame']):06d}.jpg")
        x1, y1, x2, y2 = (int(row[f"frame_{side}"]) for side in ("x1", "y1", "x2", "y2"))
        difference = read_image(tmp_path / "out" / row["path"]).astype(float) - frame[y1:y2, x1:x2]
        assert np.abs(difference).mean() < 12  # JPEG again, of noise


def test_a_folder_that_exists_is_left_alone(two_cameras: Path) -> None:
    with pytest.raises(FileExistsError, match="exists: choose another"):
        write_reid_crops(find_sequences([two_cameras]), two_cameras, CropRule())
    assert sorted(path.name for path in two_cameras.iterdir()) == ["place-c1", "place-c2"]


def test_a_broken_image_leaves_nothing(two_cameras: Path, tmp_path: Path) -> None:
    last = two_cameras / "place-c2" / "img1" / f"{FRAMES:06d}.jpg"
    assert cv2.imwrite(str(last), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="has 10 x 10 pixels"):
        write_reid_crops(find_sequences([two_cameras]), tmp_path / "out", CropRule())
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
