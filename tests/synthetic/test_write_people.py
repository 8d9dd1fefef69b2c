from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.synthetic.plan import SyntheticSize
from reid_gl.synthetic.write_people import CARD, MOST_WORKERS, write_synthetic
from tests.processes import children_of, wait_for_end

SMALL = SyntheticSize(
    num_train_identities=4,
    num_test_identities=4,
    num_queries=8,
    num_distractors=14,
    num_junk=5,
    cameras_per_identity=4,
    images_per_camera=1,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set") / "synthetic"
    write_synthetic(out, size=SMALL, num_workers=1)
    return out


def _bytes(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.*"))}


def test_same_bytes_whatever_the_number_of_workers(written: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "two", size=SMALL, num_workers=2)
    assert _bytes(tmp_path / "two") == _bytes(written)


def test_another_seed_writes_other_images(written: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "other", seed=1, size=SMALL, num_workers=1)
    mine, other = _bytes(written), _bytes(tmp_path / "other")
    assert not any(mine[name] == other.get(name) for name in mine)


def test_counts_are_those_on_disk(written: Path) -> None:
    counts = write_synthetic(written, size=SMALL)
    gallery = list((written / "bounding_box_test").iterdir())
    assert counts == {
        "train": len(list((written / "bounding_box_train").iterdir())),
        "query": len(list((written / "query").iterdir())),
        "gallery": sum(not path.name.startswith("-1") for path in gallery),
        "distractors": sum(path.name.startswith("0000") for path in gallery),
        "junk": sum(path.name.startswith("-1") for path in gallery),
        "train_identities": 4,
        "test_identities": 4,
    }
    assert (counts["query"], counts["junk"]) == (8, 5)


def test_reads_back_as_a_market_data_set(written: Path) -> None:
    dataset = load_market_layout(written, name="synthetic", title="synthetic", folder_names=())
    assert not {s.pid for s in dataset.train} & {s.pid for s in (*dataset.query, *dataset.gallery)}
    for query in dataset.query:
        assert any(s.pid == query.pid and s.camid != query.camid for s in dataset.gallery)
    assert sum(s.pid == 0 for s in dataset.gallery) == SMALL.num_distractors


def test_images_have_the_size_of_market(written: Path) -> None:
    for path in written.rglob("*.jpg"):
        image = cv2.imread(str(path))
        assert image is not None
        assert image.shape == (128, 64, 3)


def test_a_finished_set_is_used_again(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reid_gl.synthetic.write_people.render_shot", lambda *_: pytest.fail("rendered again")
    )
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    counts = write_synthetic(written, size=SMALL, num_workers=1)
    assert counts == json.loads((written / CARD).read_text())["counts"]
    assert before == {path: path.stat().st_mtime_ns for path in written.rglob("*")}


def test_another_set_in_the_folder_is_refused(written: Path) -> None:
    before = _bytes(written)
    with pytest.raises(FileExistsError, match="is another synthetic set"):
        write_synthetic(written, seed=3, size=SMALL)
    with pytest.raises(FileExistsError, match="is another synthetic set"):
        write_synthetic(written, size=SyntheticSize())
    assert before == _bytes(written)


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a finished synthetic set"):
        write_synthetic(tmp_path, size=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("card", ["", "[]", '{"version": 1}', '{"counts": {"train": 1e999}}', "[" * 5000])
def test_a_broken_card_is_refused(tmp_path: Path, card: str) -> None:
    (tmp_path / CARD).write_text(card)
    with pytest.raises(FileExistsError, match="remove"):
        write_synthetic(tmp_path, size=SMALL)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_run_that_dies_leaves_nothing(tmp_path: Path, num_workers: int) -> None:
    def die(done: int, total: int) -> None:
        raise RuntimeError(f"died after {done} of {total}")

    with pytest.raises(RuntimeError, match="died after"):
        write_synthetic(tmp_path / "out", size=SMALL, num_workers=num_workers, progress=die)
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    counts = write_synthetic(
        tmp_path / "out", size=SMALL, num_workers=1, progress=lambda done, total: seen.append((done, total))
    )
    total = counts["train"] + counts["query"] + counts["gallery"] + counts["junk"]
    assert seen[-1] == (total, total)


@pytest.mark.parametrize("number", [0, -1, MOST_WORKERS + 1, 10**30])
def test_numbers_of_workers_that_no_machine_has_are_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(ValueError, match=f"num_workers is {number}: expected 1 to 1000"):
        write_synthetic(tmp_path / "out", size=SMALL, num_workers=number)


def test_a_set_with_worlds_is_another_set(written: Path, tmp_path: Path) -> None:
    size = replace(SMALL, num_worlds=2)
    counts = write_synthetic(tmp_path / "worlds", size=size, num_workers=1)
    assert counts == write_synthetic(tmp_path / "worlds", size=size)
    assert (counts["train"], counts["train_identities"]) == (16, 4)
    data = load_market_layout(tmp_path / "worlds")
    assert {sample.camid // 6 for sample in data.train} == {1, 2}
    with pytest.raises(FileExistsError, match="is another synthetic set"):
        write_synthetic(written, size=size)


def test_sets_written_before_there_were_worlds_are_reused(written: Path) -> None:
    assert "num_worlds" not in json.loads((written / CARD).read_text())["size"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    code = f"from reid_gl.synthetic.write_people import *; write_synthetic({str(tmp_path / 'out')!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        deadline = time.monotonic() + 60
        while len(started := children_of(parent.pid)) < 3:  # multiprocessing's tracker of resources is one
            assert parent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        parent.kill()
        wait_for_end(started, seconds=60)
