from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.cli.main import main
from reid_gl.gallery import Gallery, Sighting
from tests.gallery.made_up_galleries import MORNING, WIDTH, features, filled
from tests.made_up_people import write_people
from tests.tiny_checkpoint import write_checkpoint

Call = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `reid-gl gallery` in a folder of its own: code, answer, messages."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, dict[str, Any], str]:
        code = main(["gallery", *map(str, words)])
        shown = capsys.readouterr()
        return code, json.loads(shown.out or "{}"), shown.err

    return run


def test_from_images_to_answers(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = write_checkpoint(tmp_path / "model.ckpt")
    people = write_people(tmp_path / "people", num_people=2, images=2) / "bounding_box_train"
    words = [str(people), "--into", "people.db", "--weights", str(weights), "--camera", "3"]
    assert main(["extract", *words]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 8
    first = sorted(people.iterdir())[0]
    code, shown, _ = call("search", "people.db", first, "--weights", weights, "--k", 2, "--reason", "lost")
    assert code == 0
    assert shown["answers"][0]["query"] == str(first)
    best, _ = shown["answers"][0]["matches"]
    assert best["score"] == pytest.approx(1.0, abs=1e-3)
    assert (best["path"], best["camera"], best["time"], best["box"]) == (str(first), 3, None, None)
    assert (best["probability"], best["reranked"]) == (None, None)
    code, shown, _ = call("search", "people.db", "--rows", best["id"], "--k", 1, "--rerank")
    assert shown["answers"][0]["query"] == f"row {best['id']}"
    assert shown["answers"][0]["matches"][0]["reranked"] is not None
    assert shown["answers"][0]["matches"][0]["id"] != best["id"]  # a row does not find itself
    log = [json.loads(line) for line in Path("people.db.audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in log] == ["add", "search", "read", "search"]
    assert log[1]["reason"] == "lost"


def test_add_and_export_are_one_another(call: Call) -> None:
    _, metadata = filled(Path("people.db"))
    code, shown, _ = call("export", "people.db", "rows.npz")
    assert (code, shown["rows"]) == (0, 40)
    code, shown, _ = call("add", "other.db", "rows.npz")
    assert (code, shown["files"]["rows.npz"]) == (0, {"added": 40, "first": 1, "boxes_outside": 0})
    with Gallery("other.db", "r") as gallery:
        answers = gallery.search(features(40), 1)
    assert [answer[0].sighting for answer in answers] == metadata
    assert call("export", "people.db", "rows.npz")[2].count("rows.npz exists: delete it")
    assert call("export", "people.db", "rows.txt")[2].count("expected a name that ends in .npz")


def test_times_of_frames(call: Call) -> None:
    valid = np.array([True, False, True])
    columns = {
        "frames": np.array([1, 2, 26]),
        "ids": np.array([4, 4, -1]),
        "boxes": np.arange(12.0).reshape(3, 4),
    }
    vectors = np.where(valid[:, None], features(3), 0)
    np.savez("video.npz", features=vectors, valid=valid, **columns)
    words = ["add", "people.db", "video.npz", "--camera", 2, "--start", "2023-11-14T22:13:20", "--fps", 25]
    code, shown, _ = call(*words)
    assert (code, shown["files"]["video.npz"]["boxes_outside"]) == (0, 1)
    with Gallery("people.db", "r") as gallery:
        first, last = (answer[0].sighting for answer in gallery.search(vectors[[0, 2]], 1))
    assert first == Sighting(2, MORNING, 4, frame=1, box=(0, 1, 2, 3))
    assert last == Sighting(2, MORNING + 1, frame=26, box=(8, 9, 10, 11))
    assert "times of frames need their rate" in call(*words[:-2])[2]
    np.savez("images.npz", features=features(2))
    assert "have no frame numbers" in call("add", "people.db", "images.npz", *words[-4:])[2]


def test_the_other_actions(call: Call) -> None:
    filled(Path("people.db"))
    assert call("stats", "people.db")[1]["num_rows"] == 40
    assert call("verify", "people.db")[:2] == (
        0,
        {"gallery": "people.db", "is_whole": True, "num_rows": 40, "broken": {}, "problems": []},
    )
    assert call("delete", "people.db", "--rows", 1, 2, 99)[1]["deleted"] == 2
    assert call("delete", "people.db", "--cameras", 0, "--start", "2030-01-01")[1]["deleted"] == 0
    assert call("merge", "people.db", "--pids", 1, 2, "--into", 3)[1]["changed"] > 0
    assert call("keep", "people.db", "--for", "100000d")[1] == {
        "gallery": "people.db",
        "keep_seconds": 8.64e9,
        "deleted": 0,
    }
    assert call("keep", "people.db", "--for", "ever")[1]["keep_seconds"] is None
    deleted = call("delete", "people.db", "--older-than", "1d")[1]["deleted"]
    assert call("stats", "people.db")[1]["num_rows"] == 38 - deleted < 20  # rows without a time are new
    data = bytearray(Path("people.db").read_bytes())
    place = data.index("bäcker 38".encode())
    data[place + 2] ^= 1
    Path("people.db").write_bytes(data)
    code, shown, _ = call("verify", "people.db")
    assert code == 1
    assert shown["broken"] == {"39": "the metadata does not match its checksum"}


def test_an_index_and_its_recall(call: Call) -> None:
    filled(Path("people.db"), 300)
    uri = "faiss:people.db?lists=4&probes=4&candidates=30"
    assert call("train", uri)[:2] == (0, {"gallery": uri, "indexed": 300})
    shown = call("stats", uri, "--recall", 20, "--k", 10)[1]
    assert shown["recall"] == {"queries": 20, "k": 10, "recall": 1.0}
    assert (shown["index"]["lists"], shown["index"]["rows"], shown["num_rows"]) == (4, 300, 300)
    assert "--k of stats is the number of neighbours for --recall" in call("stats", uri, "--k", 10)[2]
    assert "has no index to train: open it as faiss:people.db" in call("train", "people.db")[2]


def test_searching_with_filters(call: Call) -> None:
    filled(Path("people.db"))
    words = ["search", "people.db", "--rows", 1, 4, "--k", 99, "--cameras", 1, 2, "--start", int(MORNING)]
    words += ["--end", int(MORNING) + 1800, "--exclude", "camera=1", "tracklet=0,1", "--exclude", "pid=2"]
    answers = call(*words, "--min-score", "-0.9")[1]["answers"]
    assert [answer["query"] for answer in answers] == ["row 1", "row 4"]
    for match in answers[0]["matches"]:
        assert match["camera"] in (1, 2)
        assert MORNING <= match["time"] <= MORNING + 1800
        assert match["pid"] != 2
        assert match["camera"] != 1 or match["tracklet"] not in (0, 1)
        assert match["id"] not in (1, 4)
    assert answers[0]["matches"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "people.db"], "search for images, or for --rows of the gallery"),
        (["search", "people.db", "a.jpg"], "images need the network that filled the gallery: give --weights"),
        (["search", "people.db", "a.jpg", "--weights", "none.ckpt"], "none.ckpt"),
        (["search", "people.db", "--rows", "99"], "people.db has no rows [99]"),
        (["search", "people.db", "--rows", "1", "--exclude", "colour=3"], "cannot be selected by 'colour'"),
        (["search", "people.db", "--rows", "1", "--exclude", "camera"], "words such as camera=1"),
        (["search", "people.db", "--rows", "1", "--into", "3"], "--into has no meaning for gallery search"),
        (["search", "people.db", "--rows", "1", "--prior", "0.1"], "a prior is for probabilities"),
        (["search", "nowhere.db", "--rows", "1"], "nowhere.db does not exist"),
        (["stats", "redis://host/people"], "unknown engine 'redis'"),
        (["stats", "people.db", "a.jpg"], "gallery stats takes no files, got a.jpg"),
        (["add", "people.db"], "nothing to add"),
        (["add", "people.db", "none.npz"], "none.npz does not exist"),
        (["add", "people.db", "people.db"], "people.db is not an .npz archive"),
        (["add", "people.db", "empty.npz"], "empty.npz has no features (M, D)"),
        (
            ["add", "people.db", "short.npz"],
            "short.npz: camids must be numbers of shape (2,), got int64 (1,)",
        ),
        (["add", "people.db", "/dev/zero"], "/dev/zero is not a file but a device"),
        (["add", "people.db", "words.npz"], "words.npz: times must be numbers of shape (2,), got <U1 (2,)"),
        (
            ["add", "people.db", "flat.npz"],
            "flat.npz: boxes must be numbers of shape (2, 4), got float64 (2,)",
        ),
        (["add", "people.db", "wide.npz"], "features have 8 numbers each, this gallery holds features of 16"),
        (["delete", "people.db"], "say which rows to delete"),
        (
            ["delete", "people.db", "--older-than", "1d", "--for", "3d"],
            "--for has no meaning for gallery delete",
        ),
        (["merge", "people.db", "--pids", "3"], "name the identities to merge and the one that stays"),
        (["keep", "people.db"], "say for how long rows are kept"),
        (["keep", "people.db", "--for", "3"], "expected a duration such as 30d"),
        (["export", "people.db"], "name one .npz file to write"),
        (["export", "people.db", "a.npz", "--cameras", "77"], "there are no such rows to export"),
    ],
)
def test_a_mistake_ends_in_one_sentence(words: list[str], message: str, call: Call) -> None:
    filled(Path("people.db"), 3)
    np.savez("empty.npz", ids=np.zeros(3))
    np.savez("short.npz", features=features(2), camids=np.zeros(1, np.int64))
    np.savez("words.npz", features=features(2), times=np.array(["a", "b"]))
    np.savez("flat.npz", features=features(2), boxes=np.zeros(2))
    np.savez("wide.npz", features=features(2, width=WIDTH // 2))
    code, _, shown = call(*words)
    assert code == 1
    assert message in shown
    with Gallery("people.db", "r") as gallery:
        assert gallery.stats().num_rows == 3


def test_a_time_that_is_none(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call("search", "people.db", "--rows", 1, "--start", "yesterday")
    assert "expected a time such as 2026-11-28T08:30" in capsys.readouterr().err
