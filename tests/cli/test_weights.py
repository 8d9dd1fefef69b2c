from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import call
from tests.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    result = call("weights", "card", write_checkpoint(run / "model.ckpt"), run / "small", "--license", "mit")
    assert result.returncode == 0, result.stderr
    assert "model.safetensors" in json.loads(result.stdout)["files"]
    return run / "small"


def test_verify_names_the_file_that_changed(folder: Path, tmp_path: Path) -> None:
    result = call("weights", "verify", folder)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"folder": str(folder), "is_whole": True, "changes": []}
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "config.json").open("a") as file:
        file.write(" ")
    result = call("weights", "verify", tmp_path)
    assert result.returncode == 1
    assert "config.json has" in result.stderr
    assert json.loads(result.stdout)["is_whole"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify"], "weights verify takes FOLDER, got 0 names"),
        (["card", "a.ckpt"], "weights card takes WEIGHTS FOLDER, got 1 names"),
        (["verify", ".", "--license", "mit"], "--license has no meaning for weights verify"),
        (["push", "none", "hf://a/b"], "there is no folder none"),
        (["pull", "a/b", "folder"], "expected hf://owner/repo, with @revision and /file if needed, got a/b"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    result = call("weights", *words)
    assert result.returncode == 1
    assert message in result.stderr


def test_list_prints_the_table() -> None:
    result = call("weights", "list")
    assert result.returncode == 0
    assert "fastreid_sbs_resnest50" in result.stdout
    assert call("weights", "list", "more").returncode == 1
