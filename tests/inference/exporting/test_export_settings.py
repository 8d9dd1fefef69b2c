from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.export_settings import ExportSettings, check_name, default_name
from reid_gl.inference.extractor.embedder import LoadedEmbedder, load_embedder
from tests.tiny_checkpoint import made_up_embedder, write_checkpoint


@pytest.mark.parametrize(
    ("settings", "backbone", "expected"),
    [
        (ExportSettings("onnx", profile="boxmot"), "resnet50", "runs/resnet50_market1501.onnx"),
        (ExportSettings("onnx", "fp16", "boxmot"), "osnet_x1_0", "runs/osnet_x1_0_market1501_fp16.onnx"),
        (
            ExportSettings("openvino", profile="boxmot"),
            "resnet50",
            "runs/resnet50_market1501_openvino_model/resnet50_market1501.xml",
        ),
        (ExportSettings("onnx", profile="ultralytics"), "resnet18", "runs/net_ultralytics.onnx"),
        (ExportSettings("openvino", "int8"), "resnet18", "runs/net_int8.xml"),
    ],
)
def test_names(settings: ExportSettings, backbone: str, expected: str) -> None:
    reference = made_up_embedder(backbone=backbone)
    name = default_name(Path("runs/net.ckpt"), reference, settings)
    assert name == Path(expected)
    check_name(name, reference, settings)


@pytest.mark.parametrize(
    ("out", "reference", "message"),
    [
        ("net.pt", made_up_embedder(), r"format onnx ends in .onnx, got net.pt"),
        (
            "resnet50_a.onnx",
            made_up_embedder(Preprocessing(128, 64, kernel="cubic")),
            r"BoxMOT feeds images of .*height=128, width=64, kernel='linear'.* takes .*kernel='cubic'",
        ),
        (
            "resnet50_a.onnx",
            made_up_embedder(Preprocessing(mean=(0.5, 0.5, 0.5))),
            r"BoxMOT feeds images of .* hand BoxMOT its features instead",
        ),
    ],
)
def test_what_boxmot_would_misread(out: str, reference: LoadedEmbedder, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_name(Path(out), reference, ExportSettings("onnx", profile="boxmot"))


def test_what_boxmot_reads_from_version_25_on(caplog: pytest.LogCaptureFixture) -> None:
    settings = ExportSettings("onnx", profile="boxmot")
    check_name(Path("resnet50_a.onnx"), made_up_embedder(), settings)
    assert not caplog.messages
    check_name(Path("net.onnx"), made_up_embedder(Preprocessing(128, 64)), settings)
    name, size = caplog.messages
    assert name.startswith("BoxMOT before version 25 does not recognise a network in the name net.onnx")
    assert name.endswith("such as resnet50_market1501.onnx")
    assert size == (
        "BoxMOT before version 25 feeds 256 x 128 pixels, this network takes 128 x 64: use version 25"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "pt"}, "unknown format 'pt': expected onnx, openvino, torchscript"),
        ({"format": "onnx", "precision": "int4"}, "unknown precision 'int4'"),
        ({"format": "onnx", "profile": "sort"}, "unknown profile 'sort'"),
        ({"format": "onnx", "precision": "int8"}, "int8 is for OpenVINO files, got format onnx"),
        ({"format": "onnx", "square_size": 0}, "side of an image in pixels, got 0"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExportSettings(**settings)


def test_squares_hold_no_centre(tmp_path: Path) -> None:
    """A tracker resizes the whole crop to a square; what lies beyond the centre could not be told."""
    preprocessing = Preprocessing(64, 32, shorter_side=70).to_dict()
    path = write_checkpoint(tmp_path / "net.ckpt", preprocessing=preprocessing)
    with pytest.raises(ValueError, match=r"net.ckpt takes the centre of an image.* use the profile default"):
        load_embedder(path, square_size=96)
    assert load_embedder(path).preprocessing.shorter_side == 70
