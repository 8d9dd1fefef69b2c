from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from torchvision.datasets import Omniglot

from reid_gl.data.datasets.omniglot import FOLDER_NAMES, PUBLISHED, load_omniglot

MakeFiles = Callable[[Path, Iterable[str]], Path]
BACKGROUND = (
    "Alphabet_of_the_Magi/character01/0709_02.png",
    "Alphabet_of_the_Magi/character01/0709_01.png",
    "Alphabet_of_the_Magi/character02/0710_01.png",
    "Japanese_(hiragana)/character01/0488_01.png",
)
EVALUATION = ("Ge ez ü/character10/1064_01.png", "Angelic/character02/0966_01.png")


@pytest.fixture
def make_omniglot(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        make_files(folder / "images_background", [*BACKGROUND, ".DS_Store", "Alphabet_of_the_Magi/notes.txt"])
        make_files(folder / "images_evaluation", EVALUATION)
        return folder

    return make


def test_characters_are_numbered_over_both_parts(
    tmp_path: Path, make_omniglot: Callable[[Path], Path]
) -> None:
    folder = make_omniglot(tmp_path)
    dataset = load_omniglot(tmp_path)
    assert (dataset.name, dataset.gallery, dataset.ks) == ("omniglot", (), (1, 2, 4, 8))
    assert [(sample.path, sample.pid, sample.camid) for sample in dataset.train] == [
        (str(folder / "images_background" / BACKGROUND[1]), 1, -1),
        (str(folder / "images_background" / BACKGROUND[0]), 1, -1),
        (str(folder / "images_background" / BACKGROUND[2]), 2, -1),
        (str(folder / "images_background" / BACKGROUND[3]), 3, -1),
    ]
    assert [(sample.path, sample.pid, sample.camid) for sample in dataset.query] == [
        (str(folder / "images_evaluation" / EVALUATION[1]), 4, -1),
        (str(folder / "images_evaluation" / EVALUATION[0]), 5, -1),
    ]


@pytest.mark.parametrize("home", ["", "python", *FOLDER_NAMES, "omniglot/python", "omniglot-master/python"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_omniglot: Callable[[Path], Path], home: str
) -> None:
    folder = make_omniglot(tmp_path / home)
    expected = load_omniglot(folder)
    for root in (tmp_path, str(folder), folder / "images_background", folder / "images_evaluation"):
        assert load_omniglot(root) == expected


def test_agrees_with_torchvision(
    tmp_path: Path, make_omniglot: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose numbers follow the order of the disk: so the same images must be of one class."""
    make_omniglot(tmp_path / "omniglot-py")
    monkeypatch.setattr(Omniglot, "_check_integrity", lambda self: True)
    dataset = load_omniglot(tmp_path)
    for background, samples in ((True, dataset.train), (False, dataset.query)):
        peer = Omniglot(str(tmp_path), background=background)
        classes: dict[int, set[str]] = {}
        for name, number in peer._flat_character_images:
            classes.setdefault(number, set()).add(
                str(Path(peer.target_folder, peer._characters[number], name))
            )
        pids = {sample.pid for sample in samples}
        ours = [{sample.path for sample in samples if sample.pid == pid} for pid in pids]
        assert sorted(map(sorted, ours)) == sorted(map(sorted, classes.values()))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Angelic/character03", r"no image in .*character03"),
        ("Empty", r"no folder in .*Empty: expected one"),
    ],
)
def test_an_empty_class_or_alphabet_is_said(
    tmp_path: Path, make_omniglot: Callable[[Path], Path], name: str, message: str
) -> None:
    (make_omniglot(tmp_path) / "images_evaluation" / name).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=message):
        load_omniglot(tmp_path)


def test_a_miss_shows_the_tree(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["images_background/a/b/c.png", "images_evaluation.zip"])
    with pytest.raises(
        FileNotFoundError, match=r"(?s)Omniglot is not in .*Angelic/char.*lacks images_evaluation"
    ):
        load_omniglot(tmp_path)


def test_other_counts_are_said_once(
    tmp_path: Path, make_omniglot: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    make_omniglot(tmp_path)
    load_omniglot(tmp_path)
    load_omniglot(tmp_path)
    (record,) = caplog.records
    assert "omniglot: 4 training images (published 19,280), 3 training identities" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 1_623
    assert PUBLISHED.training_images == 20 * PUBLISHED.training_identities  # by twenty people
    assert PUBLISHED.query_images == 20 * PUBLISHED.query_identities
