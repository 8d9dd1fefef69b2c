from __future__ import annotations

import json
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8, UnreadableImageError, read_image
from reid_gl.inference.bulk.crop_lists import CropList, list_crops
from reid_gl.inference.bulk.extract_many import FeatureParts, extract_in_parts, part_path
from reid_gl.inference.bulk.video import count_frames
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.distributed.run_ranks import forkserver
from tests.made_up_videos import claim_frames, noise_frames, write_sequence, write_video
from tests.tracking.coloured_people import ColourRuntime


class _Mortal(ColourRuntime):
    """Stops at a call; counts the images it has seen."""

    def __init__(self, last_call: int = 10**9) -> None:
        self.left, self.seen = last_call, 0

    def __call__(self, images: Image8) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.seen += len(images)
        return super().__call__(images)


@pytest.fixture
def people(tmp_path: Path, write_noise: WriteNoise) -> Path:
    (tmp_path / "people").mkdir()
    for seed in range(11):
        write_noise(f"people/{seed:02d}.jpg", seed=seed, size=(30 + seed, 20))
    return tmp_path / "people"


def _extract(
    crops: CropList, folder: Path, runtime: ColourRuntime | None = None, **settings: Any
) -> FeatureParts:
    extractor = FeatureExtractor(runtime or ColourRuntime(), batch_size=2)
    settings = {"identity": {"weights": "w"}, "batch_size": 2, "part_rows": 4, **settings}
    return extract_in_parts(extractor, crops, folder, **settings)


def _joined(parts: FeatureParts) -> tuple[np.ndarray, np.ndarray]:
    features, valid = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(valid)


