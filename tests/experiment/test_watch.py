from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.experiment import watch
from reid_gl.experiment.watch import WatchFiles, watch_video
from reid_gl.inference.bulk.crop_lists import list_crops
from reid_gl.inference.bulk.video import VideoReader, count_frames
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.made_up_videos import FRAME, write_sequence, write_video
from tests.tracking.coloured_people import ColourRuntime

RED, BLUE = (220, 20, 20), (20, 20, 220)
NUM_FRAMES = 8


def filmed() -> tuple[list[Image8], str]:
    """Red walks to the right, blue stays and is hidden in the middle; frames, and lines of det.txt."""
    frames, lines = [], []
    for number in range(1, NUM_FRAMES + 1):
        frame = np.full((*FRAME, 3), 128, np.uint8)
        places = {RED: 2 + 2 * number}
        if number not in (4, 5):
            places[BLUE] = 44
        for color, left in places.items():
            frame[10:40, left : left + 12] = color
            lines.append(f"{number},-1,{left + 1},11,12,30,0.9")
        frames.append(frame)
    return frames, "\n".join(lines) + "\n"


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    frames, det = filmed()
    return write_sequence(tmp_path / "MOT-01", frames, det=det)


def run(source: Path, output: Path, *, boxes: Path | None = None, **settings: Any) -> dict[str, Any]:
    settings = {"threshold": 0.05, **settings}
    files = WatchFiles(output, force=settings.pop("force", False))
    return watch_video(
        source,
        list_crops(source, boxes=boxes),
        files,
        lambda: FeatureExtractor(ColourRuntime()),
        identity={"weights": "colours"},
        batch_size=4,
        **settings,
    )


def frame_of(video: Path, number: int) -> Image8:
    reader = VideoReader(video)
    try:
        return reader.read(number)
    finally:
        reader.close()


def test_a_sequence_becomes_a_video_and_a_sheet(sequence: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    summary = run(sequence, output)
    assert summary == {
        "frames": NUM_FRAMES,
        "video": str(output),
        "sheet": str(tmp_path / "out.html"),
        "boxes": 14,
        "tracklets": 2,
        "identities": 2,
        "boxes_without_identity": 0,
        "threshold": 0.05,
    }
    assert count_frames(output) == NUM_FRAMES
    last = frame_of(output, NUM_FRAMES)
    red_edge, blue_edge = last[20:36, 18].mean(axis=0), last[20:36, 44].mean(axis=0)
    assert red_edge[2] > 90 > RED[2]  # half of identity 1's blue, as the codec mixes colours of neighbours
    assert blue_edge[1] > 90 > BLUE[1]
    assert np.abs(last[30, 24] - np.array(RED, float)).max() < 40
    page = (tmp_path / "out.html").read_text()
    assert page.count("<h2>Identity") == 2
    assert "frames 1 to 8, 6 boxes in 1 tracklet" in page
    assert page.count("<img") == 14
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MOT-01", "out.html", "out.mp4"]


def test_a_video_with_the_tracks_of_another_program(tmp_path: Path) -> None:
    frames, det = filmed()
    tracks = det.replace(",-1,", ",7,").splitlines()
    tracks = [line.replace(",7,45,", ",12,") if ",45,11" in line else line for line in tracks]
    (tmp_path / "tracks.txt").write_text("\n".join(line.replace(",12,11", ",12,45,11") for line in tracks))
    video = write_video(tmp_path / "film.mkv", frames)
    summary = run(video, tmp_path / "out.mp4", boxes=tmp_path / "tracks.txt")
    assert (summary["tracklets"], summary["identities"], summary["frames"]) == (2, 2, NUM_FRAMES)
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25)
    capture.release()


