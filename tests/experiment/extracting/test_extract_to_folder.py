from __future__ import annotations

import csv
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.experiment.extracting.extract_to_folder import extract_to_folder
from reid_gl.inference.bulk.crop_lists import CropList, list_crops
from reid_gl.inference.bulk.parquet_parts import Part, PartWriter, part_path
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.made_up_videos import noise_frames, write_video
from tests.tracking.coloured_people import ColourRuntime

parquet = pytest.importorskip("pyarrow.parquet")


class _Engine:
    """Computes parts in this process, the last one first, and counts them."""

    def __init__(self, stop_after: int = 100) -> None:
        self.started: list[int] = []
        self._stop_after = stop_after

    def __call__(self, parts: Sequence[Part], writer: PartWriter) -> Generator[tuple[int, str], None, None]:
        for part in reversed(parts):
            if len(self.started) == self._stop_after:
                raise KeyboardInterrupt
            self.started.append(part.start)
            yield part.start, writer.write(part)


@pytest.fixture
def people(tmp_path: Path, write_noise: WriteNoise) -> Path:
    (tmp_path / "people").mkdir()
    for seed in range(7):
        write_noise(f"people/{seed}.jpg", seed=seed, size=(30 + seed, 20))
    return tmp_path / "people"


def _extract(crops: CropList, folder: Path, engine: Any = None, **settings: Any) -> dict[str, Any]:
    return extract_to_folder(
        crops,
        folder,
        lambda: FeatureExtractor(ColourRuntime()),
        engine or _Engine(),
        **{"identity": {"weights": "w"}, "batch_size": 2, "part_rows": 3, **settings},
    )


def test_the_parts_have_the_order_of_the_list(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["6.jpg,3,,,,", "0.jpg,1,2,3,12,9", "2.jpg,2,90,90,99,99", "1.jpg,1,,,,"]
    (people / "list.csv").write_text("\n".join(["path,camid,x1,y1,x2,y2", *rows]))
    monkeypatch.chdir(people)  # the list has relative paths, workers have folders of their own
    summary = _extract(list_crops("list.csv"), tmp_path / "out")
    assert summary == {
        "output": str(tmp_path / "out"),
        "format": "parquet parts",
        "parts": 2,
        "rows": 4,
        "embedding_dim": 24,
        "boxes_outside": 1,
        "rejected": 0,
        "rejects_file": None,
    }
    table = parquet.read_table(tmp_path / "out").to_pydict()
    assert table["path"] == [str(people / name) for name in ("6.jpg", "0.jpg", "2.jpg", "1.jpg")]
    assert table["camid"] == [3, 1, 2, 1]
    assert table["valid"] == [True, True, False, True]
    expected = FeatureExtractor(ColourRuntime())([people / "6.jpg", people / "1.jpg"])
    assert np.array_equal(np.array(table["feature"], np.float32)[[0, 3]], expected)


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_going_on_computes_what_is_missing(stop_after: int, people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    with pytest.raises(KeyboardInterrupt):
        _extract(crops, tmp_path / "out", _Engine(stop_after))
    second, third = _Engine(), _Engine()
    _extract(crops, tmp_path / "out", second)
    assert second.started == [6, 3, 0][stop_after:]
    assert _extract(crops, tmp_path / "out", third)["rows"] == 7
    assert third.started == []
    features = parquet.read_table(tmp_path / "out")["feature"].to_pylist()
    assert np.array_equal(features, FeatureExtractor(ColourRuntime())(list(crops.paths)))


def test_images_that_cannot_be_read(people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    whole = (people / "4.jpg").read_bytes()
    (people / "4.jpg").write_text("no image")
    (people / "6.jpg").unlink()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"6\.jpg does not exist"):
            _extract(crops, tmp_path / "out")
    for _ in range(2):
        summary = _extract(crops, tmp_path / "out", on_error="skip")
        assert (summary["rows"], summary["rejected"]) == (5, 2)
        with Path(summary["rejects_file"]).open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [(line["row"], line["path"]) for line in lines] == [
            ("4", crops.paths[4]),
            ("6", crops.paths[6]),
        ]
        assert "is not an image" in lines[0]["reason"]
        table = parquet.read_table(tmp_path / "out")
        assert table["path"].to_pylist() == [crops.paths[row] for row in (0, 1, 2, 3, 5)]
    with pytest.raises(ValueError, match="does not exist"):
        _extract(crops, tmp_path / "out")  # parts with skipped rows are not kept
    (people / "4.jpg").write_bytes(whole)
    (people / "6.jpg").write_bytes(whole)
    assert _extract(crops, tmp_path / "out", on_error="skip")["rejects_file"] is None
    assert not list((tmp_path / "out").glob("*.csv"))
    for path in people.iterdir():
        path.write_text("no image")
    with pytest.raises(ValueError, match=r"none of the 7 rows of people can be read: .*is not an image"):
        _extract(crops, tmp_path / "new", on_error="skip")


def test_other_work_is_not_mixed_in(people: Path, tmp_path: Path) -> None:
    crops, folder = list_crops(people), tmp_path / "out"
    _extract(crops, folder)
    with pytest.raises(ValueError, match=r"out holds another extraction \(rows differ\)"):
        _extract(replace(crops, paths=crops.paths[:3]), folder)
    with pytest.raises(ValueError, match=r"another extraction \(list differ\)"):
        _extract(replace(crops, paths=crops.paths[::-1]), folder)
    with pytest.raises(ValueError, match=r"another extraction \(network differ\)"):
        _extract(crops, folder, identity={"weights": "other"})
    with pytest.raises(FileExistsError, match=r"people holds 0\.jpg and no unfinished extraction"):
        _extract(crops, people)


def test_broken_parts_and_leftovers(people: Path, tmp_path: Path) -> None:
    crops, folder = list_crops(people), tmp_path / "out"
    _extract(crops, folder)
    part_path(folder, 3).write_bytes(b"")
    (folder / ".part-000000000003.0a1b2c3d.partial").write_bytes(b"half")
    engine = _Engine()
    _extract(crops, folder, engine)
    assert engine.started == [3]
    assert sorted(path.name for path in folder.iterdir()) == [
        "_plan.json",
        *(f"part-{start:012d}.parquet" for start in (0, 3, 6)),
    ]


def test_a_part_that_is_not_seen_here(people: Path, tmp_path: Path) -> None:
    def elsewhere(parts: Sequence[Part], _: PartWriter) -> Generator[tuple[int, str], None, None]:
        yield parts[0].start, ""

    with pytest.raises(ValueError, match="cannot be read here: choose an output on a file system that all"):
        _extract(list_crops(people), tmp_path / "out", elsewhere)


def test_a_video_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "noise.mkv", noise_frames(2))
    with pytest.raises(
        ValueError, match=r"noise\.mkv is decoded in order by one process: use --engine local"
    ):
        _extract(list_crops(video), tmp_path / "out")
    assert not (tmp_path / "out").exists()
