from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from reid_gl.experiment import watch
from reid_gl.inference.bulk.video import count_frames
from tests.cli.test_commands import call
from tests.experiment.test_watch import NUM_FRAMES, filmed
from tests.made_up_videos import write_sequence, write_video
from tests.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence, a video with det.txt, and weights."""
    folder = tmp_path_factory.mktemp("watched")
    frames, det = filmed()
    write_sequence(folder / "MOT-01", frames, det=det)
    write_video(folder / "film.mkv", frames)
    (folder / "det.txt").write_text(det)
    (folder / "late.txt").write_text(det + f"{NUM_FRAMES + 1},-1,5,5,10,20,0.9\n")
    (folder / "empty.txt").write_text("")
    (folder / "broken.mp4").write_text("no video")
    (folder / "notes.txt").write_text("no video")
    write_checkpoint(folder / "model.ckpt")
    return folder


def test_a_video_is_watched(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    words = [folder / "film.mkv", output, "--weights", folder / "model.ckpt", "--boxes", folder / "det.txt"]
    answer = call("watch", *words, "--threshold", 0.3)
    assert answer.returncode == 0, answer.stderr
    shown = json.loads(answer.stdout)
    assert (shown["boxes"], shown["frames"], shown["threshold"]) == (14, NUM_FRAMES, 0.3)
    assert shown["source"] == str(folder / "film.mkv")
    assert count_frames(output) == NUM_FRAMES
    assert "<h1>People in film</h1>" in output.with_suffix(".html").read_text()
    answer = call("watch", *words, "--threshold", 0.3)
    assert "out.mp4 exists: choose another output, or replace it with --force" in answer.stderr
    answer = call("watch", *words, "--threshold", 0.3, "--force")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.mp4", "out.mp4"], "nowhere.mp4 does not exist"),
        (
            ["film.mkv", "out.mp4"],
            "film.mkv has no boxes: give those of a detector or a tracker with --boxes",
        ),
        (["film.mkv", "out.avi"], "cannot write out.avi: expected a name that ends in .mp4"),
        (["film.mkv", "out.mp4", "--boxes", "none.txt"], "none.txt"),
        (["film.mkv", "out.mp4", "--boxes", "late.txt"], "the sequence has only 8 frames"),
        (["film.mkv", "out.mp4", "--boxes", "empty.txt"], "film.mkv contains no images, rows or boxes"),
        (["broken.mp4", "out.mp4", "--boxes", "det.txt"], "video broken.mp4 cannot be opened"),
        (["notes.txt", "out.mp4"], "notes.txt is not a video (.mp4"),
        ([".", "out.mp4"], ". is a folder without seqinfo.ini"),
        (
            ["MOT-01", "out.mp4", "--min-confidence", "0.95"],
            "no box has a confidence of at least 0.95, the highest is 0.9",
        ),
        (["MOT-01", "out.mp4"], "only 6 pairs of people are apart in one frame"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    words: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    answer = call("watch", *words, "--weights", "model.ckpt")
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not Path("out.mp4").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_half_way_leaves_what_resumes_and_says_so(
    number: signal.Signals,
    code: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(watch, "draw_boxes", lambda *_: os.kill(os.getpid(), number))
    output = tmp_path / "out.mp4"
    words = [folder / "MOT-01", output, "--weights", folder / "model.ckpt", "--threshold", 0.3]
    assert main(["watch", *map(str, words)]) == code
    assert f"W stopped: run the same command again to resume from {output}.parts\n" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4.parts"]
    assert not [path for path in (tmp_path / "out.mp4.parts").iterdir() if path.is_dir()]


def test_a_signal_at_the_start_is_told_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reid_gl.cli.watch.list_crops", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    words = [folder / "MOT-01", tmp_path / "out.mp4", "--weights", folder / "model.ckpt"]
    assert main(["watch", *map(str, words)]) == 143
    assert (
        "W stopped before the first file was written: run the same command again\n" in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())
