from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl import FeatureExtractor
from tests.cli.test_commands import ROOT, call
from tests.small_hub import SmallHub, serving
from tests.tiny_checkpoint import coloured_crops, write_checkpoint

CLIENT = """
import json, sys
from reid_gl import FeatureExtractor
from tests.cli.test_commands import call
from tests.tiny_checkpoint import coloured_crops

names, actions = json.loads(sys.argv[1])
answers = {}
for name in names:
    try:
        extractor = FeatureExtractor(name, color_order="rgb", device="cpu")
        answers[name] = extractor(coloured_crops(2)).tolist()
    except (OSError, ValueError) as error:
        answers[name] = f"{type(error).__name__}: {error}"
done = [call("weights", *words) for words in actions]
print(json.dumps([answers, [[one.returncode, one.stderr] for one in done]]))
"""
"""A process that reads the environment itself, as huggingface_hub does once, when it is imported."""


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


def ask_hub(
    environment: dict[str, str], names: list[str], actions: list[list[str]]
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Open weights by name and run `reid-gl weights` in a process with this environment."""
    ours = ("HF_", "HUGGING", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, json.dumps([names, actions])],
        env={**inherited, **environment, "HF_HUB_DISABLE_TELEMETRY": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, called = json.loads(done.stdout.splitlines()[-1])
    return answers, [(code, words) for code, words in called]


def test_the_environment_names_the_hub_and_its_cache(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    hub = SmallHub()
    for repo in ("people/small", "people/gated", "people/damaged"):
        hub.add_folder(repo, folder)
    hub.gated.add("people/gated")
    content = bytearray(hub.repos["people/damaged"]["model.safetensors"])
    content[-1] ^= 1
    hub.sent["people/damaged", "model.safetensors"] = bytes(content)
    environment = {"HF_HOME": str(tmp_path / "home")}
    names = [f"hf://{repo}" for repo in ("people/small", "people/gated", "people/damaged", "nobody/none")]
    copy = str(tmp_path / "copy")
    with serving(hub):
        online = {**environment, "HF_ENDPOINT": hub.url}
        found, called = ask_hub(online, names, [["pull", names[0], copy], ["verify", copy]])
    features = FeatureExtractor(folder, color_order="rgb", device="cpu")(coloured_crops(2))
    assert np.array_equal(np.float32(found[names[0]]), features)
    assert [code for code, _ in called] == [0, 0]
    assert (Path(copy) / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert found[names[1]].startswith("PermissionError: hf://people/gated is gated: ask for access on the")
    assert found[names[2]].startswith("ValueError: hf://people/damaged: model.safetensors is damaged: its ch")
    assert found[names[3]].startswith("FileNotFoundError: hf://nobody/none: there is no repository nobody/n")
    # offline, what the cache holds is enough; nobody answers at the address any more
    offline = {**environment, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"}
    again, called = ask_hub(offline, [names[0], names[3]], [["pull", names[3], str(tmp_path / "no")]])
    assert again[names[0]] == found[names[0]]
    missing = "hf://nobody/none is not in the cache"
    assert again[names[3]].startswith(
        f"FileNotFoundError: {missing} {tmp_path / 'home' / 'hub'}, and the hub"
    )
    assert called[0][0] == 1
    assert missing in called[0][1]
    assert "unset HF_HUB_OFFLINE" in called[0][1]
