"""Exports of a small checkpoint. Writing ONNX takes seconds, so that most of what all formats share is tested
on TorchScript."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting import export_formats
from reid_gl.inference.exporting import export_network as export
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.embedder import load_embedder
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.forked import run_forked
from tests.tiny_checkpoint import COLOURS, SIZE, coloured_crops, made_up_embedder, write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
SCRIPT = ExportSettings(format="torchscript")
FORMATS = ("onnx", "openvino", "torchscript")
Export = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "net.ckpt")


@pytest.fixture(scope="module")
def exported(weights: Path) -> Export:
    """The export in a format, made once; OpenVINO's from the ONNX file that there is."""
    made: dict[str, dict[str, Any]] = {}

    def make(name: str) -> dict[str, Any]:
        if name not in made:
            with pytest.MonkeyPatch.context() as patch:
                if name == "openvino":
                    reuse_onnx(make, patch)
                made[name] = export_weights(weights, ExportSettings(format=name))
        return made[name]

    return make


def reuse_onnx(exported: Export, patch: pytest.MonkeyPatch) -> None:
    """Copy the ONNX file that there is instead of writing the same graph again."""
    patch.setattr(export, "write_onnx", lambda *words: shutil.copy(exported("onnx")["file"], words[2]))


def min_cosine(features: np.ndarray, others: np.ndarray) -> float:
    return float((features * others).sum(axis=1).min())


def extract(weights: Path | str, **settings: Any) -> np.ndarray:
    extractor = FeatureExtractor(
        weights, **{"device": "cpu", "precision": "float32", "color_order": "rgb", **settings}
    )
    return extractor(coloured_crops(9))


@pytest.mark.parametrize("name", FORMATS)
def test_one_image_one_feature(weights: Path, exported: Export, tmp_path: Path, name: str) -> None:
    extractors = [
        FeatureExtractor(path, device="cpu", precision="float32", color_order="bgr", batch_size=4)
        for path in (weights, exported(name)["file"])
    ]
    paths = []
    for number, crop in enumerate(coloured_crops(9)):
        paths.append(tmp_path / f"{number}.png")
        assert cv2.imwrite(str(paths[-1]), crop)
    frame, box = np.hstack(coloured_crops(9)), [[36 * place, 0, 36 * place + 36, 80] for place in range(9)]
    of_torch, *others = [
        view
        for extractor in extractors
        for view in (extractor(paths), extractor(coloured_crops(9)), extractor.extract(frame, box).features)
    ]
    assert (of_torch @ of_torch.T).min() < 0.5  # different images have different features
    for features in others:
        assert min_cosine(features, of_torch) > 0.9999
    assert extractors[1].embedding_dim == 512
    assert extractors[1].preprocessing == COLOURS


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_export_says(weights: Path, exported: Export, name: str) -> None:
    result = exported(name)
    path = Path(result["file"])
    assert path.parent == weights.parent
    assert path.stem == "net"
    assert [one["batch"] for one in result["parity"]] == [1, 2, 17]
    for one in result["parity"]:
        assert one["min_cosine"] > 0.9999
        assert one["max_error"] < 1e-4
    assert (result["embedding_dim"], result["input_size"], result["feature"]) == (512, [64, 32], "after_neck")
    sidecar = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert sidecar == {
        "format": "reid_gl/export/1",
        "preprocessing": {**COLOURS.to_dict(), "mean": list(COLOURS.mean), "std": list(COLOURS.std)},
        "embedding_dim": 512,
        "feature": "after_neck",
        "normalized": True,
        "precision": "float32",
        "profile": "default",
        "flip": False,
        "source": "net.ckpt",
    }
    path.with_name(f"{path.name}.json").rename(weights.parent / "aside")
    try:
        assert FeatureExtractor(path, device="cpu").preprocessing == COLOURS  # from the metadata
    finally:
        (weights.parent / "aside").rename(path.with_name(f"{path.name}.json"))


def test_the_batch_of_onnx_is_free_by_name(exported: Export) -> None:
    model = onnx.load(exported("onnx")["file"])
    (image,), (features,) = model.graph.input, model.graph.output
    assert (image.name, features.name) == ("images", "features")
    for value in (image, features):
        assert value.type.tensor_type.shape.dim[0].dim_param
    assert [size.dim_value for size in image.type.tensor_type.shape.dim][1:] == [3, 64, 32]


