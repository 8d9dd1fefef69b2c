"""Files of other runtimes, made here of a network that is worked out by hand: the mean of each channel."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from reid_gl.inference.exporting import open_openvino as exported_openvino
from reid_gl.inference.exporting.exported_network import (
    ExportedNet,
)
from reid_gl.inference.exporting.open_exported import ExportedRuntime, load_exported
from reid_gl.inference.exporting.open_openvino import openvino_core
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.inference.exporting.mean_colour import (
    DESCRIPTION,
    SMALL,
    MeanColour,
    by_hand,
    describe,
    pictures,
    write,
    write_onnx,
)

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
GIVEN: dict[str, Any] = {
    "input_size": (8, 4),
    "mean": SMALL.mean,
    "std": SMALL.std,
    "pixel_range": 1.0,
    "channel_order": "rgb",
}
KINDS = ("onnx", "openvino", "torchscript")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 5])
def test_features_by_hand(tmp_path: Path, kind: str, count: int) -> None:
    runtime = load_exported(describe(write(tmp_path, kind)), None, device="auto", precision="float32")
    features = runtime(pictures(count))
    assert np.allclose(features, by_hand(pictures(count)), atol=1e-5)
    assert features.dtype == np.float32
    assert (runtime.embedding_dim, runtime.preprocessing, runtime.device) == (3, SMALL, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_caller_says_is_enough(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    extractor = FeatureExtractor(path, color_order="rgb", device="cpu", normalize=False, **GIVEN)
    assert extractor.preprocessing == SMALL
    assert np.allclose(extractor(list(pictures(3))), by_hand(pictures(3)), atol=1e-2)
    wide = {"mean": [255 * x for x in SMALL.mean], "std": [255 * x for x in SMALL.std], "pixel_range": 255.0}
    again = FeatureExtractor(path, color_order="rgb", device="cpu", normalize=False, **{**GIVEN, **wide})
    assert np.allclose(again(list(pictures(3))), extractor(list(pictures(3))), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_guessed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(
        ValueError, match=r"does not say what .*: give input_size, mean, std, pixel_range, channel_order, for"
    ):
        load_exported(write(tmp_path, kind), None, device="cpu", precision="auto")


def test_metadata_says_it_too(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    helper.set_model_props(model, {"reid_gl": json.dumps(DESCRIPTION)})
    onnx.save(model, str(path))
    xml = tmp_path / "net.xml"
    network = openvino.Core().read_model(path)
    network.set_rt_info(json.dumps(DESCRIPTION), "reid_gl")
    openvino.save_model(network, xml)
    script = tmp_path / "net.torchscript"
    traced = torch.jit.trace(MeanColour(), torch.zeros(2, 3, 8, 4))
    torch.jit.save(traced, str(script), _extra_files={"reid_gl.json": json.dumps(DESCRIPTION)})
    for file in (path, xml, script):
        assert load_exported(file, None, device="cpu", precision="auto").preprocessing == SMALL


def test_who_differs_is_named(tmp_path: Path) -> None:
    path = describe(write_onnx(tmp_path / "net.onnx"))
    assert load_exported(path, SMALL, device="cpu", precision="auto", kernel="linear").preprocessing == SMALL
    for other in (replace(SMALL, mean=(0.5, 0.4, 0.4)), replace(SMALL, channel_order="bgr")):
        with pytest.raises(ValueError, match=r"net.onnx.json and the caller differ on the images"):
            load_exported(path, other, device="cpu", precision="auto")
    with pytest.raises(ValueError, match=r"json says kernel 'linear', the caller 'cubic': leave kernel out"):
        load_exported(path, SMALL, device="cpu", precision="auto", kernel="cubic")


@pytest.mark.parametrize("kind", KINDS)
def test_planes_in_the_other_order(tmp_path: Path, kind: str) -> None:
    """The mean of each plane, by hand; mean and deviation stay RGB."""
    path = write(tmp_path, kind)
    expected = by_hand(pictures(3))[:, ::-1]
    settings = {"color_order": "rgb", "device": "cpu", "normalize": False}
    told = FeatureExtractor(path, **settings, **{**GIVEN, "channel_order": "bgr"})
    assert np.allclose(told(list(pictures(3))), expected, atol=1e-5)
    describe(path, preprocessing=replace(SMALL, channel_order="bgr").to_dict())
    assert np.allclose(FeatureExtractor(path, **settings)(list(pictures(3))), expected, atol=1e-5)
    with pytest.raises(ValueError, match="channel_order, of the network's input, must be rgb or bgr, got"):
        FeatureExtractor(path, **{**GIVEN, "channel_order": "BGR"})


def test_a_description_by_hand_says_everything_and_may_leave_the_kernel_to_the_caller(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    facts = {"height": 8, "width": 4, "mean": SMALL.mean, "std": SMALL.std, "channel_order": "bgr"}
    (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": facts}))
    runtime = load_exported(path, None, device="cpu", precision="auto", kernel="antialiased_linear")
    assert runtime.preprocessing == replace(SMALL, channel_order="bgr", kernel="antialiased_linear")
    for left_out in facts:
        rest = {name: value for name, value in facts.items() if name != left_out}
        (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": rest}))
        with pytest.raises(ValueError, match=f"is not whole: add {left_out}, for example"):
            load_exported(path, None, device="cpu", precision="auto")
    wrong = {**facts, "mean": [123.7, 116.3, 103.5]}
    (tmp_path / "net.onnx.json").write_text(json.dumps({"preprocessing": wrong}))
    with pytest.raises(ValueError, match="do not fit colours in \\[0, 1\\]: divide"):
        load_exported(path, None, device="cpu", precision="auto")


def test_an_older_export_takes_rgb(tmp_path: Path) -> None:
    older = {name: value for name, value in SMALL.to_dict().items() if name != "channel_order"}
    path = describe(write_onnx(tmp_path / "net.onnx"), preprocessing=older)
    assert load_exported(path, None, device="cpu", precision="auto").preprocessing == SMALL


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (123.7, 116.3, 103.5)}, r"are not of pixels in \[0, 1\]: give .*, or pixel_range=255\.0"),
        ({"std": (58.4, 57.1, 57.4)}, r"are not of pixels in \[0, 1\]"),
        ({"mean": (-0.5, 0.4, 0.3)}, r"are not of pixels in \[0, 1\]"),
        ({"mean": (float("nan"), 0.4, 0.3)}, r"are not of pixels in \[0, 1\]"),
        (
            {"pixel_range": 255.0},
            r"are of pixels in \[0, 1\], not in \[0, 255\]: .*, or give pixel_range=1\.0",
        ),
        ({"pixel_range": 255.0, "mean": (300.0, 0.0, 0.0)}, r"are not of pixels in \[0, 255\]"),
        ({"channel_order": None}, r"does not say what .*: give channel_order, for example"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(write_onnx(tmp_path / "net.onnx"), **{**GIVEN, **changes})


def test_a_network_that_takes_pixels_as_they_are(tmp_path: Path) -> None:
    raw = {"mean": (0, 0, 0), "std": (1, 1, 1), "pixel_range": 255.0}
    path = write_onnx(tmp_path / "net.onnx")
    extractor = FeatureExtractor(path, color_order="rgb", normalize=False, **{**GIVEN, **raw})
    assert np.allclose(extractor(list(pictures(2))), pictures(2).mean(axis=(1, 2)), atol=1e-3)


def test_a_file_beside_it_may_hold_other_things_only(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.json").write_text('{"calibration": {}}')
    assert load_exported(path, SMALL, device="cpu", precision="auto").preprocessing == SMALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "net.onnx.json is no JSON"),
        ("[]", "does not describe an exported network"),
        ('{"format": "reid_gl/1"}', "expected format 'reid_gl/export/1', found 'reid_gl/1'"),
        (
            '{"preprocessing": {"height": 8}}',
            r"preprocessing in .*net.onnx.json is not whole: add width, mean, std, channel_order,",
        ),
        ('{"format": "reid_gl/export/1", "preprocessing": {"height": 8}}', r"is not whole \('mean'\)"),
    ],
)
def test_broken_descriptions(tmp_path: Path, text: str, message: str) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_exported(path, None, device="cpu", precision="auto")


@pytest.mark.parametrize("count", [1, 4, 6, 9])
def test_a_fixed_batch_is_filled_up_and_cut_again(tmp_path: Path, count: int) -> None:
    path = write_onnx(tmp_path / "net.onnx", (4, 3, 8, 4))
    runtime = load_exported(path, SMALL, device="cpu", precision="auto")
    assert np.allclose(runtime(pictures(count)), by_hand(pictures(count)), atol=1e-5)


def test_files_in_half_precision(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", kind=TensorProto.FLOAT16)
    runtime = load_exported(describe(path, precision="fp16"), None, device="cpu", precision="float16")
    features = runtime(pictures(3))
    assert features.dtype == np.float32
    assert np.allclose(features, by_hand(pictures(3)), atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("n", 3, 16, 4), r"takes \(any, 3, 16, 4\): expected \(N, 3, 8, 4\)"),
        (("n", 1, 8, 4), r"takes \(any, 1, 8, 4\)"),
        (("n", 8, 4, 3), r"channels first, and the input_size that was given"),
        (("n", 3, 1, 8, 4), r"takes \(any, 3, 1, 8, 4\)"),
    ],
)
def test_networks_for_other_pictures(tmp_path: Path, shape: tuple[str | int, ...], message: str) -> None:
    path = write_onnx(tmp_path / "net.onnx", shape)
    with pytest.raises(ValueError, match=message):
        load_exported(path, SMALL, device="cpu", precision="auto")


def test_maps_are_no_features(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", keep=1, axes=(3,))
    with pytest.raises(ValueError, match=r"gives \(2, 3, 8, 1\) for 2 images: expected one feature each"):
        load_exported(path, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("batch", ["n", 1, 2])
@pytest.mark.parametrize(("keep", "squeeze"), [(1, False), (1, True), (0, True)])
def test_maps_of_one_place_and_squeezed_batches(
    tmp_path: Path, keep: int, squeeze: bool, batch: str | int, count: int
) -> None:
    path = write_onnx(tmp_path / "net.onnx", (batch, 3, 8, 4), keep=keep, squeeze=squeeze)
    net = load_exported(path, SMALL, device="cpu", precision="auto")
    assert net.embedding_dim == 3
    np.testing.assert_allclose(net(pictures(count)), by_hand(pictures(count)), atol=1e-6)


def test_a_network_that_is_wrong_for_one_image_only_is_noticed_when_opened() -> None:
    def run(normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        return normalized.mean(axis=(2, 3))[:, : len(normalized) + 1]

    net = ExportedNet(run, (None, 3, 8, 4), "", "cpu")
    with pytest.raises(ValueError, match=r"mean gives \(1, 2\) for 1 images: expected one feature each"):
        ExportedRuntime(net, SMALL, "mean")


@pytest.mark.parametrize(
    ("kind", "stored", "wanted", "message"),
    [
        ("onnx", "float32", "bfloat16", "was exported in float32 and cannot compute in 'bfloat16'"),
        ("onnx", "fp16", "float32", "use auto or float16"),
        ("openvino", "float32", "int8", "use auto or bfloat16 or float32, or export it again"),
        ("openvino", "int8", "float32", "was exported in int8"),
        ("torchscript", "float32", "int8", "use auto or float32"),
    ],
)
def test_precisions_a_file_has_not(tmp_path: Path, kind: str, stored: str, wanted: str, message: str) -> None:
    path = describe(write(tmp_path, kind), precision=stored)
    with pytest.raises(ValueError, match=message):
        load_exported(path, None, device="cpu", precision=wanted)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.onnx", "cannot be used as an ONNX file"),
        ("net.xml", "cannot be used as an OpenVINO file"),
        ("net.torchscript", "cannot be used as a TorchScript file"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"<net/>")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        load_exported(tmp_path / name, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_devices_a_runtime_has_not(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="'mps'"):
        load_exported(write(tmp_path, kind), SMALL, device="mps", precision="auto")


@pytest.mark.parametrize(("kind", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    path = write(tmp_path, kind)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(exported_openvino, "openvino_core", openvino_core.__wrapped__)
    with pytest.raises(ImportError, match=rf"{package} is needed here .*: pip install reid_gl\[export\]"):
        load_exported(path, SMALL, device="cpu", precision="auto")


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_runtime(tmp_path: Path, kind: str) -> None:
    runtime = load_exported(write(tmp_path, kind), SMALL, device="cpu", precision="float32")
    counts = [1 + number % 5 for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda count: runtime(pictures(count)), counts))
    for count, features in zip(counts, found, strict=True):
        assert np.allclose(features, by_hand(pictures(count)), atol=1e-5)
