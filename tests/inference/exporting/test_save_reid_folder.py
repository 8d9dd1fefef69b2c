from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.save_reid_folder import save_reid_folder
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.reid_folder import read_reid_config
from reid_gl.models import NetSettings, ReidNet
from tests.inference.extractor.reid_folders import SAID, reid_folder, reid_net
from tests.tiny_checkpoint import coloured_crops, write_checkpoint


@pytest.mark.parametrize("architecture", ["osnet_x0_25", "timm:resnet18"])
@pytest.mark.parametrize("said", [{}, {"to_rgb": False}])
def test_saved_as_it_was_read(said: dict[str, Any], architecture: str, tmp_path: Path) -> None:
    reid_folder(tmp_path / "net", architecture, **said)
    save_reid_folder(tmp_path / "net", tmp_path / "again")
    config = json.loads((tmp_path / "again" / "reid_config.json").read_text())
    assert config == {"architecture": architecture, "preprocessing": {**SAID, **said}}
    before, after = (load_file(tmp_path / name / "weights.safetensors") for name in ("net", "again"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(FileExistsError, match="again exists"):
        save_reid_folder(tmp_path / "net", tmp_path / "again")


def test_a_state_dict_is_saved(tmp_path: Path) -> None:
    net = reid_net("osnet_x0_25")
    torch.save(net.state_dict(), tmp_path / "net.pth")
    save_reid_folder(tmp_path / "net.pth", tmp_path / "out", architecture="osnet_x0_25")
    assert read_reid_config(tmp_path / "out" / "reid_config.json").preprocessing == Preprocessing(
        kernel="antialiased_linear"
    )
    assert not any("classifier" in name for name in load_file(tmp_path / "out" / "weights.safetensors"))
    with pytest.raises(ValueError, match="reid has no network 'osnet_ibn_x1_0': expected one of osnet_x0_25"):
        save_reid_folder(tmp_path / "net.pth", tmp_path / "other", architecture="osnet_ibn_x1_0")


def _own(path: Path, feature: str = "before_neck", **settings: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ReidNet(NetSettings("resnet18", 7, **{"last_stride": 2, **settings}))
    return write_checkpoint(path, feature=feature, net=net.settings.to_dict(), model=net.state_dict())


def test_a_checkpoint_that_reid_can_build(tmp_path: Path) -> None:
    path = _own(tmp_path / "net.ckpt")
    extractor = FeatureExtractor(path, color_order="rgb", precision="float32")
    with pytest.raises(
        ValueError, match=r"reid resizes by PIL, .* takes .*kernel='linear'.* not be the same"
    ):
        save_reid_folder(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    smooth = replace(extractor.preprocessing, kernel="antialiased_linear")
    save_reid_folder(path, tmp_path / "out", preprocessing=smooth)
    again = FeatureExtractor(tmp_path / "out", color_order="rgb", precision="float32")
    assert again.preprocessing == smooth
    crops = coloured_crops(5, size=(64, 32))  # nothing to resize
    assert (again(crops) * extractor(crops)).sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"last_stride": 1}, {"pooling": "gem"}, {"embedding_dim": 64}, {"feature": "after_neck"}],
)
def test_checkpoints_that_reid_cannot_build(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reid has only timm's networks and ResNets with last stride 2"):
        save_reid_folder(_own(tmp_path / "net.ckpt", **settings), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["net.ckpt"]
