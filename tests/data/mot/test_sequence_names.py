from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.mot.read import load_sequence
from reid_gl.data.mot.sequence_names import check_sequence_names


@pytest.mark.parametrize(
    "line",
    ["name=../..", "name=a/b", "name=a\\b", "name=", "imDir=../secret", "imDir=/etc", "imExt=/../../x.jpg"],
)
def test_a_sequence_stays_inside_itself(line: str, tmp_path: Path) -> None:
    entries = {"name": "a", "imDir": "img1", "imExt": ".jpg"}
    key, _, value = line.partition("=")
    entries[key] = value
    text = "[Sequence]\nframeRate=1\nseqLength=1\nimWidth=1\nimHeight=1\n"
    (tmp_path / "seqinfo.ini").write_text(text + "".join(f"{key}={word}\n" for key, word in entries.items()))
    with pytest.raises(ValueError, match=rf"seqinfo.ini: {key} must be a plain name without folders, got"):
        load_sequence(tmp_path)


@pytest.mark.parametrize("name", [".", "a\nb", "a/", ".."])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match=r"^a/seqinfo\.ini: name must be a plain name without folders, got"):
        check_sequence_names(Path("a/seqinfo.ini"), name=name, image_folder="img1", suffix=".jpg")


def test_images_may_lie_deeper() -> None:
    check_sequence_names(Path("a"), name="MOT17-02 (café)", image_folder="left/img1", suffix=".jpg")
    with pytest.raises(ValueError, match=r"imDir must be a plain name .* got 'left/../../img1'"):
        check_sequence_names(Path("a"), name="a", image_folder="left/../../img1", suffix=".jpg")
