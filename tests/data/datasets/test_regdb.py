from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.datasets.regdb import load_regdb


def make_regdb(root: Path) -> Path:
    people = {"train": (1, 2), "test": (3, 4)}
    (root / "idx").mkdir(parents=True)
    for trial in (1, 2):
        for part, numbers in people.items():
            for kind in ("visible", "thermal"):
                lines = []
                for label, person in enumerate(numbers if trial == 1 else numbers[::-1]):
                    name = f"{kind.title()}/{person}/male_back_{kind[0]}_0000{person}_1.bmp"
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).touch()
                    lines.append(f"{name} {label}")
                (root / "idx" / f"{part}_{kind}_{trial}.txt").write_text("\n".join(lines) + "\n\n")
    return root


@pytest.mark.parametrize("home", ["", "RegDB", "regdb_01"])
def test_both_directions_by_hand(tmp_path: Path, home: str) -> None:
    folder = make_regdb(tmp_path / home)
    there = load_regdb(tmp_path, query="visible")
    back = load_regdb(folder / "idx", query="thermal")
    assert (there.name, back.name) == ("regdb_visible_to_thermal", "regdb_thermal_to_visible")
    assert (there.train, there.query, there.gallery) == (back.train, back.gallery, back.query)
    found = [
        (Path(s.path).parts[-3:-1], s.pid, s.camid) for s in (*there.train, *there.query, *there.gallery)
    ]
    assert found == [
        *(
            (("Visible", "1"), 1, 0),
            (("Visible", "2"), 2, 0),
            (("Thermal", "1"), 1, 1),
            (("Thermal", "2"), 2, 1),
        ),
        *((("Visible", "3"), 3, 0), (("Visible", "4"), 4, 0)),
        *((("Thermal", "3"), 3, 1), (("Thermal", "4"), 4, 1)),
    ]
    other = load_regdb(tmp_path, query="visible", split=1)
    assert [Path(sample.path).parts[-2] for sample in other.query] == ["4", "3"]


def test_what_is_missing_or_broken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_regdb(tmp_path)
    load_regdb(tmp_path, query="visible")
    assert "4 training images (published 4,120)" in caplog.text
    with pytest.raises(ValueError, match="RegDB has no split 10: expected 0 to 9"):
        load_regdb(tmp_path, query="visible", split=10)
    with pytest.raises(FileNotFoundError, match=r"(?s)RegDB is not in .*which lacks idx/train_v"):
        load_regdb(tmp_path, query="visible", split=2)
    path = tmp_path / "idx" / "test_thermal_1.txt"
    for line, message in (
        ("Thermal/3/a.bmp", r"line 1 of .*test_thermal_1\.txt reads 'Thermal/3/a\.bmp': expected an image"),
        ("../a.bmp 3", r"names the image '\.\./a\.bmp': expected a path inside"),
    ):
        path.write_text(line)
        with pytest.raises(ValueError, match=message):
            load_regdb(tmp_path, query="visible")
    path.write_text("Thermal/3/missing.bmp 0")
    with pytest.raises(FileNotFoundError, match="1 of the 7 images named in the lists of"):
        load_regdb(tmp_path, query="visible")
