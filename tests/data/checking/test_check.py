from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reid_gl.data.checking.check import Occurrence, check_dataset
from reid_gl.records import ReidDataset, Sample
from tests.data.made_up_images import blobs, brighten, enlarge, read, reencode, write


def sound_dataset(root: Path) -> ReidDataset:
    """Two people to train on, two to find, each before cameras 0 and 1; all images different."""

    def sample(split: str, pid: int, camid: int) -> Sample:
        image = blobs(1000 * len(split) + 10 * pid + camid)
        return Sample(write(root / split / f"{pid}_{camid}.png", image), pid, camid)

    train = tuple(sample("train", pid, camid) for pid in (1, 2) for camid in (0, 1))
    query = tuple(sample("query", pid, 0) for pid in (3, 4))
    gallery = tuple(sample("gallery", pid, camid) for pid in (0, 3, 4) for camid in (0, 1))
    return ReidDataset(train, query, gallery, "made up")


def with_image(dataset: ReidDataset, split: str, path: str, pid: int, camid: int = 0) -> ReidDataset:
    changed = (*getattr(dataset, split), Sample(path, pid, camid))
    return replace(dataset, **{split: changed})


def test_a_sound_set_has_no_faults(tmp_path: Path) -> None:
    report = check_dataset(sound_dataset(tmp_path))
    assert report.name == "made up"
    assert list(report.splits) == ["train", "query", "gallery"]
    assert [split.images for split in report.splits.values()] == [4, 2, 6]
    assert [split.identities for split in report.splits.values()] == [2, 2, 2]
    assert report.splits["gallery"].without_identity == 2
    assert report.splits["train"].height is not None
    assert report.splits["train"].height.median == 128
    faults = (
        report.unreadable,
        report.empty_boxes,
        report.cut_boxes,
        report.shared_identities,
        report.copies,
        report.train_test_pairs,
        report.query_gallery_pairs,
        report.label_conflicts,
        report.leaked_copies,
    )
    assert faults == ((),) * 9


def test_exact_copies_within_and_across_splits(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    first = dataset.train[0].path
    data = Path(first).read_bytes()
    copies = {name: str(tmp_path / f"{name}.png") for name in ("again", "leak", "other")}
    for path in copies.values():
        Path(path).write_bytes(data)
    dataset = with_image(dataset, "train", copies["again"], 1, 1)
    assert check_dataset(dataset).label_conflicts == ()
    assert check_dataset(dataset).leaked_copies == ()
    dataset = with_image(dataset, "train", copies["other"], 2, 1)
    conflict = check_dataset(dataset)
    assert conflict.label_conflicts == conflict.copies
    report = check_dataset(with_image(dataset, "gallery", copies["leak"], 3, 1))
    group = (
        Occurrence("train", first, 1, 0, None),
        Occurrence("train", copies["again"], 1, 1, None),
        Occurrence("train", copies["other"], 2, 1, None),
        Occurrence("gallery", copies["leak"], 3, 1, None),
    )
    assert report.copies == report.leaked_copies == report.label_conflicts == (group,)
    assert report.train_test_pairs == ()  # a copy is not also a near-duplicate


def test_one_file_listed_in_two_splits_is_a_copy(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    report = check_dataset(with_image(dataset, "gallery", dataset.query[0].path, 3, 0))
    assert [[one.split for one in group] for group in report.copies] == [["query", "gallery"]]
    assert report.leaked_copies == ()


def test_near_duplicates_between_train_and_test(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    changed = reencode(brighten(enlarge(read(dataset.train[2].path))))
    in_query = write(tmp_path / "query" / "changed.jpg", changed)
    in_gallery = write(tmp_path / "gallery" / "changed.png", changed)
    dataset = with_image(dataset, "query", in_query, 3)
    report = check_dataset(with_image(dataset, "gallery", in_gallery, 4))
    pairs = [(pair.first.path, pair.second.path) for pair in report.train_test_pairs]
    assert pairs == [(in_query, dataset.train[2].path), (in_gallery, dataset.train[2].path)]
    assert [pair.first.split for pair in report.train_test_pairs] == ["query", "gallery"]
    assert all(0 < pair.difference < 0.02 for pair in report.train_test_pairs)
    assert [(pair.first.path, pair.second.path) for pair in report.query_gallery_pairs] == [
        (in_query, in_gallery)
    ]
    assert report.copies == ()


def test_near_duplicates_within_the_training_set_are_left_alone(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    path = write(tmp_path / "train" / "next_frame.jpg", reencode(read(dataset.train[0].path)))
    report = check_dataset(with_image(dataset, "train", path, 1))
    assert (report.train_test_pairs, report.query_gallery_pairs, report.copies) == ((), (), ())


def test_unreadable_files_count_once_and_are_like_nothing(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
        dataset = with_image(dataset, "train", str(tmp_path / name), 1)
    dataset = with_image(dataset, "gallery", str(tmp_path / "a.jpg"), 3)
    report = check_dataset(dataset)
    assert [problem.path for problem in report.unreadable] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "b.jpg"),
    ]
    assert (
        report.unreadable[0].problem
        == f"image {tmp_path / 'a.jpg'} is empty (0 bytes): restore or remove the file"
    )
    assert (report.copies, report.train_test_pairs) == ((), ())
    assert report.splits["train"].images == 6
    assert report.splits["train"].width is not None
    assert report.splits["train"].width.min == 64


def test_boxes_are_images_of_their_own(tmp_path: Path) -> None:
    frame = write(tmp_path / "frame.png", blobs(7, (100, 200)))
    boxes = {"train": (0, 0, 50, 100), "query": (100, 0, 150, 100), "gallery": (150, -9, 230, 100)}
    parts = {
        split: (Sample(frame, number, 0, box),) for number, (split, box) in enumerate(boxes.items(), start=1)
    }
    report = check_dataset(ReidDataset(**parts))
    assert (report.copies, report.train_test_pairs) == ((), ())
    assert [(one.split, one.box) for one in report.cut_boxes] == [("gallery", (150, -9, 230, 100))]
    assert report.splits["gallery"].width is not None
    assert report.splits["gallery"].width.max == 50
    parts["query"] = (Sample(frame, 2, 0, boxes["train"]), Sample(frame, 2, 0, (200, 0, 250, 100)))
    report = check_dataset(ReidDataset(**parts))
    assert [[one.split for one in group] for group in report.leaked_copies] == [["train", "query"]]
    assert [problem.path for problem in report.empty_boxes] == [frame]
    assert "box (200, 0, 250, 100) does not overlap image" in report.empty_boxes[0].problem


def test_identities_in_both_and_empty_splits(tmp_path: Path) -> None:
    dataset = sound_dataset(tmp_path)
    shifted = tuple(replace(sample, pid=sample.pid + 2) for sample in dataset.train)
    distractor = replace(dataset.train[0], path=dataset.gallery[0].path, pid=0)
    report = check_dataset(replace(dataset, train=(*shifted, distractor)))
    assert report.shared_identities == (3, 4)  # and not 0
    empty = check_dataset(ReidDataset((), (), ()))
    assert [split.images for split in empty.splits.values()] == [0, 0, 0]
    assert empty.shared_identities == ()
