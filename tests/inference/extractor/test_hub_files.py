from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from reid_gl import FeatureExtractor
from reid_gl.experiment.weights import write_weights_folder
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.hub_files import (
    HubName,
    explain,
    fetch_hub_weights,
    is_hub_name,
    is_in_hub_cache,
    parse_hub_name,
)
from tests.inference.extractor.reid_folders import reid_folder
from tests.small_hub import COMMIT, TOKEN, SmallHub, serving, use_hub
from tests.tiny_checkpoint import coloured_crops, write_checkpoint

OURS = "people/small"
ROBOFLOW = "robo/flow"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("run") / "model.ckpt")


@pytest.fixture(scope="module")
def folder(checkpoint: Path) -> Path:
    return write_weights_folder(checkpoint, checkpoint.with_name("small"))


@pytest.fixture
def hub(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    hub = SmallHub()
    hub.add_folder(OURS, folder)
    with serving(hub):
        use_hub(hub.url, tmp_path / "cache", monkeypatch)
        yield hub


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hf://a/b", HubName("a/b")),
        (Path("hf://a/b"), HubName("a/b")),
        ("hf://a/b@v1.0", HubName("a/b", "v1.0")),
        ("hf://a/b-c.d@refs/pr/7/sub/x.safetensors", HubName("a/b-c.d", "refs/pr/7", "sub/x.safetensors")),
        ("hf://a/b/x.ckpt", HubName("a/b", None, "x.ckpt")),
    ],
)
def test_names(text: str | Path, name: HubName) -> None:
    assert is_hub_name(text)
    assert parse_hub_name(text) == name
    assert parse_hub_name(str(name)) == name


@pytest.mark.parametrize("text", ["hf://a", "hf://a/b@", "hf://a/b/../c.ckpt", "hf://", "hf:/a b/c"])
def test_other_names(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected hf://owner/repo, with @revision and /file if needed, got"
    ):
        parse_hub_name(text)


def test_our_folder_by_name_gives_the_features_of_its_checkpoint(hub: SmallHub, checkpoint: Path) -> None:
    crops = coloured_crops(3)
    by_name = FeatureExtractor(f"hf://{OURS}", color_order="rgb", device="cpu")
    from_file = FeatureExtractor(checkpoint, color_order="rgb", device="cpu")
    assert by_name.preprocessing == from_file.preprocessing
    assert np.array_equal(by_name(crops), from_file(crops))
    num_requests = len(hub.requests)
    path = fetch_hub_weights(f"hf://{OURS}@{COMMIT}/model.safetensors")
    assert is_in_hub_cache(path)
    assert hub.requests[num_requests:] == [f"GET /api/models/{OURS}/revision/{COMMIT}"]  # the files are there


def test_a_folder_of_roboflow_by_name(hub: SmallHub, tmp_path: Path) -> None:
    reid_folder(tmp_path / "reid", "osnet_x0_25")
    hub.add_folder(ROBOFLOW, tmp_path / "reid")
    crops = coloured_crops(2)
    by_name = FeatureExtractor(f"hf://{ROBOFLOW}", color_order="rgb", device="cpu")
    local = FeatureExtractor(tmp_path / "reid", color_order="rgb", device="cpu")
    assert by_name.input_size == (96, 32)
    assert np.array_equal(by_name(crops), local(crops))


def test_our_checkpoint_as_the_only_file_and_by_its_name(hub: SmallHub, checkpoint: Path) -> None:
    hub.repos["people/plain"] = {"runs/best.ckpt": checkpoint.read_bytes(), "README.md": b"# hello\n"}
    path = fetch_hub_weights("hf://people/plain/runs/best.ckpt")
    assert path.read_bytes() == checkpoint.read_bytes()
    with pytest.raises(FileNotFoundError, match=r"no file of weights .* it has README\.md, runs/best\.ckpt"):
        fetch_hub_weights("hf://people/plain")
    hub.repos["people/plain"]["top.ckpt"] = checkpoint.read_bytes()
    assert fetch_hub_weights("hf://people/plain").name == "top.ckpt"