def test_the_features_are_those_of_the_extractor_in_order(people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    features, valid = _joined(_extract(crops, tmp_path / "parts"))
    assert np.array_equal(features, FeatureExtractor(ColourRuntime())(list(crops.paths)))
    assert valid.all()
    assert features.dtype == np.float32


def test_boxes_are_cut_as_in_a_frame(tmp_path: Path) -> None:
    frames = noise_frames(3)
    det = "1,-1,3,4,10,20,1\n1,-1,60,40,30,30,1\n3,-1,100,1,5,5,1\n3,-1,1,1,0,9,1\n3,-1,2.5,1,9,9,1\n"
    crops = list_crops(write_sequence(tmp_path / "seq", frames, det=det))
    features, valid = _joined(_extract(crops, tmp_path / "parts"))
    extractor = FeatureExtractor(ColourRuntime(), color_order="rgb")
    tlwh = {1: [[2, 3, 10, 20], [59, 39, 30, 30]], 3: [[99, 0, 5, 5], [0, 0, 0, 9], [1.5, 0, 9, 9]]}
    expected = [extractor.extract(frames[frame - 1], boxes, "tlwh") for frame, boxes in tlwh.items()]
    assert np.array_equal(features, np.concatenate([found.features for found in expected]))
    assert valid.tolist() == [True, True, False, False, True]


def test_rows_without_a_box_are_whole_images(people: Path, tmp_path: Path) -> None:
    (people / "list.csv").write_text("path,x1,y1,x2,y2\n03.jpg,,,,\n04.jpg,2,3,12,9\n")
    features, valid = _joined(_extract(list_crops(people / "list.csv"), tmp_path / "parts"))
    whole, part = read_image(people / "03.jpg"), read_image(people / "04.jpg")[3:9, 2:12]
    assert np.array_equal(features, FeatureExtractor(ColourRuntime(), color_order="rgb")([whole, part]))
    assert valid.all()


def test_a_video_gives_the_same_as_its_frames(tmp_path: Path) -> None:
    frames = noise_frames(12)
    crops = list_crops(write_video(tmp_path / "noise.mkv", frames), stride=2)
    features, _ = _joined(_extract(crops, tmp_path / "parts"))
    assert np.array_equal(features, FeatureExtractor(ColourRuntime(), color_order="rgb")(frames[::2]))


@pytest.mark.parametrize("last_call", [0, 1, 3, 5])
@pytest.mark.parametrize("kind", ["people", "video"])
def test_going_on_equals_never_stopping(kind: str, last_call: int, people: Path, tmp_path: Path) -> None:
    source = people if kind == "people" else write_video(tmp_path / "noise.mkv", noise_frames(11))
    crops = list_crops(source)
    with pytest.raises(KeyboardInterrupt):
        _extract(crops, tmp_path / "parts", _Mortal(last_call))
    second = _Mortal()
    resumed = _joined(_extract(crops, tmp_path / "parts", second))
    assert second.seen == 11 - 4 * (last_call // 2)  # two calls a part of four rows
    straight = _joined(_extract(crops, tmp_path / "straight"))
    assert all(np.array_equal(*pair) for pair in zip(resumed, straight, strict=True))
    third = _Mortal()
    _extract(crops, tmp_path / "parts", third)
    assert third.seen == 0


class _Slow(ColourRuntime):
    """Takes long enough to be killed between two parts."""

    def __call__(self, images: Image8) -> np.ndarray:
        time.sleep(0.2)
        return super().__call__(images)


def _extract_slowly(people: Path, folder: Path) -> None:
    _extract(list_crops(people), folder, _Slow())


def test_killed_in_the_middle(people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    process = forkserver().Process(target=_extract_slowly, args=(people, folder))
    process.start()
    deadline = time.monotonic() + 60
    while not part_path(folder, 0).is_file():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
    second = _Mortal()
    resumed = _joined(_extract(list_crops(people), folder, second))
    assert 0 < second.seen <= 7
    straight = _joined(_extract(list_crops(people), tmp_path / "straight"))
    assert all(np.array_equal(*pair) for pair in zip(resumed, straight, strict=True))


def test_other_work_is_not_mixed_in(people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    _extract(crops, tmp_path / "parts")
    message = r"parts holds another extraction \({} differ\): resume it with its own images and network"
    with pytest.raises(ValueError, match=message.format("list")):
        _extract(replace(crops, paths=crops.paths[1:]), tmp_path / "parts")
    with pytest.raises(ValueError, match=message.format("list")):
        _extract(replace(crops, paths=crops.paths[::-1]), tmp_path / "parts")
    with pytest.raises(ValueError, match=message.format("list")):
        _extract(replace(crops, boxes=np.ones((11, 4))), tmp_path / "parts")
    with pytest.raises(ValueError, match=message.format("network")):
        _extract(crops, tmp_path / "parts", identity={"weights": "other"})
    (tmp_path / "parts" / "plan.json").write_text("broken")
    with pytest.raises(ValueError, match=r"plan.json is not JSON"):
        _extract(crops, tmp_path / "parts")


@pytest.mark.parametrize("change", ["removed", "repaired", "appended", "relabelled"])
def test_what_a_changed_list_leaves_as_it_was_is_kept(
    change: str, people: Path, tmp_path: Path, write_noise: WriteNoise, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    whole = (people / "09.jpg").read_bytes()
    (people / "09.jpg").write_bytes(whole[:900])
    crops = list_crops(people)
    with pytest.raises(UnreadableImageError, match=r"09\.jpg is truncated"):
        _extract(crops, tmp_path / "parts")
    if change == "removed":
        (people / "09.jpg").unlink()
    else:
        (people / "09.jpg").write_bytes(whole)
    if change == "appended":
        write_noise("people/11.jpg", seed=11)
    crops = list_crops(people)
    if change == "relabelled":
        crops = replace(crops, columns={"pids": np.arange(11)})
    second = _Mortal()
    features, _ = _joined(_extract(crops, tmp_path / "parts", second))
    assert second.seen == len(crops) - 8  # the two parts before it
    assert f"resuming after 8 of {len(crops)} features" in caplog.text
    assert "the list has changed" not in caplog.text
    assert np.array_equal(features, FeatureExtractor(ColourRuntime())(list(crops.paths)))


def test_images_that_have_changed_are_read_again(
    people: Path, tmp_path: Path, write_noise: WriteNoise, caplog: pytest.LogCaptureFixture
) -> None:
    crops = list_crops(people)
    _extract(crops, tmp_path / "parts")
    write_noise("people/05.jpg", seed=99, size=(35, 20))
    second = _Mortal()
    features, _ = _joined(_extract(crops, tmp_path / "parts", second))
    assert second.seen == 4
    assert "2 of 3 finished parts have the same images and are kept" in caplog.text
    assert np.array_equal(features, FeatureExtractor(ColourRuntime())(list(crops.paths)))


@pytest.mark.parametrize("last_call", [10**9, 3])
def test_broken_images_are_skipped_where_that_is_asked_for(
    last_call: int, people: Path, tmp_path: Path
) -> None:
    crops = list_crops(people)
    (people / "02.jpg").unlink()
    (people / "05.jpg").write_bytes(b"")
    (people / "06.jpg").write_bytes((people / "06.jpg").read_bytes()[:900])
    if last_call == 3:
        with pytest.raises(KeyboardInterrupt):
            _extract(crops, tmp_path / "parts", _Mortal(last_call), on_error="skip")
    parts = _extract(crops, tmp_path / "parts", on_error="skip")
    good = [path for row, path in enumerate(crops.paths) if row not in (2, 5, 6)]
    features, valid = _joined(parts)
    assert np.array_equal(features, FeatureExtractor(ColourRuntime())(good))
    assert valid.all()
    assert len(parts) == 8
    assert list(parts.rejected) == [2, 5, 6]
    for row, reason in ((2, "does not exist"), (5, r"is empty \(0 bytes\)"), (6, "is truncated")):
        assert re.search(rf"0{row}\.jpg {reason}", parts.rejected[row])
    with pytest.raises(FileNotFoundError, match=r"02\.jpg does not exist"):
        _extract(crops, tmp_path / "parts")


def test_nothing_but_broken_images(people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    for path in people.iterdir():
        path.unlink()
    with pytest.raises(
        ValueError, match=r"none of the 11 rows of people can be read: .*00\.jpg does not exist"
    ):
        _extract(crops, tmp_path / "parts", on_error="skip")
    with pytest.raises(ValueError, match="on_error must be one of stop, skip, got 'ignore'"):
        _extract(crops, tmp_path / "parts", on_error="ignore")


def test_boxes_after_the_end_of_a_video_are_skipped(tmp_path: Path) -> None:
    video = claim_frames(write_video(tmp_path / "noise.avi", noise_frames(3)), 9)
    (tmp_path / "det.txt").write_text("1,-1,1,1,8,9,1\n3,-1,1,1,8,9,1\n4,-1,1,1,8,9,1\n5,-1,1,1,8,9,1\n")
    crops = list_crops(video, boxes=tmp_path / "det.txt")
    parts = _extract(crops, tmp_path / "parts", on_error="skip")
    assert len(_joined(parts)[0]) == 2
    assert list(parts.rejected) == [2, 3]
    assert "ends after frame 3, but frame 5 is needed" in parts.rejected[3]


def test_settings_may_be_tuples(people: Path, tmp_path: Path) -> None:
    identity = {"mean": (0.5, 0.5, 0.5), "input_size": None}
    _extract(list_crops(people), tmp_path / "parts", identity=identity)
    _extract(list_crops(people), tmp_path / "parts", identity=identity)
    assert json.loads((tmp_path / "parts" / "plan.json").read_text())["network"]["mean"] == [0.5, 0.5, 0.5]


def test_another_video_of_the_same_name(tmp_path: Path) -> None:
    path = write_video(tmp_path / "noise.mkv", noise_frames(5))
    _extract(list_crops(path), tmp_path / "parts")
    write_video(path, noise_frames(5, seed=1))
    with pytest.raises(ValueError, match=r"another extraction \(list differ"):
        _extract(list_crops(path), tmp_path / "parts")


def test_broken_images_videos_and_parts_are_named(people: Path, tmp_path: Path) -> None:
    crops = list_crops(people)
    parts = _extract(crops, tmp_path / "parts")
    part_path(tmp_path / "parts", 4).write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"000000000004\.npz is broken .*delete it and run again"):
        list(parts)
    part_path(tmp_path / "parts", 4).unlink()
    assert len(_joined(_extract(crops, tmp_path / "parts"))[0]) == 11
    (people / "05.jpg").write_bytes((people / "05.jpg").read_bytes()[:900])
    with pytest.raises(UnreadableImageError, match=r"05\.jpg is truncated"):
        _extract(crops, tmp_path / "again")
    (people / "05.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"05\.jpg does not exist"):
        _extract(crops, tmp_path / "again")
    video = write_video(tmp_path / "noise.avi", noise_frames(20))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert len(_joined(_extract(list_crops(video), tmp_path / "video"))[0]) == count_frames(video) < 20
    boxes = tmp_path / "det.txt"
    boxes.write_text("1,-1,1,1,8,9,1\n20,-1,1,1,8,9,1\n")
    with pytest.raises(ValueError, match=r"noise\.avi ends after frame 1?\d, but frame 20 is needed"):
        _extract(list_crops(video, boxes=boxes), tmp_path / "boxes")


@pytest.mark.parametrize("claimed", [7, 13])
def test_every_frame_of_a_video_whatever_its_container_claims(claimed: int, tmp_path: Path) -> None:
    frames = noise_frames(10)
    path = claim_frames(write_video(tmp_path / "noise.avi", frames), claimed)
    features, valid = _joined(_extract(list_crops(path), tmp_path / "parts"))
    assert np.array_equal(features, FeatureExtractor(ColourRuntime(), color_order="rgb")(frames))
    assert valid.all()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_bar_goes_on_where_the_work_does(
    people: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    _extract(list_crops(people), tmp_path / "parts", show_progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("11/11" in shown.err) == is_terminal


def test_parts_that_are_all_broken_are_no_other_work(
    people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crops, folder = list_crops(people), tmp_path / "parts"
    before, _ = _joined(_extract(crops, folder))
    for path in folder.glob("*.npz"):
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    after, _ = _joined(_extract(crops, folder))
    assert np.array_equal(after, before)
    assert caplog.messages == [f"{folder}: 3 of 3 parts cannot be read: computed again"]


def test_a_part_that_a_power_loss_left_empty_is_made_again(people: Path, tmp_path: Path) -> None:
    crops, folder = list_crops(people), tmp_path / "parts"
    before, _ = _joined(_extract(crops, folder))
    part_path(folder, 4).write_bytes(b"")
    runtime = _Mortal()
    after, _ = _joined(_extract(crops, folder, runtime))
    assert np.array_equal(after, before)
    assert runtime.seen == 4