def test_numbers_of_some_boxes_are_ignored(
    sequence: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    det = sequence / "det" / "det.txt"
    det.write_text(det.read_text().replace("1,-1,", "1,5,", 1))
    run(sequence, tmp_path / "out.mp4")
    assert "13 boxes have no track number: all numbers are ignored" in caplog.messages


def test_a_stored_threshold_comes_before_a_measured_one(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        SimpleNamespace(false_accept_rate=1e-3, threshold=0.1),
        SimpleNamespace(false_accept_rate=1e-2, threshold=0.2),
    ]
    calibration: Any = SimpleNamespace(points=points)
    assert run(sequence, tmp_path / "a.mp4", threshold=None, calibration=calibration)["threshold"] == 0.2
    assert run(sequence, tmp_path / "b.mp4", threshold=0.3, calibration=calibration)["threshold"] == 0.3
    monkeypatch.setattr(watch, "measure_threshold", lambda *_: 0.07)
    calibration.points.pop()
    assert run(sequence, tmp_path / "c.mp4", threshold=None, calibration=calibration)["threshold"] == 0.07
    assert run(sequence, tmp_path / "d.mp4", threshold=None)["threshold"] == 0.07


def test_files_are_replaced_on_request_only(sequence: Path, tmp_path: Path) -> None:
    output, sheet = tmp_path / "out.mp4", tmp_path / "out.html"
    sheet.write_text("of somebody else")
    with pytest.raises(
        FileExistsError, match=r"out\.html exists: choose another output, or replace it with --force"
    ):
        run(sequence, output)
    assert not output.exists()
    run(sequence, output, force=True)
    assert "<h2>Identity 1" in sheet.read_text()
    with pytest.raises(FileExistsError, match=r"out\.mp4 exists"):
        run(sequence, output)


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    frames, det = filmed()
    (tmp_path / "det.txt").write_text(det)
    video = write_video(tmp_path / "film.mkv", frames).rename(tmp_path / "film.mp4")
    before = video.read_bytes()
    with pytest.raises(ValueError, match=r"film\.mp4 is the source"):
        run(video, video, boxes=tmp_path / "det.txt", force=True)
    assert video.read_bytes() == before


def stop_drawing_at(number: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    draw, calls = watch.draw_boxes, iter(range(1, 100))

    def stops(*words: Any) -> Image8:
        if next(calls) == number:
            raise error
        return draw(*words)

    monkeypatch.setattr(watch, "draw_boxes", stops)


def test_an_interruption_leaves_no_broken_file_and_is_resumed(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    with monkeypatch.context() as patch:
        stop_drawing_at(3, patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            run(sequence, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MOT-01", "out.mp4.parts"]
    half = tmp_path / "out.mp4.parts" / ".out.mp4-unfinished-0123abcd"  # as a killed process leaves it
    half.mkdir()
    (half / "out.mp4").write_bytes(b"half a video")
    forbidden: Callable[..., Any] = lambda *_: pytest.fail("the features were computed again")  # noqa: E731
    monkeypatch.setattr(FeatureExtractor, "__call__", forbidden)
    run(sequence, output)
    assert count_frames(output) == NUM_FRAMES
    assert not (tmp_path / "out.mp4.parts").exists()


def test_a_replaced_file_stays_until_the_new_one_is_whole(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    run(sequence, output)
    before = output.read_bytes()
    stop_drawing_at(3, monkeypatch, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(sequence, output, force=True)
    assert output.read_bytes() == before


def test_a_video_that_ends_before_its_boxes(tmp_path: Path) -> None:
    frames, det = filmed()
    (tmp_path / "det.txt").write_text(det + f"{NUM_FRAMES + 1},-1,5,5,10,20,0.9\n")
    with pytest.raises(ValueError, match="the sequence has only 8 frames"):
        run(write_video(tmp_path / "film.mkv", frames), tmp_path / "out.mp4", boxes=tmp_path / "det.txt")


def test_a_mistake_is_found_before_the_work(sequence: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out\.avi: expected a name that ends in \.mp4"):
        run(sequence, tmp_path / "out.avi")
    with pytest.raises(ValueError, match="threshold must be a finite cosine distance, got nan"):
        run(sequence, tmp_path / "out.mp4", threshold=float("nan"))
    video = write_video(tmp_path / "film.mkv", filmed()[0])
    with pytest.raises(ValueError, match=r"film\.mkv has no boxes to watch"):
        run(video, tmp_path / "out.mp4")