def test_offline_the_cache_is_enough(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch_hub_weights(f"hf://{OURS}@v1")
    num_requests = len(hub.requests)
    monkeypatch.setattr(importlib.import_module("huggingface_hub").constants, "HF_HUB_OFFLINE", True)
    assert fetch_hub_weights(f"hf://{OURS}@v1") == path
    assert fetch_hub_weights(f"hf://{OURS}@{COMMIT}") == path
    assert len(hub.requests) == num_requests
    with pytest.raises(FileNotFoundError, match=r"hf://other/one is not in the cache .*unset HF_HUB_OFFLINE"):
        fetch_hub_weights("hf://other/one")


def test_without_a_network_the_cache_is_enough(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub = SmallHub()
    hub.add_folder(OURS, folder)
    with serving(hub):
        use_hub(hub.url, tmp_path, monkeypatch)
        path = fetch_hub_weights(f"hf://{OURS}")
    with caplog.at_level("WARNING", "reid_gl"):
        assert fetch_hub_weights(f"hf://{OURS}") == path
    assert "comes from the cache, commit 1234567890ab: the hub cannot be reached" in caplog.text
    with pytest.raises(FileNotFoundError, match="and the hub cannot be reached"):
        fetch_hub_weights("hf://other/one")


def test_a_damaged_file_in_the_cache_is_found_even_offline(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch_hub_weights(f"hf://{OURS}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.resolve().write_bytes(content)
    with pytest.raises(
        ValueError, match=r"model\.safetensors is damaged: its checksum is \w{64}, the hub st"
    ):
        fetch_hub_weights(f"hf://{OURS}")
    monkeypatch.setattr(importlib.import_module("huggingface_hub").constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged: .* remove .* and try again"):
        fetch_hub_weights(f"hf://{OURS}@{COMMIT}")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_byte_that_changed_on_the_way(hub: SmallHub, file: str) -> None:
    content = bytearray(hub.repos[OURS][file])
    content[len(content) // 2] ^= 1
    hub.sent[OURS, file] = bytes(content)
    with pytest.raises(
        ValueError, match=rf"hf://people/small: {file} is damaged: its checksum is \w+, the hub"
    ):
        fetch_hub_weights(f"hf://{OURS}")


def test_files_that_somebody_changed_on_the_hub(hub: SmallHub) -> None:
    hub.repos[OURS]["config.json"] += b"\n"
    with pytest.raises(ValueError, match=r"not what its authors published: config\.json has \d+ bytes, exp"):
        fetch_hub_weights(f"hf://{OURS}")
    hub.repos["people/bare"] = {**hub.repos[OURS]}
    del hub.repos["people/bare"]["manifest.json"]
    with pytest.raises(ValueError, match=r"hf://people/bare has no manifest\.json: publish the folder with"):
        fetch_hub_weights("hf://people/bare")


def test_unknown_gated_and_private(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"there is no repository nobody/none, or it is private: check"
    ):
        FeatureExtractor("hf://nobody/none")
    with pytest.raises(FileNotFoundError, match="people/small has no revision 'v9'"):
        fetch_hub_weights(f"hf://{OURS}@v9")
    with pytest.raises(FileNotFoundError, match=r"people/small has no such file, it has README\.md, config"):
        fetch_hub_weights(f"hf://{OURS}/other.safetensors")
    hub.gated.add(OURS)
    with pytest.raises(
        PermissionError, match="is gated: ask for access on the page of people/small, then log"
    ):
        fetch_hub_weights(f"hf://{OURS}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch_hub_weights(f"hf://{OURS}").is_file()


def test_two_files_none_and_those_that_can_hold_code(hub: SmallHub, tmp_path: Path) -> None:
    hub.repos[OURS]["other.safetensors"] = hub.repos[OURS]["model.safetensors"]
    with pytest.raises(
        ValueError,
        match=r"has 2 files of weights \(.*\): name one, such as hf://people/small/model\.safetensor",
    ):
        fetch_hub_weights(f"hf://{OURS}")
    assert fetch_hub_weights(f"hf://{OURS}/model.safetensors").is_file()
    hub.repos["a/pickled"] = {"pytorch_model.bin": b"\x80\x02."}
    with pytest.raises(
        FileNotFoundError, match=r"no file of weights that ends in \.safetensors or \.ckpt, it"
    ):
        fetch_hub_weights("hf://a/pickled")
    with pytest.raises(ValueError, match=r"is not taken from a hub, where only .* others can hold code"):
        fetch_hub_weights("hf://a/pickled/pytorch_model.bin")
    assert not [request for request in hub.requests if "pytorch_model" in request]


def test_a_description_without_preprocessing(hub: SmallHub, folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["preprocessing"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ValueError, match=r"config\.json lacks 'preprocessing', without which the network cannot"
    ):
        FeatureExtractor(other)


def test_tensors_without_a_description_need_an_architecture(hub: SmallHub, tmp_path: Path) -> None:
    net = reid_folder(tmp_path / "reid", "osnet_x0_25")
    save_file(dict(net.state_dict()), tmp_path / "net.safetensors")
    hub.repos["a/osnet"] = {"net.safetensors": (tmp_path / "net.safetensors").read_bytes()}
    extractor = FeatureExtractor("hf://a/osnet", architecture="osnet_x0_25", color_order="rgb", device="cpu")
    assert extractor(coloured_crops(1)).shape == (1, 512)


def test_only_names_need_huggingface_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert find_weights("model.ckpt") == Path("model.ckpt")
    with pytest.raises(ImportError, match=r"need huggingface_hub, .*: pip install 'reid_gl\[hub\]'"):
        find_weights("hf://a/b")


def test_other_errors_are_said_with_the_name() -> None:
    assert str(explain(OSError("disk full\nlong"), HubName("a/b"))) == (
        "hf://a/b cannot be reached (disk full): try again later"
    )
