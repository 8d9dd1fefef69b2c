from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.mot.read import (
    iterate_frames,
    load_sequence,
    require_frames,
)
from reid_gl.data.mot.write import (
    write_sequence_info,
)
from tests.data.made_up_sequence import write_sequence


@pytest.mark.parametrize(
    ("says", "name"),
    [
        (".jpg", "{:08d}.jpg"),  # DanceTrack
        (".jpg", "{:07d}.jpg"),
        ("jpg", "{:06d}.jpg"),
        (".jpg", "{:06d}.JPG"),
        (".JPG", "{:06d}.jpg"),
        ("JPG", "{:d}.Jpg"),
        (".png", "{:05d}.jpeg"),
    ],
)
def test_frames_are_found_as_they_are_named(tmp_path: Path, says: str, name: str) -> None:
    folder = write_sequence(tmp_path / "a", num_frames=12)
    for number in range(1, 13):
        old = folder / "img1" / f"{number:06d}.jpg"
        old.rename(old.with_name(name.format(number)))
    (folder / "img1" / "Thumbs.db").write_text("")
    info = folder / "seqinfo.ini"
    info.write_text(info.read_text().replace("imExt=.jpg", f"imExt={says}"))
    sequence = load_sequence(folder)
    assert [sequence.frame_path(number).name for number in (1, 12)] == [name.format(1), name.format(12)]
    assert len(list(iterate_frames(sequence))) == 12
    write_sequence_info(sequence)
    assert load_sequence(folder) == sequence


def test_names_of_frames_that_are_not_there(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "a")
    for number in (1, 3):
        (folder / "img1" / f"{number:06d}.jpg").unlink()
    (folder / "img1" / "00000009.png").write_text("")
    sequence = load_sequence(folder)
    assert sequence.frame_path(1).name == "000001.jpg"
    for path in (folder / "img1").iterdir():
        path.unlink()
    assert load_sequence(folder).frame_path(1).name == "000001.jpg"
    (folder / "img1").rmdir()
    with pytest.raises(FileNotFoundError, match=r"4 of the 4 frames .* the first is .*000001\.jpg"):
        require_frames(load_sequence(folder))
