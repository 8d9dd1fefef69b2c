from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from tests.cli.test_commands import call
from tests.data.made_up_images import blobs, write


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folders = [("bounding_box_train", pid) for pid in (1, 2)] + [("query", 3), ("bounding_box_test", 3)]
    for seed, (folder, pid) in enumerate(folders):
        for camera in (1, 2):
            path = tmp_path / "market1501" / folder / f"{pid:04}_c{camera}s1_{seed:06}_00.png"
            write(path, blobs(10 * seed + camera))
    return tmp_path / "market1501"


def test_a_sound_set(people: Path, tmp_path: Path) -> None:
    answer = call("check_dataset", "market1501", people, "--html", tmp_path / "sheet.html")
    assert answer.returncode == 0, answer.stderr
    (line,) = answer.stdout.splitlines()
    assert json.loads(line)["sound"] is True
    assert "train         4           2" in answer.stderr
    assert "ready for training and scoring" in answer.stderr
    assert (tmp_path / "sheet.html").stat().st_size > 1000


def test_a_faulty_set_ends_with_one(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = people / "query" / "0003_c1s1_000002_00.png"
    (people / "bounding_box_train" / "0002_c3s1_000009_00.png").write_bytes(source.read_bytes())
    assert main(["check-dataset", "market1501", str(people)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["sound"] is False
    assert "E 1 training image is also in the test set" in err
    assert "W 1 image has several identities" in err


def test_a_set_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-dataset", "market1501", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Market-1501 is not in" in err