@pytest.mark.parametrize("form", ["onnx", "torchscript", "openvino"])
def test_the_size_stands_where_boxmot_reads_it(
    tmp_path: Path, form: str, exported: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "openvino":
        exported("onnx")
        reuse_onnx(exported, monkeypatch)
    weights = write_checkpoint(tmp_path / "net.ckpt", preprocessing=Preprocessing(64, 32).to_dict())
    result = export_weights(weights, ExportSettings(form, profile="boxmot"))
    path = Path(result["file"])
    beside = {file.name for file in path.parent.iterdir()} - {"net.ckpt", path.name, f"{path.name}.json"}
    if form == "onnx":  # its graph says the size
        assert beside == set()
        return
    metadata = json.loads(path.with_name(f"{path.name}.metadata.json").read_text())
    assert metadata["model_kwargs"]["img_size"] == metadata["img_size"] == [64, 32]
    if form == "openvino":
        assert path.parent.name == "resnet18_market1501_openvino_model"
        assert json.loads((path.parent / "manifest.json").read_text()) == metadata
        assert beside == {f"{path.stem}.bin", f"{path.name}.metadata.json", "manifest.json"}
    else:
        assert beside == {f"{path.name}.metadata.json"}


@pytest.mark.parametrize(("flip", "profile"), [(False, "default"), (True, "default"), (False, "ultralytics")])
def test_thresholds_go_with_the_features_they_were_found_for(flip: bool, profile: str) -> None:
    reference = made_up_embedder(calibration={"made": "up"})
    description = export._describe(Path("a.ckpt"), reference, replace(SCRIPT, flip=flip, profile=profile))
    is_same = not flip and profile == "default"
    assert description.get("calibration") == ({"made": "up"} if is_same else None)


@pytest.mark.parametrize(("feature", "flip"), [("before_neck", False), ("concatenated", True)])
def test_the_feature_that_the_checkpoint_compares(tmp_path: Path, feature: str, flip: bool) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt", feature=feature)
    out = tmp_path / "new" / "a.torchscript"
    result = export_weights(weights, replace(SCRIPT, flip=flip), out=out)
    assert result["file"] == str(out)
    assert min_cosine(extract(out), extract(weights, flip=flip)) > 0.9999
    assert (min_cosine(extract(out), extract(weights, flip=not flip)) > 0.9999) is False
    assert extract(out).shape[1] == (1024 if feature == "concatenated" else 512)


def test_half_precision(weights: Path, exported: Export, tmp_path: Path) -> None:
    result = export_weights(weights, replace(SCRIPT, precision="fp16"))
    assert Path(result["file"]).name == "net_fp16.torchscript"
    assert 0.999 < min_cosine(extract(result["file"], precision="float16"), extract(weights)) < 1
    assert result["bytes"] < 0.55 * exported("torchscript")["bytes"]
    description = json.dumps({"preprocessing": COLOURS.to_dict(), "precision": "fp16"})
    source, path = Path(exported("onnx")["file"]), tmp_path / "half.xml"
    export_formats.write_openvino(source, path, description, half=True)
    assert 0.999 < min_cosine(extract(path), extract(weights)) < 1
    assert path.with_suffix(".bin").stat().st_size < 0.55 * source.stat().st_size


def test_square_images_of_one_colour_need_no_resize(weights: Path, tmp_path: Path) -> None:
    settings = replace(SCRIPT, profile="ultralytics", square_size=96)
    result = export_weights(weights, settings)
    assert Path(result["file"]).name == "net_ultralytics.torchscript"
    assert result["input_size"] == [96, 96]
    colours = np.random.default_rng(0).integers(0, 256, (5, 1, 1, 3), dtype=np.uint8)
    net = torch.jit.load(result["file"])
    squares = torch.from_numpy(colours / np.float32(255)).permute(0, 3, 1, 2).expand(5, 3, 96, 96)
    expected = FeatureExtractor(weights, device="cpu", precision="float32", color_order="rgb")(
        list(np.broadcast_to(colours, (5, *SIZE, 3)))
    )
    assert min_cosine(net(squares.contiguous()).numpy(), expected) > 0.9999
    assert min_cosine(expected, np.roll(expected, 1, axis=0)) < 0.99
    crops = np.stack(
        [cv2.resize(crop, (96, 96)) for crop in coloured_crops(9)]
    )  # as a tracker hands them over
    resized = np.stack([cv2.resize(crop / np.float32(255), SIZE[::-1]) for crop in crops])
    normalized = (resized - np.float32(COLOURS.mean)) / np.float32(COLOURS.std)
    expected = load_embedder(weights).net(torch.from_numpy(normalized).permute(0, 3, 1, 2)).numpy()
    file = FeatureExtractor(result["file"], device="cpu", color_order="rgb")
    assert min_cosine(file(list(crops)), expected) > 0.9999


@pytest.mark.parametrize("profile", ["default", "ultralytics"])
def test_a_network_of_the_other_channel_order_stays_one(tmp_path: Path, profile: str) -> None:
    preprocessing = replace(COLOURS, channel_order="bgr")
    checkpoint = write_checkpoint(tmp_path / "net.ckpt", preprocessing=preprocessing.to_dict())
    result = export_weights(checkpoint, replace(SCRIPT, profile=profile, square_size=64))
    described = json.loads(Path(f"{result['file']}.json").read_text())["preprocessing"]
    assert described["channel_order"] == (
        "bgr" if profile == "default" else "rgb"
    )  # squares are swapped inside
    colours = np.random.default_rng(0).integers(0, 256, (5, 1, 1, 3), dtype=np.uint8)
    plain = list(np.broadcast_to(colours, (5, *SIZE, 3)))
    ours = FeatureExtractor(checkpoint, device="cpu", precision="float32", color_order="rgb")(plain)
    assert min_cosine(FeatureExtractor(result["file"], device="cpu", color_order="rgb")(plain), ours) > 0.9999
    assert min_cosine(FeatureExtractor(result["file"], device="cpu", color_order="bgr")(plain), ours) < 0.99


class _Noisy(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.net(images)
        return features + 0.01 * torch.arange(features.shape[1])


@pytest.mark.parametrize("before", [None, "an older export"])
def test_a_file_that_fails_the_check_never_appears(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    write = export.write_torchscript
    monkeypatch.setattr(export, "write_torchscript", lambda net, *rest: write(_Noisy(net), *rest))
    out = tmp_path / "bad.torchscript"
    if before:
        out.write_text(before)
    with pytest.raises(ArithmeticError, match=r"bad.torchscript was not written: at batch 1 .* needs 0.9999"):
        export_weights(weights, SCRIPT, out=out, force=bool(before))
    assert [path.name for path in tmp_path.iterdir()] == ([out.name] if before else [])
    assert not before or out.read_text() == before


def test_nan_is_no_parity(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = export.write_torchscript
    broken = nn.Sequential(load_embedder(weights).net, nn.Threshold(2.0, float("nan")))
    monkeypatch.setattr(export, "write_torchscript", lambda net, *rest: write(broken, *rest))
    with pytest.raises(ArithmeticError, match="cosine of nan"):
        export_weights(weights, SCRIPT, out=tmp_path / "bad.torchscript")


@pytest.mark.parametrize("form", ["onnx", "openvino", "torchscript"])
def test_an_export_says_nothing_of_the_disk_it_was_made_on(form: str, exported: Export) -> None:
    file = Path(exported(form)["file"])
    package, root = Path(torch.__file__).parents[1], Path(__file__).parents[2]
    files = [*file.parent.glob(f"{file.name}*"), *([file.with_suffix(".bin")] if form == "openvino" else [])]
    assert len(files) == (3 if form == "openvino" else 2)
    for path in files:
        content = path.read_bytes()
        for word in (str(package), str(root), str(file.parent), "site-packages", "stack_trace"):
            assert word.encode() not in content, f"{path.name} says {word}"


def export_on_a_full_disk(weights: Path, out: Path) -> None:
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with pytest.raises(OSError, match="File too large"):
        export_weights(weights, SCRIPT, out=out)


def test_a_full_disk_ends_in_an_error_and_leaves_nothing(weights: Path, tmp_path: Path) -> None:
    """In a process of its own: torch's own writer aborts it."""
    answer = run_forked(export_on_a_full_disk, weights, tmp_path / "a.torchscript")
    assert answer.code == 0, answer.errors
    assert list(tmp_path.iterdir()) == []
