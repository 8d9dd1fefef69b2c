from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import yaml

from reid_gl.experiment import weights as weights_module
from reid_gl.experiment.measure_thresholds import check_storable, store_calibration
from reid_gl.experiment.score import write_result
from reid_gl.experiment.weights import pull_weights, push_weights, verify_weights, write_weights_folder
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.stored_thresholds import load_calibration
from tests.evaluation.thresholds.made_up_calibration import made_up_calibration
from tests.small_hub import SmallHub, serving, use_hub
from tests.tiny_checkpoint import write_checkpoint

SCORES = {
    "dataset": "market1501",
    "protocol": {"name": "x"},
    "mAP": 0.5,
    "rank1": 0.75,
    "weights": "/home/me/a",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.ckpt"
    return write_checkpoint(path, calibration=made_up_calibration().to_dict())


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    (tmp_path / "scores.json").write_text(json.dumps(SCORES))
    return write_weights_folder(
        checkpoint, tmp_path / "small", license_name="mit", metrics=[tmp_path / "scores.json"]
    )


def test_the_folder_has_everything_and_its_card_says_it(folder: Path, checkpoint: Path) -> None:
    files = {"README.md", "config.json", "manifest.json", "metrics.json", "model.safetensors"}
    assert {path.name for path in folder.iterdir()} == files | {"model.safetensors.json"}
    assert verify_weights(folder) == []
    card = (folder / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["license"] == "mit"
    assert header["library_name"] == "reid_gl"
    assert "| market1501 | 50.0 | 75.0 | - | - |" in card
    assert "/home/me" not in card + (folder / "metrics.json").read_text()
    assert load_calibration(folder) == load_calibration(checkpoint)


def test_a_flipped_bit_is_found(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    (change,) = verify_weights(folder)
    assert change.startswith("model.safetensors has the SHA-256 ")
    with pytest.raises(ValueError, match=r"is not as it was written: model\.safetensors has the SHA-256"):
        push_weights(folder, "hf://a/b")


def test_thresholds_stored_in_the_folder_are_in_its_manifest(folder: Path) -> None:
    changed = made_up_calibration(source="another set")
    assert store_calibration(find_weights(folder), changed) == folder / "model.safetensors.json"
    assert verify_weights(folder) == []
    assert load_calibration(folder) == changed


def test_mistakes(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match=r"small exists: choose another folder or remove this one"):
        write_weights_folder(checkpoint, folder)
    (tmp_path / "other.json").write_text('{"mAP": 0.5}')
    with pytest.raises(ValueError, match=r"other\.json has no scores .*: give files that reid-gl test wrote"):
        write_weights_folder(checkpoint, tmp_path / "new", metrics=[tmp_path / "other.json"])
    assert not (tmp_path / "new").exists()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        verify_weights(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"has no manifest\.json: reid-gl weights card writes"):
        verify_weights(tmp_path)
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(FileNotFoundError, match=r"manifest\.json is not a file but a folder: "):
        verify_weights(tmp_path)
    with pytest.raises(ValueError, match=r"a whole folder is pushed, leave /x\.ckpt out"):
        push_weights(folder, "hf://a/b/x.ckpt")


class FakeApi:
    """Records its calls, which must fit the real HfApi."""

    calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        signature = inspect.signature(getattr(huggingface_hub.hf_api.HfApi, name))

        def call(*arguments: Any, **keywords: Any) -> Any:
            bound = signature.bind(self, *arguments, **keywords)
            self.calls.append((name, {key: value for key, value in bound.arguments.items() if key != "self"}))
            return SimpleNamespace(commit_url="https://hub/commit/1")

        return call


def test_push_uploads_exactly_the_files_of_the_manifest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    FakeApi.calls.clear()
    assert push_weights(folder, "hf://people/small@next", is_private=True) == "https://hub/commit/1"
    (created, creation), (uploaded, upload) = FakeApi.calls
    assert (created, uploaded) == ("create_repo", "upload_folder")
    assert creation == {"repo_id": "people/small", "private": True, "exist_ok": True}
    assert upload["repo_id"] == "people/small"
    assert upload["revision"] == "next"
    assert set(upload["allow_patterns"]) == {path.name for path in folder.iterdir()}


@pytest.fixture
def hub(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    hub = SmallHub()
    hub.add_folder("people/small", folder)
    with serving(hub):
        use_hub(hub.url, tmp_path / "cache", monkeypatch)
        yield hub


def test_push_says_what_the_hub_refuses(hub: SmallHub, folder: Path) -> None:
    with pytest.raises(PermissionError, match="hf://people/other may not be used with this token"):
        push_weights(folder, "hf://people/other")


def test_pull_copies_what_was_pushed(hub: SmallHub, folder: Path, tmp_path: Path) -> None:
    copy = pull_weights("hf://people/small", tmp_path / "copy")
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in copy.iterdir()} == names
    assert all((copy / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert verify_weights(copy) == []
    with pytest.raises(FileExistsError, match="copy exists: choose another folder"):
        pull_weights("hf://people/small", copy)


def test_nothing_is_written_into_the_cache(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = find_weights("hf://people/small")
    with pytest.raises(ValueError, match="cannot be stored in a hub's cache: copy the weights with"):
        check_storable(weights)
    monkeypatch.chdir(tmp_path)
    assert write_result({"mAP": 1.0}, weights, ["test", "market1501"]) == Path("test_market1501.json")
    assert (tmp_path / "test_market1501.json").is_file()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "a value in it is of another kind than expected"),
        ("{", "wrong in line 1, column 2"),
        ('{"dataset": "a", "protocol": {}}', "it lacks 'mAP'"),
        ('{"dataset": "a", "protocol": {}, "mAP": 7}', "its mAP is 7, expected a number from 0 to 1"),
        ('{"dataset": "a", "protocol": 3, "mAP": 0.5}', "a value in it is of another kind than expected"),
    ],
)
def test_scores_that_no_test_wrote(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    with pytest.raises(FileNotFoundError, match=r"scores\.json does not exist: give files that"):
        weights_module._read_scores(path)
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"scores\.json has no scores \({reason}\)"):
        weights_module._read_scores(path)
