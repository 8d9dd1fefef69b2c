from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.experiment.extracting.extract_into import extract_into_gallery
from reid_gl.experiment.gallery import Recording
from reid_gl.gallery import Gallery, Sighting
from reid_gl.inference.bulk.crop_lists import CropList, frame_rate_of, list_crops
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.made_up_videos import noise_frames, write_sequence, write_video
from tests.tracking.coloured_people import ColourRuntime

TRUTH = "2,7,11,5,10,20,1,1,1\n1,5,3,4,8,9,1,1,1\n2,5,99,4,8,9,1,1,1\n"


UNKNOWN = Recording()


def run(crops: CropList, gallery: Path, recording: Recording = UNKNOWN, **settings: Any) -> dict[str, Any]:
    return extract_into_gallery(
        crops,
        str(gallery),
        lambda: FeatureExtractor(ColourRuntime()),
        recording,
        identity={"weights": "colours"},
        batch_size=2,
        **settings,
    )


def test_boxes_of_a_sequence(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(2), gt=TRUTH)
    crops = list_crops(folder, boxes=folder / "gt" / "gt.txt")
    rate = frame_rate_of(folder, crops)
    assert rate is not None
    summary = run(crops, tmp_path / "people.db", Recording(camera=4, start=1000.0, frame_rate=rate))
    assert summary == {
        "gallery": str(tmp_path / "people.db"),
        "added": 2,
        "embedding_dim": 24,
        "boxes_outside": 1,  # the last box lies outside
        "rejected": 0,
        "rejects_file": None,
    }
    frames = noise_frames(2)
    expected = FeatureExtractor(ColourRuntime(), color_order="rgb")(
        [frames[0][3:12, 2:10], frames[1][4:24, 10:20]]
    )
    with Gallery(tmp_path / "people.db", "r") as gallery:
        first, second = (answer[0] for answer in gallery.search(expected, 1))
    assert first.score == pytest.approx(1.0, abs=1e-6)
    path = crops.paths[0]
    assert first.sighting == Sighting(4, 1000.0, 5, path=path, frame=1, box=(2, 3, 10, 12))
    assert second.sighting.time == pytest.approx(1000.0 + 1 / rate)
    assert second.sighting.tracklet == 7
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"MOT-01", "people.db", "people.db.lock", "people.db.audit.jsonl"}


def test_frames_of_a_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "noise.mkv", noise_frames(3))
    crops = list_crops(video)
    rate = frame_rate_of(video, crops)
    run(crops, tmp_path / "people.db", Recording(start=0.0, frame_rate=rate))
    with Gallery(tmp_path / "people.db", "r") as gallery:
        matches = gallery.search(np.ones((1, 24), np.float32), 9)[0]
    found = sorted((match.sighting for match in matches), key=lambda sighting: sighting.frame)
    assert rate is not None
    assert [one.frame for one in found] == [1, 2, 3]
    assert [one.time for one in found] == pytest.approx([0.0, 1 / rate, 2 / rate])
    assert {one.path for one in found} == {str(video)}


def test_it_goes_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = list_crops(write_sequence(tmp_path / "MOT-01", noise_frames(2), gt=TRUTH))

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "add_parts", fail)
        with pytest.raises(KeyboardInterrupt):
            run(crops, tmp_path / "people.db")
    assert (tmp_path / "people.db.MOT-01.parts").is_dir()
    assert run(crops, tmp_path / "people.db")["added"] == 2
    assert not (tmp_path / "people.db.MOT-01.parts").exists()


def test_images_that_are_skipped(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(3), gt=TRUTH)
    crops = list_crops(folder)
    Path(crops.paths[0]).write_text("no image")
    summary = run(crops, tmp_path / "people.db", on_error="skip")
    assert (summary["added"], summary["rejected"]) == (1, 1)
    assert summary["rejects_file"] == str(tmp_path / "people.db.MOT-01.rejects.csv")
    with Gallery(tmp_path / "people.db", "r") as gallery:
        assert gallery.search(np.ones((1, 24), np.float32))[0][0].sighting.tracklet == 7
    with pytest.raises(FileExistsError, match=r"rejects\.csv exists: delete it"):
        run(crops, tmp_path / "people.db", on_error="skip")


def test_what_is_refused_before_the_work(tmp_path: Path) -> None:
    crops = list_crops(write_sequence(tmp_path / "MOT-01", noise_frames(2), gt=TRUTH))
    with Gallery(tmp_path / "people.db") as gallery:
        gallery.add(np.ones((1, 3), np.float32), [Sighting()])
        with pytest.raises(BlockingIOError, match="is open for writing elsewhere"):
            run(crops, tmp_path / "people.db")
    with pytest.raises(ValueError, match="holds features of 3 numbers, this network makes 24"):
        run(crops, tmp_path / "people.db")
    with pytest.raises(ValueError, match="is not a file, so it has no default audit log"):
        extract_into_gallery(
            crops,
            "qdrant://host/people",
            lambda: pytest.fail("there is work"),
            UNKNOWN,
            identity={},
            batch_size=2,
        )
    with pytest.raises(ValueError, match="times of frames need their rate"):
        Recording(start=0.0)
    assert not list(tmp_path.glob("*.parts"))
