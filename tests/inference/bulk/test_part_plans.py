from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.part_plans import (
    check_any_readable,
    check_on_error,
    claim_folder,
    part_ranges,
    same_parts,
)
from reid_gl.inference.bulk.row_digests import digest_rows

CROPS = CropList("five", tuple("abcde"))


def test_ranges_cover_every_row_once() -> None:
    assert part_ranges(5, 2) == {0: range(2), 2: range(2, 4), 4: range(4, 5)}
    assert part_ranges(4, 2) == {0: range(2), 2: range(2, 4)}
    assert part_ranges(0, 2) == {}


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "parts"
    plan = {"rows": 5, "network": {"size": (2, 1)}}  # a tuple is a list in JSON
    claim_folder(folder, "plan.json", plan)
    claim_folder(folder, "plan.json", plan)
    with pytest.raises(ValueError, match=r"parts holds another extraction \(rows, network differ\): resume"):
        claim_folder(folder, "plan.json", {"rows": 6, "network": {"size": (1, 1)}})
    (folder / "plan.json").write_text("broken")
    with pytest.raises(
        ValueError, match=r"plan.json is not JSON .*: delete the folder .*parts to start again"
    ):
        claim_folder(folder, "plan.json", plan)


def test_a_setting_that_did_not_exist_yet_was_at_its_default(tmp_path: Path) -> None:
    claim_folder(tmp_path, "plan.json", {"network": {"weights": "a", "flip": None}})
    now = {"weights": "a", "flip": None, "output_name": None}
    claim_folder(tmp_path, "plan.json", {"network": now})
    for changed in ({"output_name": "features"}, {"flip": True}, {"weights": None}):
        with pytest.raises(ValueError, match=r"another extraction \(network differ"):
            claim_folder(tmp_path, "plan.json", {"network": {**now, **changed}})


def test_a_folder_of_other_files_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / ".plan.json.partial").write_text("of a killed process")
    claim_folder(tmp_path, "plan.json", {})
    (tmp_path / "plan.json").unlink()
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(FileExistsError, match=r"holds thesis\.tex and no unfinished extraction"):
        claim_folder(tmp_path, "plan.json", {})
    assert not (tmp_path / "plan.json").exists()


def test_parts_of_the_same_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ranges = part_ranges(5, 2)
    digests = {start: digest_rows(CROPS, rows.start, rows.stop) for start, rows in ranges.items()}
    assert same_parts(CROPS, tmp_path, ranges, digests) == [0, 2, 4]
    assert same_parts(CROPS, tmp_path, ranges, {}) == []
    assert not caplog.records
    assert same_parts(CROPS, tmp_path, ranges, {**digests, 2: ""}) == [0, 4]
    assert same_parts(CROPS, tmp_path, ranges, {0: "", 2: ""}) == []
    assert same_parts(CROPS, tmp_path, ranges, {**digests, 2: digests[0]}) == [0, 4]
    assert [text.split(": ", 1)[1] for text in caplog.messages] == [
        "1 of 3 parts cannot be read: computed again",
        "2 of 2 parts cannot be read: computed again",
        "the list has changed: 2 of 3 finished parts have the same images and are kept, the others are "
        "computed again",
    ]
    with pytest.raises(ValueError, match=r"another extraction \(list differ"):
        same_parts(CROPS, tmp_path, ranges, {0: digests[2]})


def test_a_list_without_a_readable_row() -> None:
    check_any_readable(CROPS, dict.fromkeys(range(4), "broken"))
    with pytest.raises(ValueError, match="none of the 5 rows of five can be read: broken"):
        check_any_readable(CROPS, dict.fromkeys(range(5), "broken"))


def test_an_unknown_reaction_to_errors() -> None:
    check_on_error("skip")
    with pytest.raises(ValueError, match="on_error must be one of stop, skip, got 'ignore'"):
        check_on_error("ignore")
